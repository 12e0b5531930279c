#include "text/json_scanner.h"

#include <string_view>

#include "text/json_value.h"

namespace ingle {
namespace {

constexpr size_t kMaxKeyBytes = 256;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

}  // namespace

JsonScanner::Event JsonScanner::push(char byte) {
  switch (state_) {
    case State::kString:
    case State::kEscape:
    case State::kHex:
      return string_byte(byte);
    case State::kLiteral:
      if (byte != *literal_) return Event::kBroken;
      if (*++literal_ == '\0') state_ = State::kAfterValue;
      return Event::kNone;
    case State::kNumber:
      if (continue_number(byte)) return Event::kNone;
      if (!number_may_end()) return Event::kBroken;
      state_ = State::kAfterValue;
      return between_byte(byte);
    default:
      return between_byte(byte);
  }
}

JsonScanner::Event JsonScanner::string_byte(char byte) {
  if (state_ == State::kEscape) {
    if (std::string_view("\"\\/bfnrtu").find(byte) == std::string_view::npos) return Event::kBroken;
    state_ = byte == 'u' ? State::kHex : State::kString;
    hex_digits_ = 0;
  } else if (state_ == State::kHex) {
    if (!is_hex(byte)) return Event::kBroken;
    if (++hex_digits_ == 4) state_ = State::kString;
  } else if (byte == '"') {
    if (!in_key_) {
      state_ = State::kAfterValue;
      return end_value();
    }
    state_ = State::kColon;
    return open_.size() == 1 ? Event::kKey : Event::kNone;
  } else if (static_cast<unsigned char>(byte) < 0x20) {
    return Event::kBroken;
  } else if (byte == '\\') {
    state_ = State::kEscape;
  }
  if (in_key_ && open_.size() == 1 && key_.size() < kMaxKeyBytes) key_ += byte;
  return Event::kNone;
}

// A byte outside strings, numbers and literals.
JsonScanner::Event JsonScanner::between_byte(char byte) {
  if (state_ == State::kStart) return byte == '{' ? open(byte, Event::kNone) : Event::kBroken;
  if (is_json_space(byte)) return Event::kNone;
  switch (state_) {
    case State::kFirstKey:
      if (byte == '}') return close();
      [[fallthrough]];
    case State::kKey:
      if (byte != '"') return Event::kBroken;
      in_key_ = true;
      if (open_.size() == 1) key_.clear();
      state_ = State::kString;
      return Event::kNone;
    case State::kColon:
      if (byte != ':') return Event::kBroken;
      state_ = State::kValue;
      return Event::kNone;
    case State::kFirstItem:
      return byte == ']' ? close() : begin_value(byte);
    case State::kValue:
      return begin_value(byte);
    default:  // after a value
      if (byte == ',') {
        state_ = open_.back() == '{' ? State::kKey : State::kValue;
        return Event::kNone;
      }
      return byte == (open_.back() == '{' ? '}' : ']') ? close() : Event::kBroken;
  }
}

JsonScanner::Event JsonScanner::begin_value(char byte) {
  const Event event = open_.size() == 1 ? Event::kValueBegin : Event::kNone;
  if (byte == '{' || byte == '[') return open(byte, event);
  if (byte == '"') {
    in_key_ = false;
    state_ = State::kString;
  } else if (byte == '-' || is_digit(byte)) {
    number_ = byte == '-' ? Number::kMinus : byte == '0' ? Number::kZero : Number::kInteger;
    state_ = State::kNumber;
  } else if (byte == 't' || byte == 'f' || byte == 'n') {
    literal_ = byte == 't' ? "rue" : byte == 'f' ? "alse" : "ull";
    state_ = State::kLiteral;
  } else {
    return Event::kBroken;
  }
  return event;
}

JsonScanner::Event JsonScanner::open(char bracket, Event event) {
  if (open_.size() == kMaxJsonDepth) return Event::kBroken;
  open_ += bracket;
  state_ = bracket == '{' ? State::kFirstKey : State::kFirstItem;
  return event;
}

JsonScanner::Event JsonScanner::close() {
  open_.pop_back();
  state_ = State::kAfterValue;
  return open_.empty() ? Event::kEnd : end_value();
}

bool JsonScanner::continue_number(char byte) {
  const bool digit = is_digit(byte), e = byte == 'e' || byte == 'E';
  const auto go = [&](Number next) {
    number_ = next;
    return true;
  };
  switch (number_) {
    case Number::kMinus:
      return digit && go(byte == '0' ? Number::kZero : Number::kInteger);
    case Number::kZero:
    case Number::kInteger:
      if (digit) return number_ == Number::kInteger;
      return (byte == '.' && go(Number::kPoint)) || (e && go(Number::kE));
    case Number::kPoint:
      return digit && go(Number::kFraction);
    case Number::kFraction:
      return digit || (e && go(Number::kE));
    case Number::kE:
      if (byte == '+' || byte == '-') return go(Number::kSign);
      [[fallthrough]];
    case Number::kSign:
      return digit && go(Number::kExponent);
    case Number::kExponent:
      return digit;
  }
  return false;
}

bool JsonScanner::number_may_end() const {
  return number_ == Number::kZero || number_ == Number::kInteger || number_ == Number::kFraction ||
         number_ == Number::kExponent;
}

}  // namespace ingle
