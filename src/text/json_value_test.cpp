#include "text/json_value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ingle {
namespace {

using jinja::JsonStyle;
using jinja::Value;

std::string round_trip(const std::string& text, const JsonStyle& style = {}) {
  const auto v = parse_json(text);
  return v.ok() ? jinja::to_json_text(*v, style) : "ERROR " + v.error().message;
}

TEST(JsonValue, WritesWhatPythonWrites) {
  EXPECT_EQ(round_trip(" [1, -2,3.0,1e5, 1E400,-0, -0.0, 0.1, 1e16, 123456789012345678901234567890]"),
            "[1, -2, 3.0, 100000.0, Infinity, 0, -0.0, 0.1, 1e+16, 123456789012345678901234567890]");
  EXPECT_EQ(round_trip(R"({"b":[],"a":{},"n":null,"t":true,"f":false})"),
            R"({"b": [], "a": {}, "n": null, "t": true, "f": false})");
  EXPECT_EQ(round_trip(R"("\u0041\n\"\\\/\u0001é\ud83d\ude00\u007f")"), "\"A\\n\\\"\\\\/\\u0001é😀\x7f\"");
  EXPECT_EQ(round_trip("[18446744073709551615, 9223372036854775808, -9223372036854775808]"),
            "[18446744073709551615, 9223372036854775808, -9223372036854775808]");
}

TEST(JsonValue, RoundsNumbersCorrectly) {
  EXPECT_EQ(round_trip("[2.2250738585072011e-308, 9007199254740993.0, 1.7976931348623157e308, 5e-324, 1e-400]"),
            "[2.225073858507201e-308, 9007199254740992.0, 1.7976931348623157e+308, 5e-324, 0.0]");
}

TEST(JsonValue, KeepsTheOrderOfKeysAndTheLastOfRepeatedOnes) {
  EXPECT_EQ(round_trip(R"({"z": 1, "a": 2, "z": 3})"), R"({"z": 3, "a": 2})");
  std::string many = "{";
  for (int i = 0; i < 100; ++i) many += (i ? ", \"" : "\"") + std::to_string(i * 7 % 100) + "\": " + std::to_string(i);
  EXPECT_EQ(round_trip(many + "}"), many + "}");
}

TEST(JsonValue, HasPythonsStyles) {
  JsonStyle style;
  style.indent = "  ";
  style.item_separator = ",";
  EXPECT_EQ(round_trip(R"({"a": [1, {"b": 2}], "c": []})", style),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ],\n  \"c\": []\n}");
  style = {};
  style.ascii = true;
  EXPECT_EQ(round_trip(R"("é😀\u007f")", style), R"("\u00e9\ud83d\ude00\u007f")");
  style = {};
  style.sort_keys = true;
  EXPECT_EQ(round_trip(R"({"b": 1, "a": 2})", style), R"({"a": 2, "b": 1})");
}

TEST(JsonValue, RefusesWhatIsNotJson) {
  for (const char* text : {"", "  ", "[", "[1,]", "{\"a\"}", "{'a': 1}", "nul", "1 2", "[1] x", "\"\\ud800\"",
                           "\"\xff\"", "01", "+1", "NaN", "\"a", "{\"a\":1,}"}) {
    const auto v = parse_json(text);
    ASSERT_FALSE(v.ok()) << text;
    EXPECT_EQ(v.error().code, ErrorCode::kInvalidData);
  }
}

TEST(JsonValue, HalvesOfSurrogatePairsAreMended) {
  // The text that is parsed, or "same".
  const auto mended = [](const std::string& text) { return without_lone_surrogates(text).value_or("same"); };
  for (const char* whole :
       {"", "{}", "\\", "\\u", "\\ud83", "\\ud83x", R"("\ud83d\ude00")", R"("\uD83D\uDE00")", R"("\\ud83d")",
        R"("\\\\ud83d")", R"("\u00e9\uffff\ue000\ud7ff")", R"("\n\"")", "\"ud83d\""}) {
    EXPECT_EQ(mended(whole), "same") << whole;
  }
  EXPECT_EQ(mended(R"("\ud83d")"), R"("\ufffd")");
  EXPECT_EQ(mended(R"("\uDE00")"), R"("\ufffd")");
  EXPECT_EQ(mended(R"("a\ud83d b\ude00")"), R"("a\ufffd b\ufffd")");
  EXPECT_EQ(mended(R"("\ud83d\n\ude00")"), R"("\ufffd\n\ufffd")");
  EXPECT_EQ(mended(R"("\ude00\ud83d")"), R"("\ufffd\ufffd")");
  EXPECT_EQ(mended(R"("\ud83d\ud83d\ude00")"), R"("\ufffd\ud83d\ude00")");
  EXPECT_EQ(mended(R"("\ud83d\ude00\ude00")"), R"("\ud83d\ude00\ufffd")");
  EXPECT_EQ(mended(R"("\\\ud83d")"), R"("\\\ufffd")");
  EXPECT_EQ(mended(R"("\ud83d)"), R"("\ufffd)");
}

TEST(JsonValue, BoundsNesting) {
  EXPECT_TRUE(parse_json(std::string(150, '[') + std::string(150, ']')).ok());
  EXPECT_FALSE(parse_json(std::string(100000, '[') + std::string(100000, ']')).ok());
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  EXPECT_FALSE(parse_json(objects).ok());
}

}  // namespace
}  // namespace ingle
