// The metadata of GGUF files as JSON. Pure functions, any thread.
#pragma once

#include <boost/json.hpp>

#include "format/gguf.h"

namespace ingle {

inline constexpr size_t kMaxGgufArrayItems = 64;  // longer arrays (vocabularies) are named, not written out

// Floats have the digits that tell them from others of their width, none where JSON has no number for them (null).
// Arrays of more than `max_items` are {"type","length"}. Text that is no UTF-8 has U+FFFD in its place.
boost::json::value gguf_value_json(const GgufValue& value, size_t max_items = kMaxGgufArrayItems);

}  // namespace ingle
