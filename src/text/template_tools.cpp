#include "text/template_tools.h"

#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Entries;
using jinja::Items;
using jinja::Value;
using Variables = std::vector<std::pair<std::string, Value>>;

constexpr const char* kProbeTools =
    R"([{"type":"function","function":{"name":"probe_function","description":"probe","parameters":)"
    R"({"type":"object","properties":{"a":{"type":"string","description":"probe"}},"required":["a"]}}}])";

Value json(const std::string& text) {
  Result<Value> parsed = parse_json(text);
  CHECK(parsed.ok());
  return std::move(parsed).value();
}

// What the template makes of it; empty if it refuses.
std::string render(const ChatTemplate& chat_template, const Variables& variables, const std::string& messages,
                   bool with_tools) {
  ChatInput input;
  input.messages = json(messages);
  if (with_tools) input.tools = json(kProbeTools);
  input.variables = variables;
  Result<std::string> text = chat_template.render(input);
  return text.ok() ? std::move(text).value() : "";
}

std::string call_messages(const std::string& id, const std::string& arguments) {
  return R"([{"role":"user","content":"x"},{"role":"assistant","content":"","tool_calls":[{"id":")" + id +
         R"(","type":"function","function":{"name":"probe_function","arguments":)" + arguments +
         R"(}}]},{"role":"tool","tool_call_id":")" + id + R"(","name":"probe_function","content":"y"}])";
}

std::string text_of(const Value& dict, std::string_view key) {
  const Value* value = find_member(dict, key);
  return value != nullptr && value->is_string() ? value->text() : "";
}

Value message(const std::string& role, std::string content) {
  return Value::dict(
      {{Value::string("role"), Value::string(role)}, {Value::string("content"), Value::string(std::move(content))}});
}

// Nine letters or digits stay; anything else becomes nine that are the same for the same id.
std::string short_id(const std::string& id) {
  const auto is_plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (id.size() == 9 && std::all_of(id.begin(), id.end(), is_plain)) return id;
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  char text[10];
  std::snprintf(text, sizeof text, "%09llx", static_cast<unsigned long long>(hash >> 28));
  return text;
}

// The call as an object by itself: how a model that knows no other form writes it.
std::string call_in_words(const Value& call) {
  const Value* function = find_member(call, "function");
  const Value& said = function != nullptr && function->is_dict() ? *function : call;
  const Value* arguments = find_member(said, "arguments");
  return jinja::to_json_text(
      Value::dict({{Value::string("name"), Value::string(text_of(said, "name"))},
                   {Value::string("arguments"), arguments != nullptr ? *arguments : Value::dict({})}}),
      {});
}

std::string tools_in_words(const Value& tools) {
  std::string out = "You can call these functions, each given as JSON with a schema of its parameters:\n\n";
  for (const Value& tool : tools.items()) {
    const Value* function = find_member(tool, "function");
    out += jinja::to_json_text(function != nullptr ? *function : tool, {}) + "\n";
  }
  return out +
         "\nTo call one, answer with nothing but a JSON object of this form, one a line if you call several:\n"
         "{\"name\": \"NAME OF THE FUNCTION\", \"arguments\": {\"PARAMETER\": \"VALUE\"}}\n"
         "The user then gives you what the function returned.";
}

bool has_calls(const Value& message) {
  const Value* calls = find_member(message, "tool_calls");
  return calls != nullptr && calls->is_sequence() && !calls->items().empty();
}

// Messages of roles and texts. Some templates insist on roles that take turns, so what a user says in a row is joined.
class Turns {
 public:
  void user(const std::string& text) {
    if (!user_text_.empty()) user_text_ += "\n\n";
    user_text_ += text;
    user_waits_ = true;
  }
  void other(Value message) {
    end_user();
    messages_.push_back(std::move(message));
  }
  Value take() {
    end_user();
    return Value::list(std::move(messages_));
  }

 private:
  void end_user() {
    if (!user_waits_) return;
    messages_.push_back(message("user", std::exchange(user_text_, {})));
    user_waits_ = false;
  }

  Items messages_;
  std::string user_text_;
  bool user_waits_ = false;
};

}  // namespace

