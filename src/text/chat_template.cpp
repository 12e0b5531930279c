#include "text/chat_template.h"

#include <algorithm>

#include "text/jinja_interpreter.h"
#include "text/jinja_parser.h"
#include "text/jinja_unicode.h"

namespace ingle {

using jinja::Value;

namespace {

constexpr size_t kMaxMessageBytes = 2000;

// One line, whatever the template put into its message.
Error to_error(const jinja::TemplateError& e) {
  std::string message = e.message.substr(0, kMaxMessageBytes);
  std::replace_if(
      message.begin(), message.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  const std::string where = e.line > 0 ? "chat template, line " + std::to_string(e.line) : "chat template";
  return {e.code, where + ": " + message, ""};
}

}  // namespace

Result<ChatTemplate> ChatTemplate::parse(std::string_view source, const TemplateLimits& limits) {
  if (source.size() > limits.max_source_bytes) {
    return Error{ErrorCode::kResourceExhausted,
                 "chat template: longer than " + std::to_string(limits.max_source_bytes) + " bytes", ""};
  }
  if (!jinja::is_valid_utf8(source)) return Error{ErrorCode::kInvalidData, "chat template: not UTF-8 text", ""};
  try {
    return ChatTemplate(std::make_shared<const jinja::Program>(jinja::parse_template(source)), limits);
  } catch (const jinja::TemplateError& e) {
    return to_error(e);
  }
}

Result<std::string> ChatTemplate::render(const ChatInput& input) const {
  try {
    jinja::Entries variables = {
        {Value::string("messages"), input.messages},
        {Value::string("tools"), input.tools},
        {Value::string("documents"), input.documents},
        {Value::string("add_generation_prompt"), input.add_generation_prompt},
    };
    for (const auto& [name, value] : input.variables) variables.emplace_back(Value::string(name), value);
    return render(Value::dict(std::move(variables)), input.now);
  } catch (const jinja::TemplateError& e) {
    return to_error(e);
  }
}

Result<std::string> ChatTemplate::render(const Value& variables, const std::optional<std::tm>& now) const {
  CHECK(variables.is_dict());
  jinja::Budget budget(limits_.max_memory_bytes, limits_.max_steps);
  try {
    jinja::Interpreter interpreter(*program_, variables, &budget, limits_.max_output_bytes);
    interpreter.now = now;
    std::string text = interpreter.run();
    // A template can put half a surrogate pair into a string, but no text that a tokenizer reads may have one.
    if (!jinja::is_valid_utf8(text)) {
      return Error{ErrorCode::kInvalidArgument, "chat template: it wrote half of a surrogate pair, which is no text",
                   ""};
    }
    return text;
  } catch (const jinja::TemplateError& e) {
    return to_error(e);
  }
}

}  // namespace ingle
