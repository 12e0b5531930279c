// Small words for building the values that requests are made of.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "text/jinja_value.h"

namespace ingle {

inline jinja::Value text_value(std::string_view text) { return jinja::Value::string(std::string(text)); }

inline void set(jinja::Entries& entries, std::string_view key, jinja::Value value) {
  entries.emplace_back(text_value(key), std::move(value));
}

}  // namespace ingle
