// Ids against those of the official implementations, on the vocabularies and texts of testdata/.
#include <gtest/gtest.h>

#include "text/testdata.h"
#include "text/tokenizer.h"

namespace ingle {
namespace {

void expect_golden(Vocabulary vocabulary, const std::string& golden) {
  SCOPED_TRACE(golden);
  auto tokenizer = Tokenizer::create(std::move(vocabulary));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().to_string();
  const auto expected = golden_ids(golden);
  const auto& texts = golden_texts();
  for (size_t i = 0; i < texts.size(); ++i) {
    if (expected[i] == std::vector<TokenId>{-1}) continue;  // the official implementation has no such case
    EXPECT_EQ((*tokenizer)->encode(texts[i], {.add_special = false}), expected[i]) << "text " << i << ": " << texts[i];
  }
}

class BytePairs : public testing::TestWithParam<std::string> {};

TEST_P(BytePairs, AsHuggingFace) {
  Vocabulary vocabulary = test_vocabulary("byte_pairs");
  vocabulary.pre = GetParam();
  expect_golden(std::move(vocabulary), "byte_pairs." + GetParam() + ".ids");
}

INSTANTIATE_TEST_SUITE_P(TokenizerGolden, BytePairs, testing::Values("gpt-2", "llama-bpe", "qwen2", "deepseek-v3"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(TokenizerGolden, CharacterPairs) { expect_golden(test_vocabulary("character_pairs"), "character_pairs.ids"); }

TEST(TokenizerGolden, SentencePieceWithPrefix) {
  expect_golden(test_vocabulary("sentencepiece"), "sentencepiece.prefix.ids");
}

TEST(TokenizerGolden, SentencePieceWithoutPrefix) {
  Vocabulary vocabulary = test_vocabulary("sentencepiece");
  vocabulary.add_space_prefix = false;
  expect_golden(std::move(vocabulary), "sentencepiece.plain.ids");
}

TEST(TokenizerGolden, SentencePieceWithSingleSpaces) {
  Vocabulary vocabulary = test_vocabulary("sentencepiece");
  vocabulary.add_space_prefix = false;
  vocabulary.remove_extra_spaces = true;
  expect_golden(std::move(vocabulary), "sentencepiece.single_spaces.ids");
}

// The golden ids have [CLS] and [SEP] around them.
TEST(TokenizerGolden, WordPiece) {
  for (const bool lowercase : {true, false}) {
    Vocabulary vocabulary = test_vocabulary("wordpiece");
    vocabulary.lowercase = lowercase;
    expect_golden(std::move(vocabulary), lowercase ? "wordpiece.uncased.ids" : "wordpiece.cased.ids");
  }
}

}  // namespace
}  // namespace ingle
