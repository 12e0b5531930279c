// JSON written as text where a tree of values would take many times the memory: answers with log-probabilities.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace ingle {

// A string in quotes, escaped. `text` is UTF-8.
std::string json_string(std::string_view text);
// A finite number.
std::string json_number(double value);

// An array or object in the making.
class JsonList {
 public:
  explicit JsonList(char open) : text_(1, open), close_(open == '[' ? ']' : '}') {}
  // `json` is an array's element.
  void add(std::string_view json) {
    if (text_.size() > 1) text_ += ',';
    text_ += json;
  }
  void add(std::string_view key, std::string_view json) {
    add(json_string(key));
    text_ += ':';
    text_ += json;
  }
  std::string text() && {
    text_ += close_;
    return std::move(text_);
  }

 private:
  std::string text_;
  const char close_;
};

// The text of an object with one more field.
std::string with_field(std::string object, std::string_view key, std::string_view json);

}  // namespace ingle
