// Follows the text of a JSON object byte by byte: where it ends, where the values of its top level lie, and that it is
// broken as soon as it is. Used by AnswerParser on what a model writes. One thread at a time; nesting is bounded, time
// per byte is constant. Strict (RFC 8259) but for half surrogate pairs in \u escapes, which it lets pass.
#pragma once

#include <cstdint>
#include <string>

namespace ingle {

inline bool is_json_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class JsonScanner {
 public:
  enum class Event : uint8_t {
    kNone,
    kKey,         // the byte ends a key of the top level: key()
    kValueBegin,  // the byte is the first of that key's value
    kValueEnd,    // the byte is the last of that value, which is a string, an array or an object
    kEnd,         // the byte is the object's last
    kBroken,      // no object goes on like this
  };

  // The first byte has to be the opening brace. Not to be called after kEnd or kBroken.
  Event push(char byte);
  // As it is spelled, escapes and all; of a very long one the beginning.
  const std::string& key() const { return key_; }

 private:
  enum class State : uint8_t {
    kStart,
    kFirstKey,
    kKey,
    kColon,
    kFirstItem,
    kValue,
    kAfterValue,
    kString,
    kEscape,
    kHex,
    kNumber,
    kLiteral,
  };
  enum class Number : uint8_t { kMinus, kZero, kInteger, kPoint, kFraction, kE, kSign, kExponent };

  Event string_byte(char byte);
  Event between_byte(char byte);
  Event begin_value(char byte);
  Event open(char bracket, Event event);
  Event close();
  Event end_value() const { return open_.size() == 1 ? Event::kValueEnd : Event::kNone; }
  bool continue_number(char byte);
  bool number_may_end() const;

  State state_ = State::kStart;
  Number number_ = Number::kMinus;
  const char* literal_ = "";  // what has to follow of it
  uint8_t hex_digits_ = 0;    // of an escape
  bool in_key_ = false;
  std::string open_;  // the brackets that are open
  std::string key_;
};

}  // namespace ingle
