// Takes the text of one answer as it comes and tells apart what is reasoning, content and tool calls. Owned by the
// reader of the answer; one thread at a time.
//
// What always holds, for any text cut into any pieces:
// - Deltas say the same, however the text is cut: joined, they are equal. Nothing said is ever taken back.
// - Text that is no call after all is content, as it was written: nothing is lost but the marks around reasoning and
//   calls and the white space beside them.
// - Texts in deltas are well-formed UTF-8, whole characters.
// - Held back is no more than may still become a mark or a call, and at most kMaxHeldBytes of it, as of the white space
//   before it. Time is linear.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/answer_syntax.h"
#include "text/detokenizer.h"
#include "text/jinja_value.h"
#include "text/json_scanner.h"

namespace ingle {

struct AnswerDelta {
  enum class Kind : uint8_t {
    kReasoning,      // text: more of it
    kContent,        // text: more of it
    kCallBegin,      // text: the function's name
    kCallArguments,  // text: more of the JSON text that the arguments are
    kCallEnd,
  };
  Kind kind = Kind::kContent;
  uint32_t call = 0;  // which call of the answer, from 0
  std::string text;
  bool cut = false;  // kCallEnd: the answer ends in the midst of the arguments

  bool operator==(const AnswerDelta&) const = default;
};

struct AnswerParserOptions {
  struct Tool {
    std::string name;
    std::vector<std::string> text_parameters;  // those that are strings and nothing else
    std::vector<std::string> text_or_null_parameters = {};
  };
  AnswerSyntax syntax;
  std::vector<Tool> tools;    // that may be called; none: calls are not looked for
  bool in_reasoning = false;  // the prompt has opened the reasoning already
  // At most one call: what the answer says after it is left out.
  bool one_call = false;
  // Arguments are told as they come. Without it a call is told once all of it is there and valid, which is the only way
  // to be sure that it is one, unless a grammar holds the model to it. One that breaks or is cut off then ends early.
  bool stream_arguments = false;
  // Whether a grammar holds what follows the mark of the model's own form, so that the arguments of these calls may be
  // told as they come, too. None: no.
  std::function<bool()> holds_marked;
  // The answer begins with its calls, in the model's own form, or has none.
  bool calls_first = false;
  // Whether a call in another form than the model's own, which no grammar has held, is one that its function takes;
  // else it is content. None: all are.
  std::function<bool(std::string_view name, std::string_view arguments)> takes;
};

class AnswerParser {
 public:
  static constexpr size_t kMaxHeldBytes = size_t{1} << 20;
  static constexpr uint32_t kMaxCalls = 128;

  explicit AnswerParser(std::shared_ptr<const AnswerParserOptions> options);

  // What `text`, the next piece of the answer, brings.
  std::vector<AnswerDelta> push(std::string_view text);
  // What is left at the answer's end.
  std::vector<AnswerDelta> finish();

  uint32_t calls() const { return calls_; }       // told so far
  bool last_call_is_cut() const { return cut_; }  // in the midst of its arguments, which are no JSON then
  // What the text so far ends with, a part's marks and the white space behind them with it. Unsettled: that depends on
  // what follows.
  enum class Part : uint8_t { kContent, kReasoning, kCall, kUnsettled };
  Part part() const;

 private:
  enum class Place : uint8_t { kAnywhere, kLineStart, kAnswerStart };
  // A text that begins something else than content.
  struct Opener {
    std::string text;
    std::string close;  // ends a block of calls; empty: nothing does
    Place place = Place::kAnywhere;
    bool reasoning = false;   // it begins reasoning, else calls
    bool is_body = false;     // the text belongs to the first call already
    bool only_known = false;  // calls of functions that are not in `tools` are no calls here
    bool names = false;       // the function's name may stand before the arguments (Mistral)
  };
  enum class State : uint8_t {
    kContent,
    kReasoning,
    kBlockStart,      // after an opener: what kind of call?
    kItem,            // in an array of calls, before the first
    kObject,          // {"name": ..., "arguments": ...}
    kName,            // name[ARGS]{...}
    kAfterName,       // ... from the first bracket on
    kArgumentsStart,  // ... before the brace
    kArguments,
    kXmlOpen,  // <function=
    kXmlName,
    kXmlBody,
    kXmlParameter,  // its name
    kXmlValue,
    kBetween,  // after a call
    kDropped,  // after the only call
  };
  static constexpr size_t kNowhere = std::string::npos;

