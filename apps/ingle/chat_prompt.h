// From messages of plain text to the tokens of a prompt.
#pragma once

#include <string>
#include <vector>

#include "text/chat_prompt.h"

namespace ingle {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string content;
};

// The prompt that asks for the next answer. Errors: the template's.
Result<std::vector<TokenId>> chat_tokens(const ChatPrompt& prompt, const std::vector<ChatMessage>& messages);

}  // namespace ingle
