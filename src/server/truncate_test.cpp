#include "server/truncate.h"

#include <gtest/gtest.h>

#include <numeric>

#include "text/json_value.h"

namespace ingle {
namespace {

// 0 is <s>, 1 is </s>, the others are letters.
std::unique_ptr<Tokenizer> letters(bool add_bos) {
  Vocabulary vocabulary;
  vocabulary.kind = VocabularyKind::kSentencePiece;
  vocabulary.tokens = {"<s>", "</s>"};
  vocabulary.types = {TokenType::kControl, TokenType::kControl};
  for (char letter = 'a'; letter <= 'z'; letter++) {
    vocabulary.tokens.emplace_back(1, letter);
    vocabulary.types.push_back(TokenType::kNormal);
  }
  vocabulary.scores.assign(vocabulary.tokens.size(), 0.0f);
  vocabulary.bos = 0;
  vocabulary.eos = 1;
  vocabulary.add_bos = add_bos;
  return std::move(*Tokenizer::create(std::move(vocabulary)));
}

TruncateOptions options(const std::string& json) {
  const jinja::Value body = std::move(*parse_json(json));
  RequestFields fields(body);
  TruncateOptions out;
  read_truncate_options(fields, out);
  EXPECT_FALSE(fields.error()) << fields.error()->message;
  return out;
}

std::vector<TokenId> cut(const std::string& json, bool add_bos, size_t size, uint32_t context, uint32_t max_tokens) {
  std::vector<TokenId> prompt(size);
  std::iota(prompt.begin(), prompt.end(), 0);
  const bool was_cut = truncate_prompt(options(json), *letters(add_bos), context, max_tokens, prompt);
  EXPECT_EQ(was_cut, prompt.size() != size);
  return prompt;
}

TEST(Truncate, NothingIsCutUnlessAsked) { EXPECT_EQ(cut("{}", true, 20, 10, 5).size(), 20u); }

TEST(Truncate, KeepsTheEndAndTheBeginningToken) {
  EXPECT_EQ(cut(R"({"truncate_prompt_tokens":3})", false, 20, 100, 5), (std::vector<TokenId>{17, 18, 19}));
  EXPECT_EQ(cut(R"({"truncate_prompt_tokens":3})", true, 20, 100, 5), (std::vector<TokenId>{0, 18, 19}));
  EXPECT_EQ(cut(R"({"truncate_prompt_tokens":1})", true, 20, 100, 5), (std::vector<TokenId>{19}));
  EXPECT_EQ(cut(R"({"truncate_prompt_tokens":20})", true, 20, 100, 5).size(), 20u);
}

TEST(Truncate, LeavesRoomForTheAnswer) {
  for (const char* json : {R"({"truncate":true})", R"({"truncate_prompt_tokens":-1})"}) {
    EXPECT_EQ(cut(json, true, 20, 16, 3).size(), 13u);
    EXPECT_EQ(cut(json, true, 20, 16, 1).size(), 15u);
    EXPECT_EQ(cut(json, true, 20, 16, 0).size(), 12u);
    EXPECT_EQ(cut(json, true, 20, 16, 1000).size(), 12u);
    EXPECT_EQ(cut(json, true, 20, 1, 7).size(), 1u);
    EXPECT_EQ(cut(json, true, 20, 100, 5).size(), 20u);
    EXPECT_EQ(cut(json, true, 20, 21, 1000).size(), 20u) << "it fits";
    EXPECT_EQ(cut(json, true, 20, 20, 1000).size(), 15u);
  }
  EXPECT_EQ(cut(R"({"truncate":true,"truncate_prompt_tokens":18})", true, 20, 16, 3).size(), 13u);
}

TEST(Truncate, RefusesWhatIsNoNumberOfTokens) {
  for (const char* json : {R"({"truncate_prompt_tokens":0})", R"({"truncate_prompt_tokens":-2})",
                           R"({"truncate_prompt_tokens":"x"})", R"({"truncate":1})"}) {
    const jinja::Value body = std::move(*parse_json(json));
    RequestFields fields(body);
    TruncateOptions out;
    read_truncate_options(fields, out);
    EXPECT_TRUE(fields.error()) << json;
  }
}

}  // namespace
}  // namespace ingle
