// Small words for building the values that requests are made of, and for taking them apart.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "text/jinja_value.h"
#include "text/json_value.h"

namespace ingle {

inline jinja::Value text_value(std::string_view text) { return jinja::Value::string(std::string(text)); }

inline void set(jinja::Entries& entries, std::string_view key, jinja::Value value) {
  entries.emplace_back(text_value(key), std::move(value));
}

// The member of an object where it is text; else empty.
inline std::string text_of(const jinja::Value& object, std::string_view key) {
  const jinja::Value* value = find_member(object, key);
  return value != nullptr && value->is_string() ? value->text() : "";
}

}  // namespace ingle
