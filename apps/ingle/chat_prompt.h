// From messages to the tokens of a prompt, by the model's chat template.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "text/chat_template.h"

namespace ingle {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string content;
};

// The variables by which templates know a model's own tokens: bos_token, eos_token, ...
std::vector<std::pair<std::string, jinja::Value>> template_tokens(const Tokenizer& tokenizer);

class ChatPrompt {
 public:
  // Of the engine's model, which must have a template; the engine must outlive it. Errors: the template's.
  static Result<ChatPrompt> create(const Engine& engine);

  // The prompt that asks for the next answer. It begins with the model's BOS once, whether the template writes it or
  // not.
  Result<std::vector<TokenId>> tokens(const std::vector<ChatMessage>& messages) const;

 private:
  ChatPrompt(const Tokenizer& tokenizer, ChatTemplate chat_template)
      : tokenizer_(&tokenizer), template_(std::move(chat_template)) {}
  const Tokenizer* tokenizer_;
  ChatTemplate template_;
};

}  // namespace ingle
