// Any bytes as a chat template and what it is rendered with: the template, a line of "====", and a JSON object with the
// messages, tools, documents and further variables (without it, a short conversation). It renders, or is refused with
// one line; within its limits, and the same text each time.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "text/chat_template.h"
#include "text/json_value.h"
#include "text/utf8.h"

using namespace ingle;

namespace {

constexpr std::string_view kSeparator = "\n====\n";
constexpr std::string_view kConversation = R"({
  "messages": [
    {"role": "system", "content": "s"},
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]},
    {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"x": [1.5]}}}]},
    {"role": "tool", "content": "\u00e9 <b>"}],
  "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
  "enable_thinking": true})";

// Small enough that an input which spends all of it takes well under a second, under a sanitizer too.
TemplateLimits small_limits() {
  TemplateLimits limits;
  limits.max_source_bytes = size_t{1} << 16;
  limits.max_memory_bytes = size_t{8} << 20;
  limits.max_output_bytes = size_t{1} << 20;
  limits.max_steps = 200'000;
  return limits;
}

std::tm fixed_time() {
  std::tm now{};
  now.tm_year = 124;
  now.tm_mday = 1;
  return now;
}

void check_error(const Error& error) {
  CHECK(!error.message.empty());
  CHECK(error.message.size() < 4000);
  CHECK(error.to_string().find('\n') == std::string::npos);
}

ChatInput input_of(const jinja::Value& given) {
  ChatInput input;
  input.now = fixed_time();
  for (const auto& [key, value] : given.dict_object().entries) {
    const std::string& name = key.text();
    if (name == "messages") {
      input.messages = value;
    } else if (name == "tools") {
      input.tools = value;
    } else if (name == "documents") {
      input.documents = value;
    } else {
      input.variables.emplace_back(name, value);
    }
  }
  if (input.messages.is_missing()) input.messages = jinja::Value::list({});
  return input;
}

void check_rendering(const ChatTemplate& chat_template, const ChatInput& input, const TemplateLimits& limits) {
  const Result<std::string> text = chat_template.render(input);
  const Result<std::string> again = chat_template.render(input);
  CHECK(text.ok() == again.ok());
  if (!text.ok()) return check_error(text.error());
  CHECK(*text == *again);
  CHECK(is_valid_utf8(*text));
  CHECK(text->size() <= limits.max_output_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t cut = bytes.rfind(kSeparator);
  const std::string_view source = bytes.substr(0, cut);
  const std::string_view json = cut == std::string_view::npos ? kConversation : bytes.substr(cut + kSeparator.size());

  const Result<jinja::Value> given = parse_json(json);
  if (!given.ok()) check_error(given.error());
  const TemplateLimits limits = small_limits();
  const Result<ChatTemplate> chat_template = ChatTemplate::parse(source, limits);
  if (!chat_template.ok()) check_error(chat_template.error());
  if (!given.ok() || !chat_template.ok() || !given->is_dict()) return 0;
  check_rendering(*chat_template, input_of(*given), limits);
  return 0;
}
