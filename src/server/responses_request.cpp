#include "server/responses_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "server/generation_fields.h"
#include "server/json_text.h"
#include "server/value_building.h"
#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Entries;
using jinja::Items;
using jinja::Value;

// Fields that are said otherwise in a chat request, or that have another meaning there.
constexpr std::array<std::string_view, 14> kNotPassedOn{
    "input",      "instructions",   "tools", "tool_choice", "text",     "max_output_tokens",
    "max_tokens", "stream_options", "n",     "messages",    "logprobs", "top_logprobs",
    "truncation", "include"};
constexpr std::string_view kLogprobs = "message.output_text.logprobs";

// What the model calls a function of a namespace, which clients often end in the underscores that stand between.
std::string flat_name(const std::string& space, const std::string& name) {
  if (space.empty()) return name;
  return space + (space.ends_with("__") ? "" : "__") + name;
}

// Messages in the making: those of the assistant and its calls become one.
class Messages {
 public:
  explicit Messages(Items before) : items_(std::move(before)) {}

  void add(std::string_view role, Value content) {
    if (role == "assistant" && goes_on(content)) return;
    flush();
    Entries message;
    set(message, "role", text_value(role));
    set(message, "content", std::move(content));
    if (role == "assistant") {
      open_ = std::move(message);
    } else {
      items_.push_back(Value::dict(std::move(message)));
    }
  }

  void add_call(Value call) {
    if (!open_) {
      open_.emplace();
      set(*open_, "role", text_value("assistant"));
      set(*open_, "content", text_value(""));
    }
    calls_.push_back(std::move(call));
  }

  void add_result(const std::string& call_id, Value content) {
    flush();
    Entries message;
    set(message, "role", text_value("tool"));
    set(message, "tool_call_id", text_value(call_id));
    set(message, "content", std::move(content));
    items_.push_back(Value::dict(std::move(message)));
  }

  Items take() {
    flush();
    return std::move(items_);
  }

 private:
  // What the assistant says between two calls is of one message with them, as in the conversation of a stored response.
  bool goes_on(const Value& content) {
    if (!open_ || calls_.empty()) return false;
    const auto said = std::ranges::find_if(*open_, [](const auto& entry) { return entry.first.text() == "content"; });
    said->second = text_value(said->second.text() + content.text());
    return true;
  }

  void flush() {
    if (!open_) return;
    if (!calls_.empty()) set(*open_, "tool_calls", Value::list(std::exchange(calls_, {})));
    items_.push_back(Value::dict(*std::exchange(open_, std::nullopt)));
  }

  Items items_, calls_;
  std::optional<Entries> open_;
};

class InputReader {
 public:
  InputReader(RequestFields& fields, Items conversation, const ItemFinder& find_item)
      : fields_(fields), find_item_(find_item), messages_(std::move(conversation)) {}

  Items read() {
    const Value* input = fields_.find("input");
    if (input != nullptr && input->is_string()) {
      messages_.add("user", *input);
    } else if (input != nullptr && input->is_sequence() && !input->items().empty()) {
      for (size_t i = 0; i < input->items().size() && !fields_.error(); i++) {
        item(fmt::format("input[{}]", i), input->items()[i]);
      }
    } else {
      fields_.refuse("input", "must be a string or an array of at least one item");
    }
    return messages_.take();
  }

 private:
  void item(const std::string& where, const Value& given) {
    if (!given.is_dict()) return fields_.refuse(where, "must be an object");
    const bool is_reference = find_member(given, "role") == nullptr && find_member(given, "id") != nullptr;
    const std::string name = find_member(given, "type") != nullptr ? text_of(given, "type")
                             : is_reference                        ? "item_reference"
                                                                   : "message";
    if (name == "message") return message(where, given);
    if (name == "function_call") return call(where, given, "arguments");
    if (name == "custom_tool_call") return call(where, given, "input");
    if (name == "function_call_output" || name == "custom_tool_call_output") return result(where, given);
    if (name == "reasoning") return;  // what the model thought before an answer that is there is not its to see again
    if (name == "item_reference") return reference(where, given);
    fields_.refuse(where,
                   "may only be a message, function_call, function_call_output, custom_tool_call, "
                   "custom_tool_call_output, item_reference or reasoning");
  }

