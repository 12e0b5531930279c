// The part of AnswerParser that reads tool calls.
#include <algorithm>
#include <array>

#include "text/answer_parser.h"
#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Value;
using Kind = AnswerDelta::Kind;
using Event = JsonScanner::Event;

constexpr size_t kMaxNameBytes = 256;
constexpr std::string_view kFunction = "<function=", kParameter = "<parameter=";
constexpr std::string_view kEndFunction = "</function>", kEndParameter = "</parameter>";

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

bool is_arguments_key(std::string_view key) { return key == "arguments" || key == "parameters"; }

// A key by which an object that is a call may begin.
bool is_call_key(std::string_view key) {
  return is_arguments_key(key) || key == "name" || key == "type" || key == "function" || key == "id";
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_json_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_json_space(text.back())) text.remove_suffix(1);
  return text;
}

const Value* find_arguments(const Value& call, std::string_view* key) {
  for (const char* name : {"arguments", "parameters"}) {
    const Value* value = call.dict_object().find(name);
    if (value == nullptr) continue;
    *key = name;
    return value;
  }
  return nullptr;
}

// What a parameter that is no string stands for: JSON, Python's words for it, or else its text.
Value typed_value(std::string_view text) {
  const std::string_view word = trimmed(text);
  if (word == "True" || word == "False") return Value(word == "True");
  if (word == "None") return Value::none();
  Result<Value> parsed = parse_json(word);
  return parsed.ok() ? std::move(parsed).value() : Value::string(std::string(text));
}

}  // namespace

const AnswerParserOptions::Tool* AnswerParser::find_tool(std::string_view name) const {
  const auto found = std::find_if(options_->tools.begin(), options_->tools.end(),
                                  [&](const AnswerParserOptions::Tool& tool) { return tool.name == name; });
  return found == options_->tools.end() ? nullptr : &*found;
}

bool AnswerParser::streams_arguments() const {
  return options_->stream_arguments || (!opener_->only_known && options_->holds_marked && options_->holds_marked());
}

bool AnswerParser::may_be_called(std::string_view name) const {
  if (opener_->only_known) return find_tool(name) != nullptr;
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
}

void AnswerParser::begin_call(std::string_view name) {
  space_.clear();
  say(Kind::kCallBegin, name);
  told_ = true;
}

void AnswerParser::end_call(bool cut) {
  say(Kind::kCallEnd, "");
  out_.back().cut = cut_ = cut;
  calls_++;
  told_ = in_arguments_ = false;
  attempt_.clear();
  scanner_.reset();
  mark_ = kNowhere;
  after_mark_ = true;
  skip_space_ = false;
  line_start_ = false;
  state_ = options_->one_call ? State::kDropped : State::kBetween;
}

// Of a call that is whole.
void AnswerParser::tell_call(std::string_view name, std::string_view arguments) {
  if (opener_->only_known && options_->takes && !options_->takes(name, arguments)) return give_back(attempt_.size());
  begin_call(name);
  say(Kind::kCallArguments, arguments);
  end_call();
}

void AnswerParser::give_back(size_t kept_bytes) {
  if (told_) {
    const std::string rest = std::exchange(attempt_, {});
    end_call(arguments_are_open());
    if (state_ == State::kBetween) state_ = State::kContent;
    return feed(rest);
  }
  const std::string text = std::exchange(attempt_, {});
  scanner_.reset();
  state_ = State::kContent;
  for (const char byte : text.substr(0, kept_bytes)) say_content(byte);
  feed(std::string_view(text).substr(kept_bytes));
}

void AnswerParser::call_byte(char byte) {
  attempt_ += byte;
  if (attempt_.size() > kMaxHeldBytes) return give_back(attempt_.size());
  switch (state_) {
    case State::kBlockStart:
      return block_start(byte);
    case State::kItem:
      return item_byte(byte);
    case State::kObject:
      return object_byte(byte);
    case State::kName:
      return name_byte(byte);
    case State::kAfterName:
      return after_name_byte();
    case State::kArgumentsStart:
      return arguments_start(byte);
    case State::kArguments:
      return arguments_byte(byte);
    case State::kBetween:
      return between_byte(byte);
    default:
      return xml_byte(byte);
  }
}

void AnswerParser::block_start(char byte) {
  mark_ = attempt_.size() - 1;
  if (is_json_space(byte)) return;
  if (byte == '{') return begin_object(State::kObject);
  if (byte == '[') {
    in_array_ = true;
    state_ = State::kItem;
  } else if (byte == '<') {
    state_ = State::kXmlOpen;
  } else if (opener_->names && is_name_byte(byte)) {
    state_ = State::kName;
  } else {
    give_back(mark_);
  }
}

void AnswerParser::item_byte(char byte) {
  if (is_json_space(byte)) return;
  if (byte == '{') return begin_object(State::kObject);
  give_back(attempt_.size() - 1);
}

