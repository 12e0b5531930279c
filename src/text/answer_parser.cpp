#include "text/answer_parser.h"

#include <algorithm>

namespace ingle {
using Kind = AnswerDelta::Kind;

AnswerParser::AnswerParser(std::shared_ptr<const AnswerParserOptions> options) : options_(std::move(options)) {
  add_openers();
  if (options_->in_reasoning && !options_->syntax.reasoning_open.empty()) {
    state_ = State::kReasoning;
    reasoned_ = true;
  }
}

// Besides the model's own format, what small models write in its place: only for functions that there are.
void AnswerParser::add_openers() {
  const AnswerSyntax& syntax = options_->syntax;
  if (!syntax.reasoning_open.empty()) {
    openers_.push_back({.text = syntax.reasoning_open, .close = {}, .place = Place::kAnswerStart, .reasoning = true});
  }
  if (options_->tools.empty()) return;
  switch (syntax.calls) {
    case CallFormat::kMistral:
      openers_.push_back({.text = "[TOOL_CALLS]", .close = {}, .names = true});
      break;
    case CallFormat::kLlama:
      openers_.push_back({.text = "<|python_tag|>", .close = {}});
      break;
    case CallFormat::kQwenXml:
      openers_.push_back({.text = "<function=", .close = "</tool_call>", .is_body = true, .only_known = true});
      [[fallthrough]];
    case CallFormat::kHermes:
      openers_.push_back({.text = "<tool_call>", .close = "</tool_call>"});
      openers_.push_back({.text = "<tools>", .close = "</tools>", .place = Place::kLineStart, .only_known = true});
      break;
    case CallFormat::kJson:
      break;
  }
  if (options_->calls_first) {
    for (Opener& opener : openers_) opener.place = Place::kAnswerStart;
    const bool has_mark = syntax.calls != CallFormat::kJson && syntax.calls != CallFormat::kLlama;
    if (!has_mark)
      openers_.push_back({.text = "{", .close = {}, .place = Place::kAnswerStart, .is_body = true, .only_known = true});
    return;
  }
  const auto also = [&](const char* text, const char* close, Place place, bool is_body) {
    openers_.push_back({.text = text, .close = close, .place = place, .is_body = is_body, .only_known = true});
  };
  also("```json\n", "```", Place::kLineStart, false);
  also("{", "", Place::kAnswerStart, true);
  // "[TOOL_CALLS]" and "[THINK]" begin with a bracket, too.
  if (syntax.calls != CallFormat::kMistral && !syntax.reasoning_open.starts_with('[')) {
    also("[", "", Place::kAnswerStart, true);
  }
}

std::vector<AnswerDelta> AnswerParser::push(std::string_view text) {
  feed(utf8_.push(text));
  return std::exchange(out_, {});
}

std::vector<AnswerDelta> AnswerParser::finish() {
  feed(utf8_.finish());
  finish_calls();
  if (state_ == State::kReasoning) {
    for (const char byte : std::exchange(held_, {})) say_reasoning(byte);
  } else if (state_ == State::kContent) {
    for (const char byte : std::exchange(held_, {})) say_content(byte);
    if (!after_mark_) say(Kind::kContent, space_);
  }
  space_.clear();
  return std::exchange(out_, {});
}

AnswerParser::Part AnswerParser::part() const {
  switch (state_) {
    case State::kContent:
      if (!held_.empty()) return Part::kUnsettled;
      if (after_mark_) return calls_ > 0 ? Part::kCall : Part::kReasoning;
      return space_.empty() ? Part::kContent : Part::kUnsettled;
    case State::kReasoning:
      return Part::kReasoning;
    case State::kDropped:
      return Part::kCall;
    case State::kBetween:
      return mark_ == kNowhere ? Part::kCall : Part::kUnsettled;
    default:
      return told_ ? Part::kCall : Part::kUnsettled;
  }
}

// The answer ends inside a call, or after one.
void AnswerParser::finish_calls() {
  if (state_ == State::kContent || state_ == State::kReasoning || state_ == State::kDropped) return;
  if (state_ == State::kBetween) {
    // Half a closing mark is one that the end has cut off.
    if (mark_ != kNowhere && opener_->close.starts_with(since_mark())) attempt_.erase(mark_);
    state_ = State::kContent;
    return feed(std::exchange(attempt_, {}));
  }
  if (!told_) return give_back(attempt_.size());
  end_call(arguments_are_open());
  if (state_ == State::kBetween) state_ = State::kContent;
}

void AnswerParser::feed(std::string_view text) {
  for (const char byte : text) step(byte);
}

void AnswerParser::step(char byte) {
  switch (state_) {
    case State::kContent:
      return content_byte(byte);
    case State::kReasoning:
      return reasoning_byte(byte);
    case State::kDropped:
      return;
    default:
      return call_byte(byte);
  }
}

void AnswerParser::say(Kind kind, std::string_view text) {
  const bool is_text = kind == Kind::kContent || kind == Kind::kReasoning || kind == Kind::kCallArguments;
  if (is_text && text.empty()) return;
  const uint32_t call = kind == Kind::kContent || kind == Kind::kReasoning ? 0 : calls_;
  if (is_text && !out_.empty() && out_.back().kind == kind && out_.back().call == call) {
    out_.back().text += text;
  } else {
    out_.push_back({kind, call, std::string(text)});
  }
}

void AnswerParser::content_byte(char byte) {
  held_ += byte;
  while (!held_.empty()) {
    bool waits = false;
    for (const Opener& opener : openers_) {
      if (!opener.text.starts_with(held_) || !may_open(opener)) continue;
      if (opener.text.size() == held_.size()) return open(opener);
      waits = true;
    }
    if (waits) return;
    const char first = held_.front();
    held_.erase(0, 1);
    say_content(first);
  }
}

// Where held_ begins.
bool AnswerParser::may_open(const Opener& opener) const {
  if (opener.reasoning) return !reasoned_ && !said_content_ && calls_ == 0;
  if (calls_ == kMaxCalls) return false;
  switch (opener.place) {
    case Place::kAnywhere:
      return true;
    case Place::kLineStart:
      return line_start_;
    case Place::kAnswerStart:
      return !said_content_ && (calls_ == 0 || options_->calls_first);
  }
  return false;
}

void AnswerParser::open(const Opener& opener) {
  held_.clear();
  if (opener.reasoning) {
    reasoned_ = true;
    space_.clear();
    state_ = State::kReasoning;
    return;
  }
  opener_ = &opener;
  in_array_ = false;
  state_ = State::kBlockStart;
  attempt_ = opener.is_body ? "" : opener.text;
  if (opener.is_body) feed(opener.text);
}

void AnswerParser::say_content(char byte) {
  line_start_ = byte == '\n';
  if (is_json_space(byte)) {
    if (after_mark_ && skip_space_) return;
    const bool mark_may_follow = !openers_.empty() && (!options_->tools.empty() || !said_content_);
    space_ += byte;
    if (mark_may_follow && space_.size() <= kMaxHeldBytes) return;
    say(Kind::kContent, std::exchange(space_, {}));
    return;
  }
  after_mark_ = false;
  said_content_ = true;
  say(Kind::kContent, std::exchange(space_, {}));
  say(Kind::kContent, {&byte, 1});
}

void AnswerParser::reasoning_byte(char byte) {
  const AnswerSyntax& syntax = options_->syntax;
  held_ += byte;
  while (!held_.empty()) {
    if (held_ == syntax.reasoning_close) return end_reasoning();
    // Some models open once more what their prompt has opened.
    const bool may_open = options_->in_reasoning && !said_reasoning_;
    if (may_open && held_ == syntax.reasoning_open) return held_.clear();
    if (syntax.reasoning_close.starts_with(held_) || (may_open && syntax.reasoning_open.starts_with(held_))) return;
    const char first = held_.front();
    held_.erase(0, 1);
    say_reasoning(first);
  }
}

void AnswerParser::say_reasoning(char byte) {
  if (is_json_space(byte)) {
    if (!said_reasoning_) return;
    space_ += byte;
    if (space_.size() > kMaxHeldBytes) say(Kind::kReasoning, std::exchange(space_, {}));
    return;
  }
  said_reasoning_ = true;
  say(Kind::kReasoning, std::exchange(space_, {}));
  say(Kind::kReasoning, {&byte, 1});
}

void AnswerParser::end_reasoning() {
  held_.clear();
  space_.clear();
  after_mark_ = skip_space_ = line_start_ = true;
  state_ = State::kContent;
}

void ParsedAnswer::add(const AnswerDelta& delta) {
  switch (delta.kind) {
    case Kind::kReasoning:
      reasoning += delta.text;
      break;
    case Kind::kContent:
      content += delta.text;
      break;
    case Kind::kCallBegin:
      calls.push_back({.name = delta.text, .arguments = {}});
      break;
    case Kind::kCallArguments:
      calls.back().arguments += delta.text;
      break;
    case Kind::kCallEnd:
      calls.back().cut = delta.cut;
      break;
  }
}

}  // namespace ingle