  void reference(const std::string& where, const Value& given) {
    const std::string id = text_of(given, "id");
    if (id.empty()) return fields_.refuse(where + ".id", "must be a string");
    // Each once, or a small request could make a prompt without bounds.
    if (!referenced_.insert(id).second) return fields_.refuse(where + ".id", "is in the input twice");
    if (const std::optional<Value> found = find_item_(id)) return item(where, *found);
    fields_.refuse(ApiError{.status = 404,
                            .message = fmt::format("{}: there is no item {} (its response was not stored, or is gone "
                                                   "by now)",
                                                   where, id.substr(0, 100)),
                            .param = where,
                            .code = {}});
  }

  void message(const std::string& where, const Value& given) {
    const std::string role = text_of(given, "role");
    if (role != "user" && role != "assistant" && role != "system" && role != "developer") {
      return fields_.refuse(where + ".role", "must be user, assistant, system or developer");
    }
    if (std::optional<Value> text = content(where + ".content", given.dict_object().find("content"))) {
      messages_.add(role == "developer" ? "system" : role, std::move(*text));
    }
  }

  // `input`: the field with what the tool gets. That of a custom tool is free text, which becomes its one argument:
  // models that call functions write an object.
  void call(const std::string& where, const Value& given, const char* input) {
    for (const char* key : {"call_id", "name", input}) {
      const Value* value = given.dict_object().find(key);
      if (value == nullptr || !value->is_string()) return fields_.refuse(where + "." + key, "must be a string");
    }
    Entries function, call;
    set(function, "name", text_value(flat_name(text_of(given, "namespace"), text_of(given, "name"))));
    const std::string text = text_of(given, input);
    const bool is_free = input != std::string_view("arguments");
    set(function, "arguments", text_value(is_free ? fmt::format(R"({{"{}": {}}})", input, json_string(text)) : text));
    set(call, "id", *given.dict_object().find("call_id"));
    set(call, "type", text_value("function"));
    set(call, "function", Value::dict(std::move(function)));
    messages_.add_call(Value::dict(std::move(call)));
  }

  void result(const std::string& where, const Value& given) {
    if (text_of(given, "call_id").empty()) return fields_.refuse(where + ".call_id", "must be a string");
    if (std::optional<Value> text = content(where + ".output", given.dict_object().find("output"))) {
      messages_.add_result(text_of(given, "call_id"), std::move(*text));
    }
  }

  // A string, or the text of an array's parts, a newline between them.
  std::optional<Value> content(const std::string& where, const Value* given) {
    if (given != nullptr && given->is_string()) return *given;
    if (given == nullptr || !given->is_sequence()) {
      fields_.refuse(where, "must be a string or an array of parts");
      return std::nullopt;
    }
    std::string out;
    for (size_t i = 0; i < given->items().size(); i++) {
      const Value& part = given->items()[i];
      const std::string place = fmt::format("{}[{}]", where, i);
      const std::string type = part.is_dict() ? text_of(part, "type") : "";
      const char* key = type == "refusal" ? "refusal" : "text";
      if (type != "input_text" && type != "output_text" && type != "text" && type != "refusal") {
        fields_.refuse(place, "is no text: this model reads text only");
        return std::nullopt;
      }
      const Value* text = part.dict_object().find(key);
      if (text == nullptr || !text->is_string()) {
        fields_.refuse(place, fmt::format("must have a string as {}", key));
        return std::nullopt;
      }
      if (i > 0) out += '\n';
      out += text->text();
    }
    return Value::string(std::move(out));
  }

  RequestFields& fields_;
  const ItemFinder& find_item_;
  Messages messages_;
  std::set<std::string> referenced_;
};

// One system message of the instructions and those that begin the conversation: many templates know one, in front.
Items with_instructions(const std::string& instructions, const Items& messages) {
  std::string system = instructions;
  size_t i = 0;
  for (; i < messages.size() && text_of(messages[i], "role") == "system"; i++) {
    if (!system.empty()) system += "\n\n";
    system += text_of(messages[i], "content");
  }
  Items out;
  if (i > 0 || !system.empty()) {
    Entries message;
    set(message, "role", text_value("system"));
    set(message, "content", text_value(system));
    out.push_back(Value::dict(std::move(message)));
  }
  out.insert(out.end(), messages.begin() + static_cast<ptrdiff_t>(i), messages.end());
  return out;
}

