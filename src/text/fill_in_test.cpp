#include "text/fill_in.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "text/testdata.h"

namespace ingle {
namespace {

std::unique_ptr<Tokenizer> with_tokens(const std::string& fixture, const std::vector<std::string>& names) {
  Vocabulary vocabulary = test_vocabulary(fixture);
  if (fixture == "byte_pairs") vocabulary.pre = "qwen2";
  for (const std::string& name : names) {
    vocabulary.tokens.push_back(name);
    vocabulary.types.push_back(TokenType::kControl);
    if (!vocabulary.scores.empty()) vocabulary.scores.push_back(0);
  }
  auto tokenizer = Tokenizer::create(std::move(vocabulary));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().to_string();
  return std::move(*tokenizer);
}

std::string written(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens) {
  return tokenizer.decode(tokens, {.keep_control = true, .at_start = false});
}

TEST(FillIn, NeedsAllThreeTokens) {
  EXPECT_FALSE(can_fill_in(*with_tokens("byte_pairs", {})));
  EXPECT_FALSE(can_fill_in(*with_tokens("byte_pairs", {"<|fim_prefix|>", "<|fim_suffix|>"})));
  EXPECT_TRUE(can_fill_in(*with_tokens("byte_pairs", {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"})));
}

TEST(FillIn, WritesWhatTheFamiliesWereTrainedWith) {
  const std::vector<std::vector<std::string>> families = {{"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},
                                                          {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},
                                                          {"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"}};
  for (const auto& names : families) {
    const auto tokenizer = with_tokens("byte_pairs", names);
    ASSERT_TRUE(can_fill_in(*tokenizer)) << names[0];
    const auto prompt = fill_in_prompt(*tokenizer, fill_in_prefix(*tokenizer, "def f(x):\n"), "\n  return y");
    EXPECT_EQ(written(*tokenizer, prompt), names[0] + "def f(x):\n" + names[1] + "\n  return y" + names[2]);
  }
}

TEST(FillIn, ASuffixBeginsNoText) {
  const auto tokenizer = with_tokens("sentencepiece", {"▁<PRE>", "▁<SUF>", "▁<MID>"});
  ASSERT_TRUE(can_fill_in(*tokenizer));
  ASSERT_TRUE(tokenizer->adds_space_prefix());
  for (const std::string suffix : {"Hello", " Hello", "\nHello", "", "\u263a", "\u4e2d"}) {
    const auto prompt = fill_in_prompt(*tokenizer, fill_in_prefix(*tokenizer, "Hello"), suffix);
    const std::string bos = tokenizer->adds_bos() ? std::string(tokenizer->token_text(tokenizer->bos())) : "";
    EXPECT_EQ(written(*tokenizer, prompt), bos + "▁<PRE> Hello▁<SUF>" + suffix + "▁<MID>");
  }
}

TEST(FillIn, NamesOfControlTokensAreText) {
  const auto tokenizer = with_tokens("byte_pairs", {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"});
  const auto prompt =
      fill_in_prompt(*tokenizer, fill_in_prefix(*tokenizer, "<|fim_suffix|>"), "<|fim_middle|><|fim_prefix|>");
  EXPECT_EQ(std::count(prompt.begin(), prompt.end(), tokenizer->fim().prefix), 1);
  EXPECT_EQ(std::count(prompt.begin(), prompt.end(), tokenizer->fim().suffix), 1);
  EXPECT_EQ(std::count(prompt.begin(), prompt.end(), tokenizer->fim().middle), 1);
}

}  // namespace
}  // namespace ingle
