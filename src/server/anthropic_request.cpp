#include "server/anthropic_request.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "server/generation_fields.h"
#include "server/value_building.h"

namespace ingle {
namespace {

using jinja::DictObj;
using jinja::Entries;
using jinja::Items;
using jinja::Kind;
using jinja::Value;

// The string that an object has at a key; null if it is absent or something else.
const std::string* string_at(const Value& object, std::string_view key) {
  const Value* value = object.is_dict() ? object.dict_object().find(key) : nullptr;
  return value != nullptr && value->is_string() ? &value->text() : nullptr;
}

void add_line(std::string& text, std::string_view line, bool& begun) {
  if (std::exchange(begun, true)) text += '\n';
  text += line;
}

// The text of a string or of blocks that are text; nothing after an error.
std::optional<std::string> text_of(RequestFields& fields, const std::string& where, const Value& given) {
  if (given.is_string()) return given.text();
  if (!given.is_sequence()) {
    fields.refuse(where, "must be a string or an array of blocks");
    return std::nullopt;
  }
  std::string out;
  bool begun = false;
  for (size_t i = 0; i < given.items().size(); i++) {
    const std::string* type = string_at(given.items()[i], "type");
    const std::string* text = string_at(given.items()[i], "text");
    if (type == nullptr || *type != "text" || text == nullptr) {
      fields.refuse(fmt::format("{}[{}]", where, i), "must be a block of type text: this model reads text only");
      return std::nullopt;
    }
    add_line(out, *text, begun);
  }
  return out;
}

// Claude Code's system text begins with a line for the provider's accounts, another one in every request. A prompt with
// it would never be found in the prefix cache.
std::string without_billing_line(std::string text) {
  constexpr std::string_view kBilling = "x-anthropic-billing-header:";
  if (!text.starts_with(kBilling)) return text;
  const size_t end = text.find('\n');
  return end == std::string::npos ? "" : text.substr(end + 1);
}

// Turns into messages, one after the other.
class Conversation {
 public:
  explicit Conversation(RequestFields& fields) : fields_(fields) {}

  // One without text is none: some templates have a system text of their own then.
  void add_system(const std::string& where, const Value& content) {
    const std::optional<std::string> text = text_of(fields_, where, content);
    if (!text) return;
    const std::string said = without_billing_line(*text);
    if (!said.empty()) add_text("system", said);
  }

  void add_turn(const std::string& where, const Value& turn) {
    const std::string* role = string_at(turn, "role");
    const Value* content = turn.is_dict() ? turn.dict_object().find("content") : nullptr;
    if (role == nullptr || (*role != "user" && *role != "assistant" && *role != "system")) {
      return fields_.refuse(where + ".role", "must be user or assistant");
    }
    if (content == nullptr || content->is_none()) return fields_.refuse(where + ".content", "is missing");
    const bool is_system = *role == "system";
    if (is_system) return begun_ ? remind(where + ".content", *content) : add_system(where + ".content", *content);
    begun_ = true;
    if (*role == "assistant") give_reminders();
    if (content->is_string()) return say(*role, content->text());
    if (!content->is_sequence()) return fields_.refuse(where + ".content", "must be a string or an array of blocks");
    Turn blocks{.role = *role};
    for (size_t i = 0; i < content->items().size() && !fields_.error(); i++) {
      add_block(fmt::format("{}.content[{}]", where, i), content->items()[i], blocks);
    }
    end_turn(blocks);
  }

  bool ends_with_assistant() const { return last_role_ == "assistant"; }
  Value messages() {
    give_reminders();
    flush();
    return Value::list(std::move(messages_));
  }

 private:
  // What the blocks of a turn have brought that is in no message yet.
  struct Turn {
    std::string role;
    std::string text{}, reasoning{};
    bool has_text = false, has_reasoning = false;
    Items calls{};
  };