// The functions among the tools as a chat request has them. Whatever else there is this server can't run, and the model
// is not told of it, so it does without.
class ToolReader {
 public:
  ToolReader(RequestFields& fields, NamespacedNames& namespaced) : fields_(fields), namespaced_(namespaced) {}

  std::optional<Value> read() {
    const Value* given = fields_.find("tools");
    if (given == nullptr) return std::nullopt;
    add_all("tools", *given, "");
    return Value::list(std::move(tools_));
  }

 private:
  void add_all(const std::string& where, const Value& list, const std::string& space) {
    if (!list.is_sequence()) return fields_.refuse(where, "must be an array");
    for (size_t i = 0; i < list.items().size() && !fields_.error(); i++) {
      add(fmt::format("{}[{}]", where, i), list.items()[i], space);
    }
  }

  void add(const std::string& where, const Value& tool, const std::string& space) {
    const std::string type = tool.is_dict() ? text_of(tool, "type") : "";
    if (type.empty()) return fields_.refuse(where, "must be an object with a type");
    const bool is_space = type == "namespace" && space.empty();
    if (type != "function" && !is_space) return;
    const std::string name = text_of(tool, "name");
    if (name.empty()) return fields_.refuse(where + ".name", "must be a string");
    if (!is_space) return add_function(tool, space, name);
    const Value* inner = tool.dict_object().find("tools");
    add_all(where + ".tools", inner != nullptr ? *inner : Value::none(), name);
  }

  // {"type":"function","name",...} has all but the type one level deeper in a chat request.
  void add_function(const Value& tool, const std::string& space, const std::string& name) {
    Entries function, entry;
    for (const auto& [key, value] : tool.dict_object().entries) {
      if (key.text() != "type") set(function, key.text(), value);
    }
    const std::string flat = flat_name(space, name);
    set(function, "name", text_value(flat));
    if (!space.empty()) namespaced_[flat] = {.space = space, .name = name};
    set(entry, "type", text_value("function"));
    set(entry, "function", Value::dict(std::move(function)));
    tools_.push_back(Value::dict(std::move(entry)));
  }

  RequestFields& fields_;
  NamespacedNames& namespaced_;
  Items tools_;
};

bool is_function(const Value& value) { return value.is_dict() && text_of(value, "type") == "function"; }

// {"type":"function","name":"f"} has the name one level deeper in a chat request.
Value chat_function(const Value& given) {
  Entries function, out;
  set(function, "name", text_value(flat_name(text_of(given, "namespace"), text_of(given, "name"))));
  set(out, "type", text_value("function"));
  set(out, "function", Value::dict(std::move(function)));
  return Value::dict(std::move(out));
}

// {"type":"allowed_tools","mode","tools"} has all but the type one level deeper, too.
Value chat_allowed_tools(const Value& given) {
  Entries allowed, out;
  if (const Value* mode = given.dict_object().find("mode")) set(allowed, "mode", *mode);
  const Value* tools = given.dict_object().find("tools");
  if (tools != nullptr && tools->is_sequence()) {
    Items functions;
    for (const Value& tool : tools->items()) {
      const bool is_left_out = tool.is_dict() && !text_of(tool, "type").empty() && !is_function(tool);
      if (!is_left_out) functions.push_back(is_function(tool) ? chat_function(tool) : tool);
    }
    set(allowed, "tools", Value::list(std::move(functions)));
  }
  set(out, "type", text_value("allowed_tools"));
  set(out, "allowed_tools", Value::dict(std::move(allowed)));
  return Value::dict(std::move(out));
}

Value chat_tool_choice(const Value& given) {
  if (is_function(given)) return chat_function(given);
  const bool is_allowed = given.is_dict() && text_of(given, "type") == "allowed_tools";
  return is_allowed ? chat_allowed_tools(given) : given;
}

