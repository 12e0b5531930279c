#include "server/chat_continuation.h"

#include <fmt/format.h>

namespace ingle {
namespace {

using jinja::Kind;
using jinja::Value;

bool is_prefix(const Value& message) {
  const Value* prefix = message.dict_object().find("prefix");
  return prefix != nullptr && prefix->is(Kind::kBool) && prefix->as_bool();
}

bool is_of_assistant(const Value& message) { return message.dict_object().find("role")->text() == "assistant"; }

bool has_calls(const Value& message) {
  const Value* calls = message.dict_object().find("tool_calls");
  return calls != nullptr && calls->is_sequence() && !calls->items().empty();
}

}  // namespace

void read_continuation(RequestFields& fields, ChatInput& out) {
  bool continues = false;
  fields.read("continue_final_message", continues);
  if (fields.error()) return;
  const jinja::Items& messages = out.messages.items();
  for (size_t i = 0; i < messages.size(); i++) {
    if (!is_prefix(messages[i])) continue;
    if (i + 1 < messages.size() || !is_of_assistant(messages[i])) {
      return fields.refuse(fmt::format("messages[{}].prefix", i),
                           "may only be true in a last message of the assistant");
    }
    continues = true;
  }
  out.add_generation_prompt = !continues;
  fields.read("add_generation_prompt", out.add_generation_prompt);
  if (!continues) return;
  if (out.add_generation_prompt) {
    return fields.refuse("add_generation_prompt", "must be false where the last message is continued");
  }
  if (!is_of_assistant(messages.back()) || has_calls(messages.back())) {
    return fields.refuse("continue_final_message", "needs a last message of the assistant, without tool calls");
  }
  out.continue_final_message = true;
}

}  // namespace ingle
