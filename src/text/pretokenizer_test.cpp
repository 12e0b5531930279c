#include "text/pretokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <random>

#include "text/pcre2_oracle.h"
#include "text/testdata.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace ingle {
namespace {

std::vector<std::string> split(const PreTokenizer& pre_tokenizer, std::string_view text) {
  std::vector<std::string> words;
  pre_tokenizer.split(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

PreTokenizer create(const std::string& name) {
  auto result = PreTokenizer::create(name);
  EXPECT_TRUE(result.ok()) << name;
  return std::move(*result);
}

size_t characters(std::string_view text) {
  size_t n = 0;
  for (const char c : text) n += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
  return n;
}

TEST(PreTokenizer, PiecesAsHuggingFace) {
  const auto lines = split_string(read_testdata("pretokenizer_pieces.txt"), "\n");
  const auto& texts = golden_texts();
  ASSERT_EQ(lines.size() % (texts.size() + 1), 1u);
  for (size_t at = 0; at + 1 < lines.size(); at += texts.size() + 1) {
    const PreTokenizer pre_tokenizer = create(lines[at]);
    for (size_t i = 0; i < texts.size(); ++i) {
      std::vector<TokenId> sizes;
      for (const std::string& word : split(pre_tokenizer, texts[i]))
        sizes.push_back(static_cast<TokenId>(characters(word)));
      EXPECT_EQ(sizes, parse_ids(lines[at + 1 + i])) << lines[at] << ", text " << i << ": " << texts[i];
    }
  }
}

// Both engines have the character, whichever versions of Unicode they are of. U+180E is a space to PCRE2 only.
bool same_to_pcre2(char32_t c) {
  static const Pcre2Oracle unassigned(R"(\p{Cn})");
  std::string text;
  append_utf8(text, c);
  return c != 0x180E && (unassigned.match(text, 0) != 0) == (unicode_category(c) == 0);
}

// Characters of every kind that a pattern tells apart, in runs, so that lookahead and backtracking happen.
std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> parts = [] {
    std::vector<std::string> all = {
        "'",          "s",      "S",      "t",      "re",     "VE",         "ll",     "'d",     "\u017F",     " ",
        " ",          "\n",     "\r",     "\t",     "a",      "b",          "Z",      "1",      "23",         "9",
        ".",          "!",      "/",      "-",      "$",      "<",          "|",      "(",      "A",          "IMGIMG",
        "<sentinel:", ">",      "\u00e9", "\u00c9", "\u0301", "\u4e2d",     "\u304b", "\ud55c", "\u0663",     "\u00b2",
        "\u2160",     "\u3002", "\u2014", "\u00a0", "\u3000", "\u0085",     "\u2028", "\u200d", "\U0001f600", "\u01c5",
        "\u02b0",     "\u0e01", "\u3105", "\u3131", "\u3005", "\U00020000", "\x1c",   "\x0b",   "_",          "\u203f"};
    return all;
  }();
  std::string text;
  const size_t length = random() % 24;
  while (characters(text) < length) {
    const std::string& part = parts[random() % parts.size()];
    for (size_t n = random() % 6 == 0 ? random() % 5 + 1 : 1; n > 0; --n) text += part;
    // And now and then any character there is.
    if (random() % 8 == 0) {
      const unsigned long limit = random() % 2 == 0 ? 0x3000 : 0x32000;
      const char32_t any = static_cast<char32_t>(random() % limit);
      if (same_to_pcre2(any)) append_utf8(text, any);
    }
  }
  return text;
}

void expect_like_pcre2(const std::string& name, const std::vector<std::string>& patterns, int texts) {
  std::mt19937 random(1);
  const PreTokenizer pre_tokenizer = create(name);
  std::vector<Pcre2Oracle> oracles;
  for (const std::string& pattern : patterns) oracles.emplace_back(pattern);
  for (int i = 0; i < texts; ++i) {
    std::string text = random_text(random);
    if (i % 64 == 0) text.insert(0, random() % 1500, ' ');
    std::vector<std::string> expected;
    if (!text.empty()) expected.push_back(text);
    for (const Pcre2Oracle& oracle : oracles) expected = oracle.split_all(expected);
    ASSERT_EQ(split(pre_tokenizer, text), expected) << name << ": " << text;
  }
}

// One name of each family: the others are aliases.
std::vector<std::string> distinct_names() {
  std::vector<std::string> distinct;
  std::map<std::vector<std::string>, std::string> seen;
  for (const std::string& name : PreTokenizer::names()) {
    const auto patterns = PreTokenizer::patterns(name);
    if (patterns.empty() || seen.emplace(patterns, name).second) distinct.push_back(name);
  }
  return distinct;
}

TEST(PreTokenizer, PatternsAsPcre2) {
  size_t checked = 0;
  for (const std::string& name : distinct_names()) {
    const auto patterns = PreTokenizer::patterns(name);
    if (!patterns.empty()) expect_like_pcre2(name, patterns, 1500);
    checked += !patterns.empty();
  }
  EXPECT_GE(checked, 24u);
}

// The names whose stages are no patterns, against the patterns that they stand for.
TEST(PreTokenizer, StagesAsPcre2) {
  const std::string llama3 = PreTokenizer::patterns("llama-bpe").front();
  std::string jais = llama3.substr(0, llama3.rfind("|\\s+(?!"));
  for (int n = 512; n >= 4; n /= 2) jais += "|\\s{" + std::to_string(n) + "}(?!\\S)";
  expect_like_pcre2("jais-2", {jais + "|\\s{1,2}(?!\\S)|\\s{1}"}, 4000);
  // A word ends where no word character of Oniguruma follows; PCRE2's \b knows others.
  const std::string word =
      R"([\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189}])";
  expect_like_pcre2("tiny_aya", {R"(\d{1,3}(?=(?:\d{3})*(?!)" + word + "))", PreTokenizer::patterns("gpt-4o").front()},
                    4000);
  expect_like_pcre2("superbpe", {R"(\p{N}+)", R"([\s\S]+?(?=(\d{3})+(?!\d))|[\s\S]+)"}, 4000);
}

TEST(PreTokenizer, GroupsDigitsFromTheirEnd) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(split(create("superbpe"), "1234567"), Words({"1", "234", "567"}));
  EXPECT_EQ(split(create("afmoe"), "x12345"), Words({"x", "12", "345"}));
  EXPECT_EQ(split(create("tiny_aya"), "1234 12345x"), Words({"1", "234", " ", "123", "45", "x"}));
  EXPECT_EQ(split(create("afmoe"), "\u0661\u0662\u0663\u0664"), Words({"\u0661", "\u0662\u0663\u0664"}));
}

TEST(PreTokenizer, UnknownNameListsTheKnown) {
  const auto result = PreTokenizer::create("nonesuch");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(result.error().message.find("nonesuch"), std::string::npos);
  EXPECT_NE(result.error().remedy.find("llama-bpe"), std::string::npos);
}

TEST(PreTokenizer, HasTheNamesInUse) {
  for (const std::string name :
       {"llama-bpe", "qwen2", "qwen35", "smollm", "gpt-2", "deepseek-llm", "deepseek-coder", "deepseek-r1-qwen",
        "tekken", "falcon", "starcoder", "refact", "command-r", "mpt", "gpt-4o", "glm4", "phi-2", "default"}) {
    EXPECT_TRUE(PreTokenizer::create(name).ok()) << name;
  }
}

// A quarter of a megabyte of what makes backtracking engines slow. Linear time is 10 ms, quadratic time minutes.
TEST(PreTokenizer, IsLinear) {
  constexpr size_t kBytes = 1 << 18;
  std::vector<std::string> texts;
  for (const std::string unit : {"a", " ", "\n", "1", "\u0661", ".", "'", "\U0001f600", "e\u0301", "\u4e2d",
                                 "<sentinel:1", " \n", "\t ", "aA", "IMG", "\u00a0", "/", "a "}) {
    std::string text = "\n";
    while (text.size() < kBytes) text += unit;
    texts.push_back(text + "x");
  }
  for (const std::string& name : distinct_names()) {
    const PreTokenizer pre_tokenizer = create(name);
    for (const std::string& text : texts) {
      const auto begin = std::chrono::steady_clock::now();
      size_t bytes = 0;
      pre_tokenizer.split(text, [&](std::string_view word) { bytes += word.size(); });
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      EXPECT_EQ(bytes, text.size());
      ASSERT_LT(seconds.count(), 3.0) << name << ": " << text.substr(1, 8);
    }
  }
}

}  // namespace
}  // namespace ingle
