#include "text/chat_prompt.h"

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

Result<ChatPrompt> ChatPrompt::create(std::string_view template_source, const Tokenizer& tokenizer) {
  ASSIGN_OR_RETURN(ChatTemplate chat_template, ChatTemplate::parse(template_source));
  return ChatPrompt(tokenizer, std::move(chat_template));
}

Result<std::vector<TokenId>> ChatPrompt::tokens(ChatInput input) const {
  for (auto& variable : template_tokens(*tokenizer_)) input.variables.push_back(std::move(variable));
  ASSIGN_OR_RETURN(const std::string text, template_.render(input));
  std::vector<TokenId> tokens = tokenizer_->encode(text, {.add_special = false});
  const bool begun = !tokens.empty() && tokens.front() == tokenizer_->bos();
  if (tokenizer_->adds_bos() && !begun) tokens.insert(tokens.begin(), tokenizer_->bos());
  return tokens;
}

}  // namespace ingle
