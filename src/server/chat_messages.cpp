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
    const Value* text = part.is_dict() ? part.dict_object().find("text") : nullptr;
    if (type == nullptr || !type->is_string()) {
      fields.refuse(place, "must be an object with a type");
      return std::nullopt;
    }
    if (type->text() != "text") {
      fields.refuse(place, "is no text: this model reads text only");
      return std::nullopt;
    }
    if (text == nullptr || !text->is_string()) {
      fields.refuse(place, "must have a string as text");
      return std::nullopt;
    }
    if (!first) out += '\n';
    first = false;
    out += text->text();
  }
  return out;
}

Value with(const Value& dict, std::string_view key, Value value) {
  Entries entries = dict.dict_object().entries;
  entries.emplace_back(Value::string(std::string(key)), std::move(value));
  return Value::dict(std::move(entries));
}

// A call whose function.arguments is an object, if the text is one.
Value parsed_call(const Value& call) {
  const Value* function = call.is_dict() ? call.dict_object().find("function") : nullptr;
  const Value* arguments =
      function != nullptr && function->is_dict() ? function->dict_object().find("arguments") : nullptr;
  if (arguments == nullptr || !arguments->is_string()) return call;
  Result<Value> parsed = parse_json(arguments->text());
  if (!parsed.ok() || !parsed->is_dict()) return call;
  return with(call, "function", with(*function, "arguments", std::move(parsed).value()));
}

std::optional<Value> tool_calls(RequestFields& fields, const std::string& where, const Value& calls) {
  if (!calls.is_sequence()) {
    fields.refuse(where, "must be an array");
    return std::nullopt;
  }
  Items items;
  for (const Value& call : calls.items()) {
    if (!call.is_dict()) {
      fields.refuse(where, "must be an array of objects");
      return std::nullopt;
    }
    items.push_back(parsed_call(call));
  }
  return Value::list(std::move(items));
}

std::optional<Value> message(RequestFields& fields, const std::string& where, const Value& given) {
  if (!given.is_dict()) {
    fields.refuse(where, "must be an object");
    return std::nullopt;
  }
  const Value* role = given.dict_object().find("role");
  if (role == nullptr || !role->is_string() || std::find(kRoles.begin(), kRoles.end(), role->text()) == kRoles.end()) {
    fields.refuse(where + ".role", "must be system, developer, user, assistant or tool");
    return std::nullopt;
  }
  const bool assistant = role->text() == "assistant";
  const Value* content = given.dict_object().find("content");
  const Value* calls = given.dict_object().find("tool_calls");
  Value out = given;
  if (role->text() == "developer") out = with(out, "role", Value::string("system"));
  if (content != nullptr && !content->is_none()) {
    std::optional<std::string> text = content_text(fields, where + ".content", *content);
    if (!text) return std::nullopt;
    out = with(out, "content", Value::string(std::move(*text)));
  } else if (assistant) {
    out = with(out, "content", Value::string(""));
  } else {
    fields.refuse(where + ".content", "is missing");
    return std::nullopt;
  }
  if (calls != nullptr && !calls->is_none()) {
    std::optional<Value> parsed = tool_calls(fields, where + ".tool_calls", *calls);
    if (!parsed) return std::nullopt;
    out = with(out, "tool_calls", std::move(*parsed));
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

// An answer without the tool calls that were asked for would not be what was asked for.
void refuse_tools(RequestFields& fields) {
  const Value* tools = fields.find("tools");
  const Value* choice = fields.find("tool_choice");
  for (const char* name : {"functions", "function_call"}) {
    if (fields.has(name)) return fields.refuse(name, "is not supported: this server gives no tool calls");
  }
  if (tools != nullptr && !(tools->is_sequence() && tools->items().empty())) {
    return fields.refuse("tools", "are not supported: this server gives no tool calls");
  }
  if (choice != nullptr && !(choice->is_string() && (choice->text() == "auto" || choice->text() == "none"))) {
    fields.refuse("tool_choice", "asks for tool calls, which are not supported");
  }
}

// Names that the template gets from us, and that a request may not take the place of.
bool is_ours(const std::string& name) {
  return name == "messages" || name == "tools" || name == "documents" || name == "add_generation_prompt";
}

}  // namespace

void read_chat_input(RequestFields& fields, ChatInput& out) {
  read_messages(fields, out);
  refuse_tools(fields);
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
