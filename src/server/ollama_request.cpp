#include "server/ollama_request.h"

#include <fmt/format.h>

#include <limits>
#include <map>
#include <set>
#include <utility>

#include "server/value_building.h"
#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Entries;
using jinja::Items;
using jinja::Kind;
using jinja::Value;

// Options of samplers that we do not have: nothing unless they are off.
void refuse_other_samplers(RequestFields& options) {
  constexpr double kAnything = std::numeric_limits<float>::max();
  float mirostat = 0, tail = 1;
  options.read("mirostat", mirostat, 0, 2);
  if (mirostat != 0) options.refuse("mirostat", "is not supported");
  options.read("tfs_z", tail, -kAnything, kAnything);
  if (tail != 1) options.refuse("tfs_z", "is not supported");
}

void translate_options(RequestFields& fields, Entries& out, std::optional<ApiError>& error) {
  const Value* given = fields.object("options");
  if (given == nullptr) return;
  RequestFields options(*given, "options.");
  for (const char* name : {"temperature", "top_k", "top_p", "min_p", "typical_p", "repeat_penalty", "repeat_last_n",
                           "presence_penalty", "frequency_penalty", "stop"}) {
    if (const Value* value = options.find(name)) set(out, name, *value);
  }
  // -1: one is drawn.
  if (const Value* seed = options.find("seed"); seed != nullptr && !(seed->is(Kind::kInt) && seed->as_int() == -1)) {
    set(out, "seed", *seed);
  }
  // -1 and -2: as many as the context holds.
  int32_t tokens = -1;
  options.read("num_predict", tokens, -2, std::numeric_limits<int32_t>::max());
  if (tokens > 0) set(out, "max_tokens", Value(tokens));
  refuse_other_samplers(options);
  error = options.error();
}

// "json", or a schema.
void translate_format(RequestFields& fields, Entries& out) {
  const Value* format = fields.find("format");
  if (format == nullptr || (format->is_string() && format->text().empty())) return;
  Entries wanted;
  if (format->is_dict()) {
    Entries schema;
    set(schema, "name", text_value("format"));
    set(schema, "schema", *format);
    set(wanted, "type", text_value("json_schema"));
    set(wanted, "json_schema", Value::dict(std::move(schema)));
  } else if (format->is_string() && format->text() == "json") {
    set(wanted, "type", text_value("json_object"));
  } else {
    return fields.refuse("format", "must be \"json\" or a JSON schema");
  }
  set(out, "response_format", Value::dict(std::move(wanted)));
}

// true, false, or how much.
void translate_think(RequestFields& fields, Entries& out) {
  const Value* think = fields.find("think");
  if (think == nullptr) return;
  Entries variables;
  if (think->is(Kind::kBool)) {
    set(variables, "enable_thinking", *think);
  } else if (think->is_string() && (think->text() == "low" || think->text() == "medium" || think->text() == "high")) {
    set(variables, "enable_thinking", Value(true));
    set(variables, "reasoning_effort", *think);
  } else {
    return fields.refuse("think", "must be true, false, \"low\", \"medium\" or \"high\"");
  }
  set(out, "chat_template_kwargs", Value::dict(std::move(variables)));
}

bool is_empty(const Value* value) {
  return value == nullptr || value->is_none() || (value->is_sequence() && value->items().empty());
}

// Calls have no ids, and results only the name of their function, but some templates want ids in both. So calls are
// numbered, and a result is that of the earliest call without one that has its function's name, or else of any.
class CallIds {
 public:
  // The message with the ids that it lacks.
  Value complete(const Value& message) {
    const Value* calls = find_member(message, "tool_calls");
    if (calls != nullptr && calls->is_sequence()) {
      Items named;
      for (const Value& call : calls->items()) named.push_back(call.is_dict() ? note_call(call) : call);
      return with_member(message, "tool_calls", Value::list(std::move(named)));
    }
    const Value* role = find_member(message, "role");
    if (role == nullptr || !role->is_string() || role->text() != "tool") return message;
    if (const Value* id = find_member(message, "tool_call_id")) {
      const auto known = id->is_string() ? by_id_.find(id->text()) : by_id_.end();
      if (known != by_id_.end()) answer(known->second);
      return message;
    }
    if (open_.empty()) return message;
    const Value* name = find_member(message, "name");
    const auto same = name != nullptr && name->is_string() ? by_name_.find(name->text()) : by_name_.end();
    const bool is_named = same != by_name_.end() && !same->second.empty();
    return with_member(message, "tool_call_id",
                       text_value(answer(is_named ? *same->second.begin() : open_.begin()->first)));
  }

 private:
  struct Call {
    std::string id, name;
  };

  Value note_call(const Value& call) {
    const Value* given = find_member(call, "id");
    const std::string id = given != nullptr && given->is_string() ? given->text() : fmt::format("call_{}", numbered_++);
    const Value* function = find_member(call, "function");
    const Value* name = function != nullptr ? find_member(*function, "name") : nullptr;
    const size_t number = calls_++;
    Call& noted = open_[number];
    noted = {.id = id, .name = name != nullptr && name->is_string() ? name->text() : ""};
    by_id_[id] = number;
    by_name_[noted.name].insert(number);
    return given != nullptr ? call : with_member(call, "id", text_value(id));
  }

  // The call's id; it is open no more.
  std::string answer(size_t number) {
    const auto call = open_.extract(number);
    if (call.empty()) return "";
    by_name_[call.mapped().name].erase(number);
    return call.mapped().id;
  }