  void add_openers();
  void feed(std::string_view text);
  void step(char byte);
  void say(AnswerDelta::Kind kind, std::string_view text);

  // Content and reasoning.
  void content_byte(char byte);
  void reasoning_byte(char byte);
  void say_content(char byte);
  void say_reasoning(char byte);
  bool may_open(const Opener& opener) const;
  void open(const Opener& opener);
  void end_reasoning();
  void finish_calls();

  bool streams_arguments() const;

  // Calls (answer_calls.cpp). Each of these has its byte in attempt_ already.
  void call_byte(char byte);
  void block_start(char byte);
  void item_byte(char byte);
  void name_byte(char byte);
  void after_name_byte();
  void arguments_start(char byte);
  void begin_object(State state);
  void object_byte(char byte);
  void member_event(JsonScanner::Event event, char byte);
  void end_value(char byte);
  void end_object();
  void arguments_byte(char byte);
  void xml_byte(char byte);
  void xml_name_byte(char byte);
  void xml_body_byte(char byte);
  void end_xml_value();
  void end_xml();
  void between_byte(char byte);
  void between_literal();

  std::string_view since_mark() const { return std::string_view(attempt_).substr(mark_); }
  const AnswerParserOptions::Tool* find_tool(std::string_view name) const;
  bool may_be_called(std::string_view name) const;
  void begin_call(std::string_view name);
  void end_call(bool cut = false);
  // Of a call that is told.
  bool arguments_are_open() const { return in_arguments_ || state_ == State::kArguments; }
  void tell_call(std::string_view name, std::string_view arguments);
  // There is no call: the first `kept_bytes` of attempt_ are content, and the rest is read again as an answer's text.
  void give_back(size_t kept_bytes);

  const std::shared_ptr<const AnswerParserOptions> options_;
  std::vector<Opener> openers_;
  Utf8Stream utf8_;
  std::vector<AnswerDelta> out_;
  State state_ = State::kContent;

  std::string held_;   // what may become an opener or the end of the reasoning
  std::string space_;  // white space that is left out if a mark follows
  bool said_content_ = false, said_reasoning_ = false;
  bool reasoned_ = false;    // the reasoning has begun
  bool line_start_ = true;   // of the text that follows
  bool after_mark_ = false;  // nothing but white space came since a call or the reasoning
  bool skip_space_ = false;  // and that is left out whatever follows

  const Opener* opener_ = nullptr;
  std::string attempt_;  // the text since the opener, or since the last call or what has been told of it
  size_t mark_ = 0;      // where in attempt_ the part that is being read begins
  bool in_array_ = false;
  std::optional<JsonScanner> scanner_;
  size_t object_ = 0, value_ = 0;  // where in attempt_ they begin
  bool first_key_ = true;
  std::optional<std::string> name_;
  std::string arguments_key_, arguments_;
  bool told_ = false;          // the call's beginning: it can't be given back any more
  bool in_arguments_ = false;  // which are told as they come
  bool cut_ = false;           // of the last call
  jinja::Entries parameters_;
  std::string parameter_;
  uint32_t calls_ = 0;
};

// A whole answer's deltas, joined.
struct ParsedAnswer {
  struct Call {
    std::string name, arguments;
    bool cut = false;  // as AnswerDelta has it
  };
  std::string reasoning, content;
  std::vector<Call> calls;

  bool calls_tools() const { return !calls.empty() && !calls.back().cut; }
  void add(const AnswerDelta& delta);
};

}  // namespace ingle
