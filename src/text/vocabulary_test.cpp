#include "text/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "text/testdata.h"
#include "text/tokenizer.h"

namespace ingle {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Vocabulary byte_pairs() {
  Vocabulary vocabulary = test_vocabulary("byte_pairs");
  vocabulary.pre = "gpt-2";
  return vocabulary;
}

void expect_error(Vocabulary vocabulary, ErrorCode code, const testing::Matcher<std::string>& message) {
  const auto tokenizer = Tokenizer::create(std::move(vocabulary));
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_EQ(tokenizer.error().code, code);
  EXPECT_THAT(tokenizer.error().message, message);
}

TEST(Vocabulary, ReadsWhatTheFileSays) {
  const Vocabulary v = test_vocabulary("sentencepiece");
  EXPECT_EQ(v.kind, VocabularyKind::kSentencePiece);
  EXPECT_EQ(v.tokens.size(), 700u);
  EXPECT_EQ(v.scores.size(), 700u);
  EXPECT_EQ(v.types[0], TokenType::kUnknown);
  EXPECT_EQ(v.types[1], TokenType::kControl);
  EXPECT_EQ(v.bos, 1);
  EXPECT_EQ(v.eos, 2);
  EXPECT_EQ(v.unknown, 0);
  EXPECT_EQ(v.separator, kNoToken);
  EXPECT_EQ(test_vocabulary("wordpiece").bos, 2);  // by BERT's name for it
}

TEST(Vocabulary, KindsByName) {
  EXPECT_EQ(*vocabulary_kind("gemma4"), VocabularyKind::kCharacterPairs);
  for (const char* name : {"t5", "rwkv", "plamo2", "no_vocab", ""}) {
    const auto kind = vocabulary_kind(name);
    ASSERT_FALSE(kind.ok()) << name;
    EXPECT_EQ(kind.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(kind.error().remedy, AllOf(HasSubstr("gpt2"), HasSubstr("llama"), HasSubstr("bert")));
  }
}

TEST(Vocabulary, RefusesAnEmptyOne) { expect_error({}, ErrorCode::kInvalidData, HasSubstr("tokenizer.ggml.tokens")); }

TEST(Vocabulary, RefusesCountsThatDiffer) {
  Vocabulary v = byte_pairs();
  v.types.pop_back();
  expect_error(v, ErrorCode::kInvalidData, HasSubstr("tokenizer.ggml.token_type"));
  v = byte_pairs();
  v.scores.assign(3, 0.0f);
  expect_error(v, ErrorCode::kInvalidData, HasSubstr("tokenizer.ggml.scores: 3 values"));
  v.scores.assign(v.tokens.size(), 0.0f);
  v.scores[7] = std::nanf("");
  expect_error(v, ErrorCode::kInvalidData, HasSubstr("score 7"));
}

TEST(Vocabulary, RefusesDuplicates) {
  Vocabulary v = byte_pairs();
  v.tokens[500] = v.tokens[400];
  v.merges.clear();
  expect_error(v, ErrorCode::kInvalidData, AllOf(HasSubstr("token 500"), HasSubstr("token 400")));
}

TEST(Vocabulary, RefusesIdsOutside) {
  Vocabulary v = byte_pairs();
  v.eos = static_cast<TokenId>(v.tokens.size());
  expect_error(v, ErrorCode::kInvalidData, HasSubstr("outside the vocabulary"));
  v.eos = -2;
  expect_error(v, ErrorCode::kInvalidData, HasSubstr("outside the vocabulary"));
}

TEST(Vocabulary, RefusesMergesThatMakeNoSense) {
  Vocabulary v = byte_pairs();
  v.merges[3] = "a \u00fe\u00fe\u00fe";
  expect_error(v, ErrorCode::kInvalidData, AllOf(HasSubstr("merge 3"), HasSubstr("lacks")));
  for (const char* merge : {"", " ", "a", "a ", " a"}) {
    v.merges[3] = merge;
    expect_error(v, ErrorCode::kInvalidData, HasSubstr("merge 3"));
  }
  v.merges.clear();
  expect_error(v, ErrorCode::kInvalidData, HasSubstr("tokenizer.ggml.merges: missing"));
}

TEST(Vocabulary, RefusesUnknownPreTokenizers) {
  Vocabulary v = byte_pairs();
  v.pre = "nonesuch";
  expect_error(v, ErrorCode::kUnsupported, HasSubstr("nonesuch"));
}

TEST(Vocabulary, WarnsOfAMissingPreTokenizer) {
  Vocabulary v = byte_pairs();
  v.pre.clear();
  const auto tokenizer = Tokenizer::create(v);
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_THAT((*tokenizer)->warnings(), testing::Contains(HasSubstr("tokenizer.ggml.pre")));
}

}  // namespace
}  // namespace ingle
