// From a conversation to the tokens of a prompt, by the model's chat template. Immutable: any number of threads may use
// one at a time.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace ingle {

// The variables by which templates know a model's own tokens: bos_token, eos_token, ...
std::vector<std::pair<std::string, jinja::Value>> template_tokens(const Tokenizer& tokenizer);

class ChatPrompt {
 public:
  // The tokenizer must outlive it. Errors: the template's.
  static Result<ChatPrompt> create(std::string_view template_source, const Tokenizer& tokenizer);

  // The prompt for what `input` says; template_tokens() are added to its variables. It begins with the model's BOS
  // once, whether the template writes it or not. Errors: the template's; kInvalidArgument if the last message is to be
  // continued and the template does not write it out.
  Result<std::vector<TokenId>> tokens(ChatInput input) const;

 private:
  ChatPrompt(const Tokenizer& tokenizer, ChatTemplate chat_template)
      : tokenizer_(&tokenizer), template_(std::move(chat_template)) {}
  Result<std::string> text(ChatInput input) const;

  const Tokenizer* tokenizer_;
  ChatTemplate template_;
};

}  // namespace ingle