// {"type":"json_schema","name","schema",...} has all but the type one level deeper in a chat request.
std::optional<Value> chat_format(RequestFields& fields) {
  const Value* text = fields.object("text");
  const Value* format = text != nullptr ? text->dict_object().find("format") : nullptr;
  if (format == nullptr || format->is_none()) return std::nullopt;
  if (!format->is_dict() || text_of(*format, "type") != "json_schema") return *format;
  Entries schema, out;
  for (const auto& [key, value] : format->dict_object().entries) {
    if (key.text() != "type") set(schema, key.text(), value);
  }
  set(out, "type", text_value("json_schema"));
  set(out, "json_schema", Value::dict(std::move(schema)));
  return Value::dict(std::move(out));
}

// Log-probabilities come if they are to be included; how many alternatives they have is another field's matter.
void translate_logprobs(RequestFields& fields, Entries& chat) {
  uint32_t alternatives = 0;
  fields.read("top_logprobs", alternatives, 0, kMaxTopLogprobs);
  const Value* included = fields.find("include");
  if (included == nullptr) return;
  if (!included->is_sequence()) return fields.refuse("include", "must be an array of strings");
  bool wanted = false;
  for (const Value& one : included->items()) {
    if (!one.is_string()) return fields.refuse("include", "must be an array of strings");
    wanted |= one.text() == kLogprobs;
  }
  if (!wanted) return;
  set(chat, "logprobs", Value(true));
  set(chat, "top_logprobs", Value(int64_t{alternatives}));
}

// {"effort": "low"} is a field of its own in a chat request.
void translate_reasoning(RequestFields& fields, Entries& chat) {
  const Value* given = fields.object("reasoning");
  if (given == nullptr) return;
  RequestFields reasoning(*given, "reasoning.");
  std::string effort;
  reasoning.read("effort", effort);
  fields.refuse_as(reasoning);
  if (!effort.empty()) set(chat, "reasoning_effort", text_value(effort));
}

void refuse_unsupported(RequestFields& fields) {
  bool background = false;
  fields.read("background", background);
  if (background) fields.refuse("background", "is not supported: answers are given at once");
  for (const char* name : {"conversation", "prompt"}) {
    if (fields.has(name)) fields.refuse(name, "is not supported: this server keeps no such objects");
  }
  if (fields.has("response_format")) fields.refuse("response_format", "is a chat's: here it is called text.format");
  if (fields.has("prompt_logprobs")) fields.refuse("prompt_logprobs", "is not supported: a chat's answer has them");
}

}  // namespace

ResponsesInput read_responses_input(RequestFields& fields, Items conversation, const ItemFinder& find_item) {
  ResponsesInput out;
  refuse_unsupported(fields);
  std::string instructions;
  fields.read("instructions", instructions);
  out.messages = InputReader(fields, std::move(conversation), find_item).read();
  if (out.messages.empty() && !fields.error()) fields.refuse("input", "must have an item that is not reasoning");

  Entries chat;
  for (const auto& [key, value] : fields.entries()) {
    const std::string& name = key.text();
    if (std::find(kNotPassedOn.begin(), kNotPassedOn.end(), name) == kNotPassedOn.end()) set(chat, name, value);
  }
  set(chat, "messages", Value::list(with_instructions(instructions, out.messages)));
  if (std::optional<Value> tools = ToolReader(fields, out.namespaced).read()) set(chat, "tools", std::move(*tools));
  if (const Value* choice = fields.find("tool_choice")) set(chat, "tool_choice", chat_tool_choice(*choice));
  if (std::optional<Value> format = chat_format(fields)) set(chat, "response_format", std::move(*format));
  if (const Value* most = fields.find("max_output_tokens")) set(chat, "max_completion_tokens", *most);
  translate_logprobs(fields, chat);
  translate_reasoning(fields, chat);
  std::string truncation = "disabled";
  fields.read("truncation", truncation);
  if (truncation == "auto") {
    set(chat, "truncate", Value(true));
  } else if (truncation != "disabled") {
    fields.refuse("truncation", "must be auto or disabled");
  }
  out.chat = Value::dict(std::move(chat));
  return out;
}

}  // namespace ingle
