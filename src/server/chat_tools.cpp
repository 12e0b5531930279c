#include "server/chat_tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Items;
using jinja::Value;

constexpr size_t kMaxNameBytes = 128;

bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

bool is_text(const Value* value, std::string_view text) {
  return value != nullptr && value->is_string() && value->text() == text;
}

// The parameters whose schema says that they are strings.
std::vector<std::string> text_parameters(const Value& schema) {
  std::vector<std::string> names;
  const Value* properties = find_member(schema, "properties");
  if (properties == nullptr || !properties->is_dict()) return names;
  for (const auto& [name, property] : properties->dict_object().entries) {
    if (is_text(find_member(property, "type"), "string")) names.push_back(name.text());
  }
  return names;
}

// What is wrong with the schema of a tool's parameters; empty if nothing is.
std::string schema_fault(const Value& schema) {
  if (!schema.is_dict()) return "must be a JSON schema, an object";
  const Value* type = find_member(schema, "type");
  if (type != nullptr && !is_text(type, "object")) return "must be the schema of an object";
  const Value* properties = find_member(schema, "properties");
  if (properties != nullptr && !properties->is_dict()) return "must have an object as properties";
  return "";
}

// Checks one tool and adds it; the template gets it in `items`.
void add_tool(RequestFields& fields, const std::string& where, const Value& tool, Items& items, ChatTools& out) {
  if (!tool.is_dict()) return fields.refuse(where, "must be an object");
  if (!is_text(find_member(tool, "type"), "function")) return fields.refuse(where + ".type", "must be \"function\"");
  const Value* function = find_member(tool, "function");
  if (function == nullptr || !function->is_dict()) return fields.refuse(where + ".function", "must be an object");
  const Value* name = find_member(*function, "name");
  if (name == nullptr || !name->is_string() || !is_tool_name(name->text())) {
    return fields.refuse(where + ".function.name",
                         fmt::format("must have 1 to {} letters, digits, _, - or .", kMaxNameBytes));
  }
  const Value* description = find_member(*function, "description");
  if (description != nullptr && !description->is_string()) {
    return fields.refuse(where + ".function.description", "must be a string");
  }
  const Value* parameters = find_member(*function, "parameters");
  if (parameters == nullptr) {
    const Value none =
        Value::dict({{Value::string("type"), Value::string("object")}, {Value::string("properties"), Value::dict({})}});
    items.push_back(with_member(tool, "function", with_member(*function, "parameters", none)));
    out.callable.push_back({.name = name->text(), .text_parameters = {}});
    return;
  }
  const std::string fault = schema_fault(*parameters);
  if (!fault.empty()) return fields.refuse(where + ".function.parameters", fault);
  items.push_back(tool);
  out.callable.push_back({.name = name->text(), .text_parameters = text_parameters(*parameters)});
}

void read_choice(RequestFields& fields, ChatTools& out) {
  const Value* choice = fields.find("tool_choice");
  if (choice == nullptr) return;
  if (is_text(choice, "auto")) return;
  if (is_text(choice, "none")) {
    out.choice = ToolChoice::kNone;
  } else if (is_text(choice, "required")) {
    out.choice = ToolChoice::kRequired;
  } else {
    const Value* function =
        is_text(find_member(*choice, "type"), "function") ? find_member(*choice, "function") : nullptr;
    const Value* name = function == nullptr ? nullptr : find_member(*function, "name");
    if (name == nullptr || !name->is_string()) {
      return fields.refuse("tool_choice", "must be auto, none, required, or a function with its name");
    }
    out.choice = ToolChoice::kNamed;
    out.named = name->text();
  }
}

void check_choice(RequestFields& fields, const ChatTools& tools) {
  if (tools.choice == ToolChoice::kRequired && tools.callable.empty()) {
    return fields.refuse("tool_choice", "asks for a call, and there are no tools");
  }
  if (tools.choice != ToolChoice::kNamed) return;
  const bool known = std::any_of(tools.callable.begin(), tools.callable.end(),
                                 [&](const AnswerParserOptions::Tool& tool) { return tool.name == tools.named; });
  if (!known) fields.refuse("tool_choice", "names a function that is not among the tools");
}

}  // namespace

void add_tools(RequestFields& fields, const std::string& where, const Value& list, ChatTools& out) {
  if (!list.is_sequence()) return fields.refuse(where, "must be an array");
  if (list.items().size() > kMaxTools) return fields.refuse(where, fmt::format("has more than {} tools", kMaxTools));
  Items items;
  for (size_t i = 0; i < list.items().size() && !fields.error(); i++) {
    add_tool(fields, fmt::format("{}[{}]", where, i), list.items()[i], items, out);
  }
  std::set<std::string_view> names;
  for (const AnswerParserOptions::Tool& tool : out.callable) {
    if (!names.insert(tool.name).second) return fields.refuse(where, "has two functions of the same name");
  }
  if (!items.empty()) out.tools = Value::list(std::move(items));
}

void read_tools(RequestFields& fields, ChatTools& out) {
  if (const Value* list = fields.find("tools")) add_tools(fields, "tools", *list, out);
  read_choice(fields, out);
  fields.read("parallel_tool_calls", out.parallel);
  if (fields.error()) return;
  check_choice(fields, out);
  if (out.choice == ToolChoice::kNone) {
    out.tools = Value::none();
    out.callable.clear();
  }
}

}  // namespace ingle
