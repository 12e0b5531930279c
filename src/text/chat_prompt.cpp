#include "text/chat_prompt.h"

#include "base/check.h"

namespace ingle {
namespace {

// Stands behind the content that is to be continued while the template writes it. The space tells whether the template
// takes spaces off the ends of a content: then they are not the model's to see either.
constexpr std::string_view kEndMark = "ENDOFFINALMESSAGE7c1f4e0b ";

jinja::Value marked(const jinja::Value& messages) {
  jinja::Items items = messages.items();
  jinja::Entries last = items.back().dict_object().entries;
  for (auto& [key, value] : last) {
    if (key.text() != "content" || !value.is_string()) continue;
    value = jinja::Value::string(value.text() + std::string(kEndMark));
  }
  items.back() = jinja::Value::dict(std::move(last));
  return jinja::Value::list(std::move(items));
}

// Of the last message, where it is text.
std::string last_content(const jinja::Value& messages) {
  const jinja::Value* content = messages.items().back().dict_object().find("content");
  return content != nullptr && content->is_string() ? content->text() : "";
}

Result<std::string> up_to_mark(std::string text) {
  const std::string_view mark = kEndMark.substr(0, kEndMark.size() - 1);
  const size_t at = text.rfind(mark);
  if (at == std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, "the model's chat template does not write out the last message",
                 "it can't be continued; ask for a new one"};
  }
  const bool keeps_spaces = std::string_view(text).substr(at).starts_with(kEndMark);
  text.resize(at);
  if (!keeps_spaces) text.resize(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

}  // namespace

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
  TemplateTools tools = TemplateTools::probe(chat_template, template_tokens(tokenizer));
  AnswerSyntax syntax = find_answer_syntax(template_source, tokenizer);
  return ChatPrompt(tokenizer, std::move(chat_template), std::move(syntax), std::move(tools));
}

Result<std::string> ChatPrompt::text(ChatInput input) const {
  RETURN_IF_ERROR(tools_.prepare(input));
  for (auto& variable : template_tokens(*tokenizer_)) input.variables.push_back(std::move(variable));
  if (!input.continue_final_message) return template_.render(input);
  CHECK(!input.add_generation_prompt);
  input.messages = marked(input.messages);
  ASSIGN_OR_RETURN(std::string text, template_.render(input));
  return up_to_mark(std::move(text));
}

Result<ChatPrompt::Rendered> ChatPrompt::render(ChatInput input) const {
  const std::string continued = input.continue_final_message ? last_content(input.messages) : "";
  ASSIGN_OR_RETURN(const std::string rendered, text(std::move(input)));
  Rendered out;
  out.tokens = tokenizer_->encode(rendered, {.add_special = false});
  const bool begun = !out.tokens.empty() && out.tokens.front() == tokenizer_->bos();
  if (tokenizer_->adds_bos() && !begun) out.tokens.insert(out.tokens.begin(), tokenizer_->bos());
  out.in_reasoning = syntax_.opens_reasoning(rendered) || syntax_.is_in_reasoning(continued);
  return out;
}

Result<std::vector<TokenId>> ChatPrompt::tokens(ChatInput input) const {
  ASSIGN_OR_RETURN(Rendered rendered, render(std::move(input)));
  return std::move(rendered.tokens);
}

}  // namespace ingle
