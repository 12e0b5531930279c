// JSON text to and from values, with the results of Python's json module: what templates see and what `tojson` writes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "text/jinja_value.h"

namespace ingle {

inline constexpr size_t kMaxJsonDepth = 200;

// Parses one JSON document (RFC 8259). Objects keep their order, a repeated key keeps its first place and last value,
// integers outside 64 bits keep their digits, doubles are correctly rounded. Nesting is bounded at kMaxJsonDepth.
// Errors: kInvalidData with the byte offset.
Result<jinja::Value> parse_json(std::string_view text);

// The JSON text with \ufffd in place of each escape of half a surrogate pair, which is no character and so an error to
// parse_json(); nothing if there is none. Other text, JSON or not, stays as it is.
std::optional<std::string> without_lone_surrogates(std::string_view text);

// The member of an object; null if `value` is no object, or the member is not there or null.
const jinja::Value* find_member(const jinja::Value& value, std::string_view key);
// The object with one member more, or another value of it.
jinja::Value with_member(const jinja::Value& object, std::string_view key, jinja::Value value);

namespace jinja {

struct JsonStyle {
  bool ascii = false;  // escape everything outside ASCII
  bool sort_keys = false;
  std::optional<std::string> indent;  // per level; none keeps everything on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  Budget* budget = nullptr;
};

// json.dumps. Throws TemplateError for what JSON can't express.
std::string to_json_text(const Value& v, const JsonStyle& style);

}  // namespace jinja
}  // namespace ingle