TemplateTools TemplateTools::probe(const ChatTemplate& chat_template, const Variables& variables) {
  const auto says = [&](const std::string& messages, bool with_tools, std::string_view part) {
    return render(chat_template, variables, messages, with_tools).find(part) != std::string::npos;
  };
  TemplateTools tools;
  tools.lists_tools_ = says(R"([{"role":"user","content":"x"}])", true, "probe_function");
  tools.takes_system_ =
      says(R"([{"role":"system","content":"probe_system"},{"role":"user","content":"x"}])", false, "probe_system");
  if (!tools.lists_tools_) return tools;
  // Printed as Python would, an object has other quotes.
  const std::string object = R"({"probe_key":"v"})", text = R"("{\"probe_key\":\"v\"}")";
  const char* id = "abcdefghi";
  tools.object_arguments_ =
      says(call_messages(id, object), true, "\"probe_key\"") || !says(call_messages(id, text), true, "probe_key");
  const std::string& takes = tools.object_arguments_ ? object : text;
  tools.short_ids_ = says(call_messages(id, takes), true, "probe_key") &&
                     !says(call_messages("call_0123456789", takes), true, "probe_key");
  return tools;
}

Status TemplateTools::prepare(ChatInput& input) const {
  if (!input.messages.is_sequence()) return {};
  const bool has_tools = input.tools.is_sequence() && !input.tools.items().empty();
  if (!has_tools) input.tools = Value::none();
  const Items& messages = input.messages.items();
  const bool about_tools = has_tools || std::any_of(messages.begin(), messages.end(), [](const Value& m) {
                             return has_calls(m) || text_of(m, "role") == "tool";
                           });
  if (!about_tools) return {};
  try {
    if (lists_tools_) {
      prepare_calls(input);
    } else {
      put_in_words(input);
    }
  } catch (const jinja::TemplateError& e) {
    return Error{ErrorCode::kInvalidArgument, "messages: " + e.message, ""};
  }
  return {};
}

void TemplateTools::prepare_calls(ChatInput& input) const {
  if (object_arguments_ && !short_ids_) return;
  Items messages;
  for (const Value& given : input.messages.items()) {
    Value message = given;
    if (short_ids_ && find_member(given, "tool_call_id") != nullptr) {
      message = with_member(message, "tool_call_id", Value::string(short_id(text_of(given, "tool_call_id"))));
    }
    if (has_calls(given)) {
      Items calls;
      for (Value call : find_member(given, "tool_calls")->items()) {
        if (short_ids_ && call.is_dict()) call = with_member(call, "id", Value::string(short_id(text_of(call, "id"))));
        const Value* function = find_member(call, "function");
        const Value* arguments = function == nullptr ? nullptr : find_member(*function, "arguments");
        if (!object_arguments_ && arguments != nullptr && !arguments->is_string()) {
          const Value text = Value::string(jinja::to_json_text(*arguments, {}));
          call = with_member(call, "function", with_member(*function, "arguments", text));
        }
        calls.push_back(std::move(call));
      }
      message = with_member(message, "tool_calls", Value::list(std::move(calls)));
    }
    messages.push_back(std::move(message));
  }
  input.messages = Value::list(std::move(messages));
}

void TemplateTools::put_in_words(ChatInput& input) const {
  const bool has_tools = input.tools.is_sequence();
  std::string words = has_tools ? tools_in_words(input.tools) : "";
  input.tools = Value::none();
  Turns turns;
  if (!takes_system_ && has_tools) turns.user(words);
  bool first = true;
  for (const Value& given : input.messages.items()) {
    const std::string role = text_of(given, "role"), content = text_of(given, "content");
    const bool carries = std::exchange(first, false) && takes_system_ && has_tools;
    if (carries && role == "system") {
      turns.other(message(role, content + "\n\n" + words));
      continue;
    }
    if (carries) turns.other(message("system", words));
    if (has_calls(given)) {
      std::string said = content;
      for (const Value& call : find_member(given, "tool_calls")->items()) {
        said += (said.empty() ? "" : "\n") + call_in_words(call);
      }
      turns.other(message(role, std::move(said)));
    } else if (role == "tool") {
      turns.user("The function returned:\n" + content);
    } else if (role == "user") {
      turns.user(content);
    } else {
      turns.other(given);
    }
  }
  input.messages = turns.take();
}

}  // namespace ingle
