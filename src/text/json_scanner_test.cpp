#include "text/json_scanner.h"

#include <gtest/gtest.h>

#include <random>

#include "text/json_value.h"

namespace ingle {
namespace {

using Event = JsonScanner::Event;

// The events of a text as letters, up to its end or where it breaks; nothing for bytes without one.
std::string scan(std::string_view text) {
  JsonScanner scanner;
  std::string out;
  for (const char byte : text) {
    const Event event = scanner.push(byte);
    if (event == Event::kKey) out += "k(" + scanner.key() + ")";
    if (event == Event::kValueBegin) out += 'b';
    if (event == Event::kValueEnd) out += 'e';
    if (event == Event::kEnd) return out + ".";
    if (event == Event::kBroken) return out + "!";
  }
  return out;
}

TEST(JsonScanner, TellsWhereTheMembersOfTheTopLevelAre) {
  EXPECT_EQ(scan("{}"), ".");
  EXPECT_EQ(scan(R"({"a": "x", "b" : {"c": [1, {}]}, "d": [], "e": -1.5e+3, "f": null})"),
            "k(a)bek(b)bek(d)bek(e)bk(f)b.");
  EXPECT_EQ(scan(R"({"a\"}": "\\\"}\u00e9"})"), R"(k(a\"})be.)");
  EXPECT_EQ(scan("{\"" + std::string(1000, 'k') + "\":1}"), "k(" + std::string(256, 'k') + ")b.");
}

TEST(JsonScanner, BreaksAtTheFirstByteThatIsNoJson) {
  for (const char* text : {"x",           " ",          "{,",          "{\"a\"}",     "{\"a\":}",     "{\"a\":1,}",
                           "{\"a\":01",   "{\"a\":-,",  "{\"a\":1.,",  "{\"a\":1e,",  "{\"a\":+",     "{\"a\":.",
                           "{\"a\":nul,", "{\"a\":[1}", "{\"a\":[1,]", "{\"a\":\"\n", "{\"a\":\"\\x", "{\"a\":\"\\u00g",
                           "{a",          "{'",         "{\"a\":1 2",  "{\"a\":N"}) {
    EXPECT_EQ(scan(text).back(), '!') << text;
    EXPECT_EQ(scan(std::string_view(text).substr(0, std::string_view(text).size() - 1)).find('!'), std::string::npos)
        << text;
  }
  EXPECT_EQ(scan("{\"a\":" + std::string(199, '[') + std::string(199, ']') + "}").back(), '.');
  EXPECT_EQ(scan("{\"a\":" + std::string(200, '[')).back(), '!');
}

// What it says of any text is what the parser of whole documents does.
TEST(JsonScanner, AgreesWithTheParser) {
  static const std::string parts[] = {"{", "}", "[", "]",   "\"",   ",",    ":",    "\"a\"", "1",  "-",       "0",
                                      ".", "5", "e", "E+1", "true", "fals", "null", " ",     "\\", "\\u00e9", "x"};
  std::mt19937 random(3);
  int good = 0;
  for (int round = 0; round < 300000; round++) {
    std::string text = "{";
    if (random() % 2 == 0) text += "\"k\":";
    for (size_t n = random() % 6; n > 0; n--) text += parts[random() % std::size(parts)];
    if (random() % 2 == 0) text += "}";
    const std::string events = scan(text);
    JsonScanner scanner;
    size_t end = 0;
    Event event = Event::kNone;
    while (end < text.size() && event != Event::kEnd && event != Event::kBroken) event = scanner.push(text[end++]);
    const bool ok = parse_json(text.substr(0, end)).ok();
    ASSERT_EQ(event == Event::kEnd, ok) << text;
    if (event == Event::kBroken) ASSERT_FALSE(parse_json(text).ok()) << text;
    good += ok;
  }
  EXPECT_GT(good, 1000);
}

}  // namespace
}  // namespace ingle
