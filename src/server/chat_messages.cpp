#include "server/chat_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Entries;
using jinja::Items;
using jinja::Value;

constexpr std::array<std::string_view, 5> kRoles{"system", "developer", "user", "assistant", "tool"};

// The text of a content that is a string or an array of parts; nothing is set in case of an error.
std::optional<std::string> content_text(RequestFields& fields, const std::string& where, const Value& content) {
  if (content.is_string()) return content.text();
  if (!content.is_sequence()) {
    fields.refuse(where, "must be a string or an array of parts");
    return std::nullopt;
  }
  std::string out;
  bool first = true;
  for (size_t i = 0; i < content.items().size(); i++) {
    const Value& part = content.items()[i];
    const std::string place = fmt::format("{}[{}]", where, i);
    const Value* type = part.is_dict() ? part.dict_object().find("type") : nullptr;
    if (type == nullptr || !type->is_string()) {
      fields.refuse(place, "must be an object with a type");
      return std::nullopt;
    }
    const std::string& kind = type->text();
    if (kind != "text" && kind != "refusal") {
      fields.refuse(place, "is no text: this model reads text only");
      return std::nullopt;
    }
    const Value* text = part.dict_object().find(kind);
    if (text == nullptr || !text->is_string()) {
      fields.refuse(place, "must have a string as " + kind);
      return std::nullopt;
    }
    if (!first) out += '\n';
    first = false;
    out += text->text();
  }
  return out;
}

// A call whose function.arguments is an object, if the text is one.
Value parsed_call(const Value& call) {
  const Value& function = *find_member(call, "function");
  const Value* arguments = find_member(function, "arguments");
  if (arguments == nullptr || !arguments->is_string()) return call;
  Result<Value> parsed = parse_json(arguments->text());
  if (!parsed.ok() || !parsed->is_dict()) return call;
  return with_member(call, "function", with_member(function, "arguments", std::move(parsed).value()));
}

std::optional<Value> tool_calls(RequestFields& fields, const std::string& where, const Value& calls) {
  if (!calls.is_sequence()) {
    fields.refuse(where, "must be an array");
    return std::nullopt;
  }
  Items items;
  for (const Value& call : calls.items()) {
    const Value* function = find_member(call, "function");
    const Value* name = function == nullptr ? nullptr : find_member(*function, "name");
    if (name == nullptr || !name->is_string()) {
      fields.refuse(where, "must be an array of calls, each with a function that has a name");
      return std::nullopt;
    }
    items.push_back(parsed_call(call));
  }
  return Value::list(std::move(items));
}

// Templates ask whether a member is there: clients send null for one that is not.
Value without_nulls(const Value& message) {
  Entries entries;
  for (const auto& [key, value] : message.dict_object().entries) {
    const bool nothing =
        value.is_none() || (key.text() == "tool_calls" && value.is_sequence() && value.items().empty());
    if (!nothing) entries.emplace_back(key, value);
  }
  return Value::dict(std::move(entries));
}

std::optional<Value> message(RequestFields& fields, const std::string& where, const Value& given) {
  if (!given.is_dict()) {
    fields.refuse(where, "must be an object");
    return std::nullopt;
  }
  const Value* role = find_member(given, "role");
  if (role == nullptr || !role->is_string() || std::find(kRoles.begin(), kRoles.end(), role->text()) == kRoles.end()) {
    fields.refuse(where + ".role", "must be system, developer, user, assistant or tool");
    return std::nullopt;
  }
  Value out = without_nulls(given);
  if (role->text() == "developer") out = with_member(out, "role", Value::string("system"));
  if (const Value* content = find_member(given, "content")) {
    std::optional<std::string> text = content_text(fields, where + ".content", *content);
    if (!text) return std::nullopt;
    out = with_member(out, "content", Value::string(std::move(*text)));
  } else if (role->text() == "assistant") {
    out = with_member(out, "content", Value::string(""));
  } else {
    fields.refuse(where + ".content", "is missing");
    return std::nullopt;
  }
  // Some servers call the reasoning of earlier answers so.
  const Value* other_name = find_member(given, "reasoning");
  const Value* reasoning = find_member(given, "reasoning_content");
  if (reasoning == nullptr && other_name != nullptr && other_name->is_string()) {
    out = with_member(out, "reasoning_content", *other_name);
  } else if (reasoning != nullptr && !reasoning->is_string()) {
    fields.refuse(where + ".reasoning_content", "must be a string");
    return std::nullopt;
  }
  if (const Value* calls = find_member(out, "tool_calls")) {
    std::optional<Value> parsed = tool_calls(fields, where + ".tool_calls", *calls);
    if (!parsed) return std::nullopt;
    out = with_member(out, "tool_calls", std::move(*parsed));
  }
  return out;
}

void read_messages(RequestFields& fields, ChatInput& out) {
  const Value* given = fields.find("messages");
  if (given == nullptr || !given->is_sequence() || given->items().empty()) {
    return fields.refuse("messages", "must be an array of at least one message");
  }
  Items items;
  for (size_t i = 0; i < given->items().size(); i++) {
    std::optional<Value> item = message(fields, fmt::format("messages[{}]", i), given->items()[i]);
    if (!item) return;
    items.push_back(std::move(*item));
  }
  out.messages = Value::list(std::move(items));
}

// Names that the template gets from us, and that a request may not take the place of.
bool is_ours(const std::string& name) {
  return name == "messages" || name == "tools" || name == "documents" || name == "add_generation_prompt";
}

// OpenAI's reasoning_effort and Qwen's enable_thinking, by the names that templates have for them.
void read_thinking(RequestFields& fields, ChatInput& out) {
  constexpr std::array<std::string_view, 7> kEfforts{"none", "minimal", "low", "medium", "high", "xhigh", "max"};
  std::string effort;
  fields.read("reasoning_effort", effort);
  bool thinks = effort != "none";
  fields.read("enable_thinking", thinks);
  if (!effort.empty() && std::find(kEfforts.begin(), kEfforts.end(), effort) == kEfforts.end()) {
    return fields.refuse("reasoning_effort", "must be none, minimal, low, medium, high, xhigh or max");
  }
  const Value* given = fields.find("chat_template_kwargs");
  const auto add = [&](const char* name, Value value) {
    const bool is_said_there = given != nullptr && find_member(*given, name) != nullptr;
    if (!is_said_there) out.variables.emplace_back(name, std::move(value));
  };
  if (!effort.empty()) add("reasoning_effort", Value::string(effort));
  if (!effort.empty() || fields.has("enable_thinking")) add("enable_thinking", Value(thinks));
}

}  // namespace

void read_chat_input(RequestFields& fields, ChatInput& out) {
  read_messages(fields, out);
  read_thinking(fields, out);
  const Value* more = fields.object("chat_template_kwargs");
  if (more == nullptr) return;
  for (const auto& [name, value] : more->dict_object().entries) {
    if (is_ours(name.text())) {
      return fields.refuse("chat_template_kwargs", fmt::format("may not set {}", name.text()));
    }
    out.variables.emplace_back(name.text(), value);
  }
}

}  // namespace ingle
