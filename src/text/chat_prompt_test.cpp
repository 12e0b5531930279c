#include "text/chat_prompt.h"

#include <gtest/gtest.h>

#include "text/json_value.h"
#include "text/testdata.h"

namespace ingle {
namespace {

class ChatPromptTest : public ::testing::Test {
 protected:
  ChatPromptTest() {
    Vocabulary vocabulary = test_vocabulary("byte_pairs");
    vocabulary.pre = "qwen2";
    tokenizer = std::move(*Tokenizer::create(std::move(vocabulary)));
  }

  // The prompt that goes on with the last message, or the error.
  std::string continued(const std::string& source, const std::string& messages) {
    Result<ChatPrompt> prompt = ChatPrompt::create(source, *tokenizer);
    EXPECT_TRUE(prompt.ok());
    ChatInput input;
    input.messages = std::move(*parse_json(messages));
    input.add_generation_prompt = false;
    input.continue_final_message = true;
    const Result<std::vector<TokenId>> tokens = prompt->tokens(std::move(input));
    return tokens.ok() ? tokenizer->decode(*tokens, {.keep_control = true}) : tokens.error().to_string();
  }

  std::unique_ptr<Tokenizer> tokenizer;
};

constexpr const char* kMessages = R"([{"role":"user","content":"hi"},{"role":"assistant","content":"I  think "}])";

TEST_F(ChatPromptTest, ContinuesTheLastMessageWhereItsContentEnds) {
  const char* keeps =
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>\n{% endfor %}{% if add_generation_prompt "
      "%}<assistant>{% endif %}";
  EXPECT_EQ(continued(keeps, kMessages), "<user>hi</>\n<assistant>I  think ");
  const char* trims = "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}</>\n{% endfor %}";
  EXPECT_EQ(continued(trims, kMessages), "<user>hi</>\n<assistant>I  think");
  EXPECT_EQ(continued(keeps, R"([{"role":"assistant","content":""}])"), "<assistant>");
}

TEST_F(ChatPromptTest, AContinuedMessageMayHaveItsReasoningOpen) {
  const Result<ChatPrompt> prompt =
      ChatPrompt::create("{# <think> #}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}", *tokenizer);
  ASSERT_TRUE(prompt.ok());
  const auto in_reasoning = [&](const char* content) {
    ChatInput input;
    const std::string messages = R"([{"role":"user","content":"<think>"},{"role":"assistant","content":")";
    input.messages = std::move(*parse_json(messages + content + "\"}]"));
    input.add_generation_prompt = false;
    input.continue_final_message = true;
    return prompt->render(std::move(input))->in_reasoning;
  };
  EXPECT_TRUE(in_reasoning("<think>"));
  EXPECT_TRUE(in_reasoning("\\n<think>\\nI  think "));
  EXPECT_FALSE(in_reasoning("<think>\\nI think </think> so"));
  EXPECT_FALSE(in_reasoning("I  think "));
  EXPECT_FALSE(in_reasoning("so: <think> I"));
}

TEST_F(ChatPromptTest, SaysThatALastMessageIsLeftOut) {
  EXPECT_NE(continued("{{ messages[0].content }}", kMessages).find("does not write out"), std::string::npos);
  EXPECT_NE(continued("{{ messages[0].role }}", R"([{"role":"assistant","content":[1]}])").find("does not write out"),
            std::string::npos);
}

}  // namespace
}  // namespace ingle