  size_t calls_ = 0, numbered_ = 0;
  std::map<size_t, Call> open_;  // those without a result, by their order
  std::map<std::string, size_t> by_id_;
  std::map<std::string, std::set<size_t>> by_name_;  // of those that are open
};

// What OpenAI's messages have more than these is left to the template.
std::optional<Value> translate_message(RequestFields& fields, const std::string& where, const Value& given) {
  if (!given.is_dict()) {
    fields.refuse(where, "must be an object");
    return std::nullopt;
  }
  const jinja::DictObj& message = given.dict_object();
  if (!is_empty(message.find("images"))) {
    fields.refuse(where + ".images", "are not supported: this model reads text only");
    return std::nullopt;
  }
  Entries out;
  bool has_content = false;
  for (const auto& [key, value] : message.entries) {
    if (value.is_none() || key.text() == "images") continue;
    if (key.text() == "tool_calls" && is_empty(&value)) continue;
    has_content |= key.text() == "content";
    const bool thinks = key.text() == "thinking", names = key.text() == "tool_name";
    set(out, thinks ? "reasoning_content" : names ? "name" : key.text(), value);
  }
  if (!has_content) set(out, "content", text_value(""));
  return Value::dict(std::move(out));
}

// Ollama's templates go on with it where it is the last message.
bool is_begun_answer(const Value& message) {
  const Value *role = find_member(message, "role"), *text = find_member(message, "content");
  return role != nullptr && role->is_string() && role->text() == "assistant" && text != nullptr && text->is_string() &&
         !text->text().empty() && find_member(message, "tool_calls") == nullptr;
}

void translate_messages(RequestFields& fields, Entries& out) {
  const Value* given = fields.find("messages");
  if (given == nullptr) return;
  if (!given->is_sequence()) return fields.refuse("messages", "must be an array of messages");
  Items messages;
  CallIds ids;
  for (size_t i = 0; i < given->items().size(); i++) {
    std::optional<Value> message = translate_message(fields, fmt::format("messages[{}]", i), given->items()[i]);
    if (!message) return;
    messages.push_back(ids.complete(*message));
  }
  if (!messages.empty() && is_begun_answer(messages.back())) set(out, "continue_final_message", Value(true));
  set(out, "messages", Value::list(std::move(messages)));
}

// What chats and prompts have in common.
Entries translate_common(RequestFields& fields, std::optional<ApiError>& error) {
  Entries out;
  translate_options(fields, out, error);
  translate_format(fields, out);
  translate_think(fields, out);
  for (const char* name : {"stream", "truncate", "logprobs", "top_logprobs"}) {
    if (const Value* value = fields.find(name)) set(out, name, *value);
  }
  return out;
}

size_t skip_digits(std::string_view text, size_t at) {
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') at++;
  return at;
}

// As Go writes durations: "5m", "1h30m", "-1.5s"; also a number of seconds by itself.
bool is_duration(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  bool first = true;
  do {
    size_t at = skip_digits(text, 0), digits = at;
    if (at < text.size() && text[at] == '.') {
      const size_t end = skip_digits(text, at + 1);
      digits += end - at - 1;
      at = end;
    }
    if (digits == 0) return false;
    text.remove_prefix(at);
    if (text.empty()) return first;
    size_t unit = 0;
    for (const std::string_view name : {"ns", "us", "\u00b5s", "\u03bcs", "ms", "s", "m", "h"}) {
      if (unit == 0 && text.starts_with(name)) unit = name.size();
    }
    if (unit == 0) return false;
    text.remove_prefix(unit);
    first = false;
  } while (!text.empty());
  return true;
}

void add_message(Items& messages, std::string_view role, const std::string& content) {
  Entries message;
  set(message, "role", text_value(role));
  set(message, "content", text_value(content));
  messages.push_back(Value::dict(std::move(message)));
}

}  // namespace

jinja::Value openai_body_of_chat(RequestFields& fields, std::optional<ApiError>& error) {
  jinja::Entries out = translate_common(fields, error);
  translate_messages(fields, out);
  if (const jinja::Value* tools = fields.find("tools")) set(out, "tools", *tools);
  if (fields.error()) error = fields.error();
  return jinja::Value::dict(std::move(out));
}

jinja::Value openai_body_of_prompt(RequestFields& fields, const std::string& system, const std::string& prompt,
                                   std::optional<ApiError>& error) {
  jinja::Entries out = translate_common(fields, error);
  jinja::Items messages;
  if (!system.empty()) add_message(messages, "system", system);
  add_message(messages, "user", prompt);
  set(out, "messages", jinja::Value::list(std::move(messages)));
  if (fields.error()) error = fields.error();
  return jinja::Value::dict(std::move(out));
}

std::string asked_model_name(const ApiCall& call) {
  const jinja::Value* name = call.fields.find("model");
  if (name == nullptr) name = call.fields.find("name");
  return name != nullptr && name->is_string() ? name->text() : call.model->id;
}

bool read_keep_alive(RequestFields& fields) {
  const jinja::Value* given = fields.find("keep_alive");
  if (given == nullptr) return true;
  if (given->is(jinja::Kind::kInt) || given->is(jinja::Kind::kFloat)) return given->as_double() != 0;
  if (given->is_string() && is_duration(given->text())) {
    return given->text().find_first_of("123456789") != std::string::npos;
  }
  fields.refuse("keep_alive", "must be a duration, such as \"5m\" or a number of seconds");
  return true;
}

}  // namespace ingle
