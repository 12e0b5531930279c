#include "chat_prompt.h"

#include <utility>

#include "text/jinja_value.h"

namespace ingle {
std::vector<std::pair<std::string, jinja::Value>> template_tokens(const Tokenizer& tokenizer) {
  const auto text = [&](TokenId id) {
    return jinja::Value::string(std::string(id == kNoToken ? "" : tokenizer.token_text(id)));
  };
  return {{"bos_token", text(tokenizer.bos())},
          {"eos_token", text(tokenizer.eos())},
          {"unk_token", text(tokenizer.unknown())},
          {"pad_token", text(tokenizer.pad())}};
}

Result<ChatPrompt> ChatPrompt::create(const Engine& engine) {
  ASSIGN_OR_RETURN(ChatTemplate chat_template, ChatTemplate::parse(engine.info().chat_template));
  return ChatPrompt(engine.tokenizer(), std::move(chat_template));
}

Result<std::vector<TokenId>> ChatPrompt::tokens(const std::vector<ChatMessage>& messages) const {
  jinja::Items items;
  for (const ChatMessage& message : messages) {
    items.push_back(jinja::Value::dict({{jinja::Value::string("role"), jinja::Value::string(message.role)},
                                        {jinja::Value::string("content"), jinja::Value::string(message.content)}}));
  }
  ChatInput input;
  input.messages = jinja::Value::list(std::move(items));
  input.variables = template_tokens(*tokenizer_);
  ASSIGN_OR_RETURN(const std::string text, template_.render(input));
  std::vector<TokenId> tokens = tokenizer_->encode(text, {.add_special = false});
  const bool begun = !tokens.empty() && tokens.front() == tokenizer_->bos();
  if (tokenizer_->adds_bos() && !begun) tokens.insert(tokens.begin(), tokenizer_->bos());
  return tokens;
}

}  // namespace ingle