  void add_block(const std::string& where, const Value& block, Turn& turn) {
    const std::string* type = string_at(block, "type");
    if (type == nullptr) return fields_.refuse(where, "must be an object with a type");
    const bool assistant = turn.role == "assistant";
    if (*type == "text") {
      const std::string* text = string_at(block, "text");
      if (text == nullptr) return fields_.refuse(where + ".text", "must be a string");
      // What the assistant has said after a call may begin with the white space that it said there.
      const bool goes_on = assistant && (text->starts_with('\n') || text->starts_with(' '));
      if (goes_on && turn.has_text) {
        turn.text += *text;
      } else {
        add_line(turn.text, *text, turn.has_text);
      }
    } else if (*type == "tool_result" && !assistant) {
      end_turn(turn);
      add_result(where, block);
    } else if (*type == "tool_use" && assistant) {
      add_call(where, block, turn);
    } else if (*type == "thinking" && assistant) {
      const std::string* thinking = string_at(block, "thinking");
      if (thinking == nullptr) return fields_.refuse(where + ".thinking", "must be a string");
      add_line(turn.reasoning, *thinking, turn.has_reasoning);
    } else if (*type == "redacted_thinking" && assistant) {
      // Nobody but who wrote it can read it.
    } else if (*type == "image" || *type == "document") {
      fields_.refuse(where, "is no text: this model reads text only");
    } else {
      fields_.refuse(where, fmt::format("has a type that is not supported in a turn of the {}", turn.role));
    }
  }

  void add_call(const std::string& where, const Value& block, Turn& turn) {
    const std::string *id = string_at(block, "id"), *name = string_at(block, "name");
    const Value* input = block.dict_object().find("input");
    if (id == nullptr) return fields_.refuse(where + ".id", "must be a string");
    if (name == nullptr) return fields_.refuse(where + ".name", "must be a string");
    if (input == nullptr || !input->is_dict()) return fields_.refuse(where + ".input", "must be an object");
    names_[*id] = *name;
    Entries function, call;
    set(function, "name", text_value(*name));
    set(function, "arguments", *input);
    set(call, "id", text_value(*id));
    set(call, "type", text_value("function"));
    set(call, "function", Value::dict(std::move(function)));
    turn.calls.push_back(Value::dict(std::move(call)));
  }

  void add_result(const std::string& where, const Value& block) {
    const std::string* id = string_at(block, "tool_use_id");
    if (id == nullptr) return fields_.refuse(where + ".tool_use_id", "must be a string");
    const Value* content = block.dict_object().find("content");
    const bool empty = content == nullptr || content->is_none();
    const std::optional<std::string> text = empty ? std::string() : text_of(fields_, where + ".content", *content);
    if (!text) return;
    Entries message;
    set(message, "role", text_value("tool"));
    set(message, "tool_call_id", text_value(*id));
    if (const auto known = names_.find(*id); known != names_.end()) set(message, "name", text_value(known->second));
    set(message, "content", text_value(*text));
    push("tool", std::move(message));
  }

  void end_turn(Turn& turn) {
    if (turn.role == "user") {
      if (turn.has_text) say("user", turn.text);
    } else if (turn.calls.empty() && !turn.has_reasoning) {
      say("assistant", turn.text);
    } else {
      Entries message;
      set(message, "role", text_value("assistant"));
      set(message, "content", text_value(turn.text));
      if (turn.has_reasoning) set(message, "reasoning_content", text_value(turn.reasoning));
      if (!turn.calls.empty()) set(message, "tool_calls", Value::list(std::move(turn.calls)));
      push("assistant", std::move(message));
    }
    turn = {.role = turn.role};
  }

  // Templates want system messages in front, and roles to take turns: what comes later is told with the user's words,
  // behind the results of calls, which have to follow these at once.
  void remind(const std::string& where, const Value& content) {
    const std::optional<std::string> text = text_of(fields_, where, content);
    if (!text) return;
    if (!reminders_.empty()) reminders_ += '\n';
    reminders_ += "<system-reminder>\n" + *text + "\n</system-reminder>";
  }

  void give_reminders() {
    if (!reminders_.empty()) add_text("user", std::exchange(reminders_, {}));
  }

  void say(const std::string& role, const std::string& text) {
    if (role == "user") give_reminders();
    add_text(role, text);
  }

