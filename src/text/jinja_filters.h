// The filters of Jinja, in the files by what they work on; find_filter (jinja_runtime.h) knows them all.
#pragma once

#include <string_view>
#include <unordered_map>

#include "text/jinja_runtime.h"

namespace ingle::jinja {

using FilterTable = std::unordered_map<std::string_view, NativeFn>;
const FilterTable& value_filters();     // jinja_filters.cpp
const FilterTable& sequence_filters();  // jinja_filters_sequence.cpp
const FilterTable& text_filters();      // jinja_filters_text.cpp

// The way from an item to what `attribute` names in it: "a.b.0", a name, an index, or none for the item itself.
class AttributePath {
 public:
  explicit AttributePath(Runtime& rt, const Value& attribute);
  Value of(Runtime& rt, Value item, const Value* otherwise = nullptr) const;

 private:
  Items parts_;
};

// What filters compare by: strings without their case, unless asked.
Value sort_key(Runtime& rt, const Value& v, bool case_sensitive);

}  // namespace ingle::jinja