void AnswerParser::name_byte(char byte) {
  if (is_name_byte(byte)) {
    if (since_mark().size() > kMaxNameBytes) give_back(attempt_.size());
    return;
  }
  name_ = attempt_.substr(mark_, attempt_.size() - 1 - mark_);
  mark_ = attempt_.size() - 1;
  if (byte == '{') return begin_object(State::kArguments);
  if (byte != '[') return give_back(mark_);
  state_ = State::kAfterName;
}

// [ARGS], or [CALL_ID]id[ARGS].
void AnswerParser::after_name_byte() {
  constexpr std::string_view kArgs = "[ARGS]", kCallId = "[CALL_ID]";
  std::string_view text = since_mark();
  if (kCallId.starts_with(text)) return;
  if (text.starts_with(kCallId)) {
    text.remove_prefix(kCallId.size());
    while (!text.empty() && is_name_byte(text.front())) text.remove_prefix(1);
    if (since_mark().size() > kMaxNameBytes) return give_back(attempt_.size());
  }
  if (text == kArgs) {
    state_ = State::kArgumentsStart;
  } else if (!kArgs.starts_with(text)) {
    give_back(mark_);
  }
}

void AnswerParser::arguments_start(char byte) {
  if (is_json_space(byte)) return;
  if (byte == '{') return begin_object(State::kArguments);
  give_back(attempt_.size() - 1);
}

// At its brace, the last byte of attempt_.
void AnswerParser::begin_object(State state) {
  state_ = state;
  object_ = attempt_.size() - 1;
  scanner_.emplace();
  scanner_->push('{');
  first_key_ = true;
  arguments_key_.clear();
  arguments_.clear();
  if (state == State::kObject) {
    name_.reset();
  } else if (streams_arguments()) {
    begin_call(*name_);
    say(Kind::kCallArguments, "{");
    attempt_.clear();
  }
}

void AnswerParser::arguments_byte(char byte) {
  const Event event = scanner_->push(byte);
  if (event == Event::kBroken) return give_back(attempt_.size() - 1);
  if (told_) {
    say(Kind::kCallArguments, {&byte, 1});
    attempt_.clear();
    if (event == Event::kEnd) end_call();
  } else if (event == Event::kEnd) {
    const std::string text = attempt_.substr(object_);
    if (!parse_json(text).ok()) return give_back(attempt_.size());
    tell_call(*name_, text);
  }
}

void AnswerParser::object_byte(char byte) {
  const Event event = scanner_->push(byte);
  if (event == Event::kBroken) return give_back(attempt_.size() - 1);
  if (event == Event::kEnd) return told_ ? end_call() : end_object();
  if (!told_) return member_event(event, byte);
  if (in_arguments_) say(Kind::kCallArguments, {&byte, 1});
  if (event == Event::kValueEnd) in_arguments_ = false;
  attempt_.clear();
}

void AnswerParser::member_event(Event event, char byte) {
  const std::string& key = scanner_->key();
  if (event == Event::kKey) {
    if (std::exchange(first_key_, false) && opener_->only_known && !is_call_key(key)) give_back(attempt_.size());
  } else if (event == Event::kValueBegin) {
    value_ = attempt_.size() - 1;
    const bool tell = byte == '{' && streams_arguments() && is_arguments_key(key) && name_;
    if (!tell || !may_be_called(*name_)) return;
    begin_call(*name_);
    in_arguments_ = true;
    say(Kind::kCallArguments, "{");
    attempt_.clear();
  } else if (event == Event::kValueEnd) {
    end_value(byte);
  }
}

void AnswerParser::end_value(char byte) {
  const std::string& key = scanner_->key();
  const std::string text = attempt_.substr(value_);
  if (is_arguments_key(key)) {
    arguments_key_ = key;
    arguments_ = text;
  } else if (key == "name" && byte == '"') {
    const Result<Value> parsed = parse_json(text);
    if (!parsed.ok() || !may_be_called(parsed->text())) return give_back(attempt_.size());
    name_ = parsed->text();
  }
}

void AnswerParser::end_object() {
  const Result<Value> parsed = parse_json(std::string_view(attempt_).substr(object_));
  if (!parsed.ok()) return give_back(attempt_.size());
  Value call = *parsed;
  const Value* function = call.dict_object().find("function");
  const bool nested = function != nullptr && function->is_dict();
  if (nested) call = Value(*function);
  const Value* name = call.dict_object().find("name");
  if (name == nullptr || !name->is_string() || !may_be_called(name->text())) return give_back(attempt_.size());
  std::string_view key;
  const Value* arguments = find_arguments(call, &key);
  if (arguments == nullptr || arguments->is_none()) {
    // By itself, an object with a name is not yet a call.
    if (opener_->only_known) return give_back(attempt_.size());
    return tell_call(name->text(), "{}");
  }
  if (arguments->is_dict()) {
    const bool as_written = !nested && key == arguments_key_;
    return tell_call(name->text(), as_written ? arguments_ : jinja::to_json_text(*arguments, {}));
  }
  // Some models write the text of the object in place of the object.
  const Result<Value> inner = arguments->is_string() ? parse_json(arguments->text()) : *arguments;
  if (!inner.ok() || !inner->is_dict()) return give_back(attempt_.size());
  tell_call(name->text(), arguments->text());
}

