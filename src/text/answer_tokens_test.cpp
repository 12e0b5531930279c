#include "text/answer_tokens.h"

#include <gtest/gtest.h>

#include <string>

#include "text/piece_tokenizer_test.h"

namespace ingle {
namespace {

using Part = AnswerTokens::Part;

AnswerParserOptions hermes() {
  AnswerParserOptions out;
  out.syntax.calls = CallFormat::kHermes;
  out.syntax.reasoning_open = "<think>";
  out.syntax.reasoning_close = "</think>";
  out.tools = {{.name = "f", .text_parameters = {}}};
  return out;
}

// A letter for each token: content, reasoning or a call (k). A bar stands where the tokens before it are settled.
std::string told(const std::vector<std::string>& answer, const AnswerParserOptions& options = hermes()) {
  const std::unique_ptr<Tokenizer> tokenizer = tokenizer_of(answer);
  AnswerTokens tokens(*tokenizer, std::make_shared<AnswerParserOptions>(options));
  std::string out;
  size_t count = 0;
  const auto add = [&](const std::vector<Part>& parts) {
    for (const Part part : parts) out += "crk?"[static_cast<int>(part)];
    count += parts.size();
    if (!parts.empty()) out += '|';
  };
  for (const std::string& piece : answer) add(tokens.push(tokenizer->find_token(piece)));
  add(tokens.finish());
  EXPECT_EQ(count, answer.size());
  return out;
}

TEST(AnswerTokens, ReasoningHasItsMarksAndTheSpaceBehindThem) {
  EXPECT_EQ(told({"<think>", "a", "b", "</think>", "\n\n", "so", "<b>", "\n", "x"}), "r|r|r|r|r|c|c|cc|");
  // Marks in pieces.
  EXPECT_EQ(told({"\n", "<", "think", ">a", "</", "think", ">", "so"}), "rrrr|r|r|r|c|");
  EXPECT_EQ(told({"<", "b>", "<think>", "x"}), "cc|c|c|");
  // The end is missing, and what ends an answer belongs to its last part.
  EXPECT_EQ(told({"<think>", "a", "</th"}), "r|r|r|");
  EXPECT_EQ(told({"<think>", "a", "<eos>"}), "r|r|r|");
  AnswerParserOptions begun = hermes();
  begun.in_reasoning = true;
  EXPECT_EQ(told({"a", "</think>", "b"}, begun), "r|r|c|");
  EXPECT_EQ(told({"</think>", "b", "<think>"}, begun), "r|c|c|");
}

TEST(AnswerTokens, CallsHaveTheirMarks) {
  const std::string call = "{\"name\":\"f\"";
  EXPECT_EQ(told({"I", "\n", "<tool", "_call>", call, "}", "\n", "</tool", "_call>", "\n", "so"}), "c|kkkkk|k|kk|k|c|");
  EXPECT_EQ(told({"<tool_call>", call, "}", "</tool_call>", "\n", "<tool_call>", call, "}", "</tool_call>", "<eos>"}),
            "kkk|k|k|kkk|k|k|");
  EXPECT_EQ(told({"<think>", "a", "</think>", "<tool_call>", call, "}"}), "r|r|r|kkk|");
  // The token before it says something, and ends in what may be the call's.
  EXPECT_EQ(told({"I", ":\n", "<tool_call>", call, "}", "</tool_call>"}), "c|ckkk|k|");
  // None after all.
  EXPECT_EQ(told({"<tool_call>", "no", "x"}), "cc|c|");
  EXPECT_EQ(told({"<tool_call>", call}), "cc|");
  EXPECT_EQ(told({"{", "\"a\":", "1"}), "cc|c|");
}

TEST(AnswerTokens, WithoutAnythingToFindAllIsContent) {
  EXPECT_EQ(told({"<think>", " ", "a", "\n", "<tool_call>"}, {}), "c|c|c|c|c|");
  EXPECT_EQ(told({}, {}), "");
}

TEST(AnswerTokens, TheMarksMayBeControlTokens) {
  AnswerParserOptions options = hermes();
  options.syntax.reasoning_tokens = {7, 8};
  options.syntax.call_tokens = {9};
  EXPECT_EQ(shown_control(options), (std::vector<TokenId>{7, 8, 9}));
  options.tools.clear();
  EXPECT_EQ(shown_control(options), (std::vector<TokenId>{7, 8}));
}

}  // namespace
}  // namespace ingle