  // A message that is nothing but text, which goes on the one before if that is one of the same role.
  void add_text(const std::string& role, const std::string& text) {
    if (has_text_ && role == last_role_) {
      last_text_ += "\n" + text;
      return;
    }
    flush();
    last_role_ = role;
    last_text_ = text;
    has_text_ = true;
  }

  void flush() {
    if (!std::exchange(has_text_, false)) return;
    Entries message;
    set(message, "role", text_value(last_role_));
    set(message, "content", text_value(last_text_));
    messages_.push_back(Value::dict(std::move(message)));
  }

  void push(const std::string& role, Entries message) {
    flush();
    messages_.push_back(Value::dict(std::move(message)));
    last_role_ = role;
  }

  RequestFields& fields_;
  Items messages_;
  std::map<std::string, std::string> names_;  // of the functions called, by the call's id
  std::string last_role_, last_text_;
  bool has_text_ = false;  // last_text_ is a message that is not in messages_ yet
  bool begun_ = false;     // there was a turn of the user or the assistant
  std::string reminders_;  // what the system has said since, and nobody was told of yet
};

void translate_messages(RequestFields& fields, Entries& out) {
  Conversation conversation(fields);
  if (const Value* system = fields.find("system")) conversation.add_system("system", *system);
  const Value* given = fields.find("messages");
  if (given == nullptr || !given->is_sequence() || given->items().empty()) {
    return fields.refuse("messages", "must be an array of at least one message");
  }
  for (size_t i = 0; i < given->items().size() && !fields.error(); i++) {
    conversation.add_turn(fmt::format("messages[{}]", i), given->items()[i]);
  }
  Value messages = conversation.messages();
  if (conversation.ends_with_assistant()) set(out, "continue_final_message", Value(true));
  set(out, "messages", std::move(messages));
}

void translate_tools(RequestFields& fields, Entries& out) {
  const Value* given = fields.find("tools");
  if (given == nullptr) return;
  if (!given->is_sequence()) return fields.refuse("tools", "must be an array");
  Items tools;
  for (size_t i = 0; i < given->items().size(); i++) {
    const Value& tool = given->items()[i];
    const std::string where = fmt::format("tools[{}]", i);
    const std::string *type = string_at(tool, "type"), *name = string_at(tool, "name");
    if (type != nullptr && *type != "custom") {
      return fields.refuse(where, "is a tool of the provider's: only those with an input_schema are supported");
    }
    const Value* schema = tool.is_dict() ? tool.dict_object().find("input_schema") : nullptr;
    if (name == nullptr) return fields.refuse(where + ".name", "must be a string");
    if (schema == nullptr || !schema->is_dict()) return fields.refuse(where + ".input_schema", "must be an object");
    Entries function, outer;
    set(function, "name", text_value(*name));
    if (const std::string* description = string_at(tool, "description")) {
      set(function, "description", text_value(*description));
    }
    set(function, "parameters", *schema);
    if (const Value* strict = tool.dict_object().find("strict")) set(function, "strict", *strict);
    set(outer, "type", text_value("function"));
    set(outer, "function", Value::dict(std::move(function)));
    tools.push_back(Value::dict(std::move(outer)));
  }
  set(out, "tools", Value::list(std::move(tools)));
}

void translate_tool_choice(RequestFields& fields, Entries& out) {
  const Value* given = fields.object("tool_choice");
  if (given == nullptr) return;
  RequestFields choice(*given, "tool_choice.");
  std::string type, name;
  bool one_only = false;
  choice.read("type", type);
  choice.read("name", name);
  choice.read("disable_parallel_tool_use", one_only);
  if (choice.error()) return fields.refuse("tool_choice", "must have a type and no other value that is wrong");
  if (one_only) set(out, "parallel_tool_calls", Value(false));
  if (type == "auto" || type == "none") {
    set(out, "tool_choice", text_value(type));
  } else if (type == "any") {
    set(out, "tool_choice", text_value("required"));
  } else if (type == "tool" && !name.empty()) {
    Entries function, named;
    set(function, "name", text_value(name));
    set(named, "type", text_value("function"));
    set(named, "function", Value::dict(std::move(function)));
    set(out, "tool_choice", Value::dict(std::move(named)));
  } else {
    fields.refuse("tool_choice", "must have the type auto, any, none, or tool and then a name");
  }
}

// Off unless it is asked for. How it is shown is the writer's business.
void translate_thinking(RequestFields& fields, Entries& out) {
  bool thinks = false;
  if (const Value* given = fields.object("thinking")) {
    RequestFields thinking(*given, "thinking.");
    std::string type, display = "summarized";
    thinking.read("type", type);
    thinking.read("display", display);
    if (type != "enabled" && type != "disabled" && type != "adaptive") {
      thinking.refuse("type", "must be enabled, adaptive or disabled");
    }
    if (display != "summarized" && display != "omitted") thinking.refuse("display", "must be summarized or omitted");
    thinks = type != "disabled";
    if (type == "enabled" && thinking.has("budget_tokens")) {
      uint32_t budget = 0;
      thinking.read("budget_tokens", budget, 1, kMaxTokens);
      set(out, "thinking_budget", Value(int64_t{budget}));
    }
    fields.refuse_as(thinking);
  }
  Entries variables;
  set(variables, "enable_thinking", Value(thinks));
  const Value* config = fields.object("output_config");
  const std::string* effort = config != nullptr ? string_at(*config, "effort") : nullptr;
  if (effort != nullptr) set(variables, "reasoning_effort", text_value(*effort));
  set(out, "chat_template_kwargs", Value::dict(std::move(variables)));
}

// output_config.format, which was output_format once.
void translate_output_format(RequestFields& fields, Entries& out) {
  const Value* config = fields.object("output_config");
  const Value* format = config != nullptr ? config->dict_object().find("format") : fields.object("output_format");
  if (format == nullptr || format->is_none()) return;
  const std::string* type = string_at(*format, "type");
  const Value* schema = format->is_dict() ? format->dict_object().find("schema") : nullptr;
  if (type == nullptr || *type != "json_schema" || schema == nullptr || !schema->is_dict()) {
    return fields.refuse("output_config", "may only have a format of type json_schema with a schema");
  }
  Entries named, wanted;
  set(named, "name", text_value("output"));
  set(named, "schema", *schema);
  set(wanted, "type", text_value("json_schema"));
  set(wanted, "json_schema", Value::dict(std::move(named)));
  set(out, "response_format", Value::dict(std::move(wanted)));
}

void translate_stops(RequestFields& fields, Entries& out) {
  const Value* stops = fields.find("stop_sequences");
  if (stops == nullptr) return;
  if (!stops->is_sequence()) return fields.refuse("stop_sequences", "must be an array of strings");
  for (const Value& stop : stops->items()) {
    if (!stop.is_string() || stop.text().empty()) {
      return fields.refuse("stop_sequences", "must be an array of strings that are not empty");
    }
  }
  set(out, "stop", *stops);
}

}  // namespace

bool shows_thinking(const RequestFields& fields) {
  const Value* thinking = fields.find("thinking");
  const std::string* display = thinking != nullptr ? string_at(*thinking, "display") : nullptr;
  return display == nullptr || *display != "omitted";
}

Value openai_body_of_anthropic(RequestFields& fields, bool needs_max_tokens) {
  Entries out;
  if (needs_max_tokens && !fields.has("max_tokens")) fields.refuse("max_tokens", "is missing");
  for (const char* name : {"max_tokens", "stream", "temperature", "top_p", "top_k", "seed"}) {
    if (const Value* value = fields.find(name)) set(out, name, *value);
  }
  if (const Value* metadata = fields.object("metadata")) {
    if (const std::string* user = string_at(*metadata, "user_id")) set(out, "user", text_value(*user));
  }
  if (fields.has("container")) fields.refuse("container", "is not supported: there is nothing here that runs code");
  const Value* servers = fields.find("mcp_servers");
  if (servers != nullptr && !(servers->is_sequence() && servers->items().empty())) {
    fields.refuse("mcp_servers", "are not supported");
  }
  translate_stops(fields, out);
  translate_messages(fields, out);
  translate_tools(fields, out);
  translate_tool_choice(fields, out);
  translate_thinking(fields, out);
  translate_output_format(fields, out);
  return Value::dict(std::move(out));
}

}  // namespace ingle
