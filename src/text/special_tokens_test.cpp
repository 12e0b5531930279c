#include "text/special_tokens.h"

#include <gtest/gtest.h>

#include <random>

namespace ingle {
namespace {

std::string quoted(std::string_view before, std::string_view text, std::string_view after) {
  return std::string(before).append(text).append(after);
}

std::string show(const SpecialTokens& tokens, std::string_view text, bool parse_special = true) {
  std::string out;
  for (const auto& piece : tokens.partition(text, parse_special)) {
    out += piece.token == kNoToken ? quoted("'", piece.text, "'") : quoted("<", std::to_string(piece.token), ">");
  }
  return out;
}

TEST(SpecialTokens, TakesTheLongest) {
  const SpecialTokens tokens({{1, "<a>", false}, {2, "<a><b>", false}, {3, "<b>", true}});
  EXPECT_EQ(show(tokens, "x<a>y<a><b>z<b>"), "'x'<1>'y'<2>'z'<3>");
  EXPECT_EQ(show(tokens, "<a<a>"), "'<a'<1>");
  EXPECT_EQ(show(tokens, ""), "");
  EXPECT_EQ(show(tokens, "x<a>y<a><b>z<b>", false), "'x<a>y<a>'<3>'z'<3>");
}

TEST(SpecialTokens, WithoutAnyTokens) { EXPECT_EQ(show(SpecialTokens(), "<s>"), "'<s>'"); }

TEST(SpecialTokens, SwallowSpaceBesideThem) {
  const SpecialTokens tokens({{1, "<l>", false, true, false}, {2, "<r>", false, false, true}});
  EXPECT_EQ(show(tokens, "a \n<l> b <r>\t c <r>  <l> "), "'a'<1>' b '<2>'c '<2><1>' '");
  EXPECT_EQ(show(tokens, "  <l>"), "<1>");
  EXPECT_EQ(show(tokens, "<r>  "), "<2>");
}

TEST(SpecialTokens, AnyTokensAnyText) {
  std::mt19937 random(1);
  const auto word = [&](size_t longest) {
    std::string text;
    for (size_t n = random() % longest + 1; n > 0; --n) text += static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 20000; ++round) {
    std::vector<SpecialToken> list;
    for (size_t n = random() % 4; n > 0; --n) {
      const std::string text = word(5);
      const bool is_new = std::none_of(list.begin(), list.end(), [&](const auto& t) { return t.text == text; });
      if (is_new) list.push_back({static_cast<TokenId>(list.size()), text, random() % 2 == 0, false, false});
    }
    const std::string text = word(24);
    const bool parse_special = random() % 2 == 0;

    std::string expected;
    std::string plain;
    const auto end_plain = [&] {
      if (!plain.empty()) expected += quoted("'", plain, "'");
      plain.clear();
    };
    for (size_t at = 0; at < text.size();) {
      const SpecialToken* best = nullptr;
      for (const SpecialToken& token : list) {
        if (!parse_special && !token.always) continue;
        if (!std::string_view(text).substr(at).starts_with(token.text)) continue;
        if (best == nullptr || token.text.size() > best->text.size()) best = &token;
      }
      if (best == nullptr) {
        plain += text[at++];
        continue;
      }
      end_plain();
      expected += quoted("<", std::to_string(best->id), ">");
      at += best->text.size();
    }
    end_plain();
    ASSERT_EQ(show(SpecialTokens(list), text, parse_special), expected) << text;
  }
}

TEST(SpecialTokens, LinearInLongTokens) {
  const std::string run(100000, 'a');
  const SpecialTokens tokens({{1, run + "b", false}, {2, "a", false}, {3, "c" + run, false}});
  EXPECT_EQ(tokens.partition(std::string(1 << 20, 'a'), true).size(), size_t{1} << 20);
}

}  // namespace
}  // namespace ingle
