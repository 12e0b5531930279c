#include "chat_prompt.h"

#include <utility>

namespace ingle {

Result<std::vector<TokenId>> chat_tokens(const ChatPrompt& prompt, const std::vector<ChatMessage>& messages) {
  jinja::Items items;
  for (const ChatMessage& message : messages) {
    items.push_back(jinja::Value::dict({{jinja::Value::string("role"), jinja::Value::string(message.role)},
                                        {jinja::Value::string("content"), jinja::Value::string(message.content)}}));
  }
  ChatInput input;
  input.messages = jinja::Value::list(std::move(items));
  return prompt.tokens(std::move(input));
}

}  // namespace ingle
