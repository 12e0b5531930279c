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

constexpr int kMaxSteps = 16;  // of references; a combination takes most of them
constexpr size_t kMaxOptions = 8;

struct Kinds {
  bool text = false, null = false, others = false;

  void add(const Kinds& more) {
    text |= more.text;
    null |= more.null;
    others |= more.others;
  }
};

Kinds kinds_named(const Value& type) {
  if (is_text(&type, "string")) return {.text = true};
  if (is_text(&type, "null")) return {.null = true};
  return {.others = true};
}

// What a schema lets a value be, as far as it is easily told; `root` is where references go.
Kinds kinds_of(const Value& schema, const Value& root, int steps = kMaxSteps) {
  Kinds out;
  if (steps == 0 || !schema.is_dict()) return {.others = true};
  if (const Value* type = find_member(schema, "type")) {
    if (!type->is_sequence()) return kinds_named(*type);
    for (const Value& one : type->items()) out.add(kinds_named(one));
    return out;
  }
  const Value* values = find_member(schema, "enum");
  if (values != nullptr && values->is_sequence()) {
    for (const Value& value : values->items()) {
      out.add({.text = value.is_string(), .null = value.is_none(), .others = !value.is_string() && !value.is_none()});
    }
    return out;
  }
  if (const Value* value = find_member(schema, "const"))
    return {.text = value->is_string(), .others = !value->is_string()};
  for (const char* combination : {"anyOf", "oneOf", "allOf"}) {
    const Value* options = find_member(schema, combination);
    if (options == nullptr || !options->is_sequence() || options->items().size() > kMaxOptions) continue;
    for (const Value& option : options->items()) out.add(kinds_of(option, root, steps / 4));
    return out;
  }
  const Value* reference = find_member(schema, "$ref");
  for (const char* place : {"$defs", "definitions"}) {
    const std::string begin = fmt::format("#/{}/", place);
    if (reference == nullptr || !reference->is_string() || !reference->text().starts_with(begin)) continue;
    const Value* defined = find_member(root, place);
    const Value* target = defined == nullptr ? nullptr : find_member(*defined, reference->text().substr(begin.size()));
    if (target != nullptr) return kinds_of(*target, root, steps - 1);
  }
  return {.others = true};
}

AnswerParserOptions::Tool callable_tool(const std::string& name, const Value& schema) {
  AnswerParserOptions::Tool tool = {.name = name, .text_parameters = {}};
  const Value* properties = find_member(schema, "properties");
  if (properties == nullptr || !properties->is_dict()) return tool;
  for (const auto& [parameter, property] : properties->dict_object().entries) {
    const Kinds kinds = kinds_of(property, schema);
    if (!kinds.text || kinds.others) continue;
    (kinds.null ? tool.text_or_null_parameters : tool.text_parameters).push_back(parameter.text());
  }
  return tool;
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
  const Value* strict = find_member(*function, "strict");
  if (strict != nullptr && !strict->is(jinja::Kind::kBool)) {
    return fields.refuse(where + ".function.strict", "must be true or false");
  }
  Strictness& strictness = out.strict[name->text()] = out.strict_by_default;
  if (strict != nullptr) strictness = strict->as_bool() ? Strictness::kYes : Strictness::kNo;
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
  out.callable.push_back(callable_tool(name->text(), *parameters));
}

// Of {"type":"function","function":{"name"}}; null if it is something else.
const std::string* function_name(const Value& given) {
  const Value* function = is_text(find_member(given, "type"), "function") ? find_member(given, "function") : nullptr;
  const Value* name = function == nullptr ? nullptr : find_member(*function, "name");
  return name != nullptr && name->is_string() ? &name->text() : nullptr;
}

// {"type":"allowed_tools","allowed_tools":{"mode","tools"}}
void read_allowed(RequestFields& fields, const Value& choice, ChatTools& out) {
  const Value* given = find_member(choice, "allowed_tools");
  const Value* mode = given == nullptr ? nullptr : find_member(*given, "mode");
  const Value* list = given == nullptr ? nullptr : find_member(*given, "tools");
  const bool is_required = is_text(mode, "required");
  if (!is_required && !is_text(mode, "auto")) {
    return fields.refuse("tool_choice", "must have auto or required as the mode of its allowed_tools");
  }
  if (list == nullptr || !list->is_sequence()) {
    return fields.refuse("tool_choice", "must have an array of functions as the tools of its allowed_tools");
  }
  if (is_required) out.choice = ToolChoice::kRequired;
  out.allowed.emplace();
  for (const Value& tool : list->items()) {
    const std::string* name = function_name(tool);
    if (name == nullptr) return fields.refuse("tool_choice", "has something that is no function with its name");
    out.allowed->insert(*name);
  }
}

void read_choice(RequestFields& fields, ChatTools& out) {
  const Value* choice = fields.find("tool_choice");
  if (choice == nullptr) return;
  if (is_text(choice, "auto")) return;
  if (is_text(choice, "none")) {
    out.choice = ToolChoice::kNone;
  } else if (is_text(choice, "required")) {
    out.choice = ToolChoice::kRequired;
  } else if (is_text(find_member(*choice, "type"), "allowed_tools")) {
    read_allowed(fields, *choice, out);
  } else {
    const std::string* name = function_name(*choice);
    if (name == nullptr) {
      return fields.refuse("tool_choice", "must be auto, none, required, a function with its name, or allowed_tools");
    }
    out.choice = ToolChoice::kNamed;
    out.named = *name;
  }
}

// Leaves those that may be called.
void restrict_to_allowed(RequestFields& fields, ChatTools& tools) {
  std::set<std::string_view> known;
  for (const AnswerParserOptions::Tool& tool : tools.callable) known.insert(tool.name);
  for (const std::string& name : *tools.allowed) {
    if (!known.contains(name)) {
      return fields.refuse("tool_choice", fmt::format("allows {}, which is not among the tools", name.substr(0, 100)));
    }
  }
  std::erase_if(tools.callable, [&](const auto& tool) { return !tools.allowed->contains(tool.name); });
  std::erase_if(tools.strict, [&](const auto& tool) { return !tools.allowed->contains(tool.first); });
}

void check_choice(RequestFields& fields, ChatTools& tools) {
  if (tools.allowed) restrict_to_allowed(fields, tools);
  if (tools.choice == ToolChoice::kRequired && tools.callable.empty()) {
    return fields.refuse("tool_choice", "asks for a call, and there are no tools");
  }
  if (tools.choice != ToolChoice::kNamed) return;
  const bool known = std::any_of(tools.callable.begin(), tools.callable.end(),
                                 [&](const AnswerParserOptions::Tool& tool) { return tool.name == tools.named; });
  if (!known) fields.refuse("tool_choice", "names a function that is not among the tools");
}

}  // namespace

bool ChatTools::any_strict() const {
  return std::any_of(strict.begin(), strict.end(), [](const auto& tool) { return tool.second != Strictness::kNo; });
}

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
    out.strict.clear();
  }
}

}  // namespace ingle