void AnswerParser::xml_byte(char byte) {
  switch (state_) {
    case State::kXmlOpen:
      if (since_mark() == kFunction) {
        state_ = State::kXmlName;
        mark_ = attempt_.size();
      } else if (!kFunction.starts_with(since_mark())) {
        give_back(std::max<size_t>(mark_, 1));
      }
      return;
    case State::kXmlName:
    case State::kXmlParameter:
      return xml_name_byte(byte);
    case State::kXmlBody:
      return xml_body_byte(byte);
    default:
      if (byte == '>' && since_mark().ends_with(kEndParameter)) end_xml_value();
  }
}

void AnswerParser::xml_name_byte(char byte) {
  const size_t size = since_mark().size();
  if (byte == '\n' || byte == '<' || size > kMaxNameBytes) return give_back(attempt_.size() - 1);
  if (byte != '>') return;
  const std::string name(trimmed(since_mark().substr(0, size - 1)));
  if (state_ == State::kXmlParameter) {
    if (name.empty()) return give_back(attempt_.size());
    parameter_ = name;
    mark_ = attempt_.size();
    state_ = State::kXmlValue;
    return;
  }
  if (!may_be_called(name)) return give_back(attempt_.size());
  name_ = name;
  parameters_.clear();
  mark_ = kNowhere;
  state_ = State::kXmlBody;
}

void AnswerParser::xml_body_byte(char byte) {
  if (mark_ == kNowhere) {
    if (is_json_space(byte)) return;
    if (byte != '<') return give_back(attempt_.size() - 1);
    mark_ = attempt_.size() - 1;
  }
  const std::string_view text = since_mark();
  if (text == kEndFunction) return end_xml();
  if (text == kParameter) {
    state_ = State::kXmlParameter;
    mark_ = attempt_.size();
  } else if (!kParameter.starts_with(text) && !kEndFunction.starts_with(text)) {
    give_back(mark_);
  }
}

void AnswerParser::end_xml_value() {
  std::string_view text = since_mark();
  text.remove_suffix(kEndParameter.size());
  // The template writes values on lines of their own.
  if (text.starts_with('\n')) text.remove_prefix(1);
  if (text.ends_with('\n')) text.remove_suffix(1);
  const AnswerParserOptions::Tool* tool = find_tool(*name_);
  const auto is_text = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), parameter_) != names.end();
  };
  const std::string_view word = trimmed(text);
  const bool is_null = word == "null" || word == "None";
  const bool as_text =
      tool != nullptr && (is_text(tool->text_parameters) || (!is_null && is_text(tool->text_or_null_parameters)));
  parameters_.emplace_back(Value::string(parameter_), as_text ? Value::string(std::string(text)) : typed_value(text));
  mark_ = kNowhere;
  state_ = State::kXmlBody;
}

void AnswerParser::end_xml() {
  std::string arguments;
  try {
    arguments = jinja::to_json_text(Value::dict(std::exchange(parameters_, {})), {});
  } catch (const jinja::TemplateError&) {  // keys that were chosen to collide
    return give_back(attempt_.size());
  }
  tell_call(*name_, arguments);
}

void AnswerParser::between_byte(char byte) {
  if (mark_ != kNowhere) return between_literal();
  if (is_json_space(byte)) return;
  if (byte == '{' && calls_ < kMaxCalls) return begin_object(State::kObject);
  if (byte == ',' || (byte == ';' && !in_array_)) return;
  if (byte == ']' && in_array_) {
    in_array_ = false;
    return attempt_.clear();
  }
  mark_ = attempt_.size() - 1;
  between_literal();
}

// What closes the block, or begins another call of it. Anything else is content.
void AnswerParser::between_literal() {
  const std::string_view text = since_mark();
  if (!opener_->close.empty() && text == opener_->close) {
    attempt_.clear();
    state_ = State::kContent;
  } else if (text == kFunction && calls_ < kMaxCalls) {
    state_ = State::kXmlName;
    mark_ = attempt_.size();
  } else if (!opener_->close.starts_with(text) && !kFunction.starts_with(text)) {
    state_ = State::kContent;
    feed(std::exchange(attempt_, {}));
  }
}

}  // namespace ingle
