// From a conversation to the tokens of a prompt, by the model's chat template. Immutable: any number of threads may use
// one at a time.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/answer_syntax.h"
#include "text/chat_template.h"
#include "text/template_tools.h"
#include "text/tokenizer.h"

namespace ingle {

// The variables by which templates know a model's own tokens: bos_token, eos_token, ...
std::vector<std::pair<std::string, jinja::Value>> template_tokens(const Tokenizer& tokenizer);

class ChatPrompt {
 public:
  // The tokenizer must outlive it. Errors: the template's.
  static Result<ChatPrompt> create(std::string_view template_source, const Tokenizer& tokenizer);

  struct Rendered {
    std::vector<TokenId> tokens;
    // The answer begins within its reasoning: the prompt ends with the mark that opens it, or with a message that is to
    // be continued and has not closed it.
    bool in_reasoning = false;
  };
  // The prompt for what `input` says; template_tokens() are added to its variables. It begins with the model's BOS
  // once, whether the template writes it or not. Tools, and calls in the messages, are as TemplateTools::prepare takes
  // them. Errors: the template's; kInvalidArgument if the last message is to be continued and the template does not
  // write it out.
  Result<Rendered> render(ChatInput input) const;
  Result<std::vector<TokenId>> tokens(ChatInput input) const;

  // How the model writes its answers.
  const AnswerSyntax& syntax() const { return syntax_; }

 private:
  ChatPrompt(const Tokenizer& tokenizer, ChatTemplate chat_template, AnswerSyntax syntax, TemplateTools tools)
      : tokenizer_(&tokenizer),
        template_(std::move(chat_template)),
        syntax_(std::move(syntax)),
        tools_(std::move(tools)) {}
  Result<std::string> text(ChatInput input) const;

  const Tokenizer* tokenizer_;
  ChatTemplate template_;
  AnswerSyntax syntax_;
  TemplateTools tools_;
};

}  // namespace ingle
