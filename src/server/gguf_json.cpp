#include "server/gguf_json.h"

#include <charconv>
#include <cmath>
#include <type_traits>

#include "text/utf8.h"

namespace ingle {
namespace {

namespace json = boost::json;

template <typename T>
json::value scalar_json(const T& value) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    return json::string(replace_each_invalid_byte(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) return nullptr;
    // 0.002 and not the digits of the float beyond what it holds.
    char digits[64];
    double shortest = 0;
    std::from_chars(digits, std::to_chars(digits, digits + sizeof digits, value).ptr, shortest);
    return shortest;
  } else {
    return json::value(value);
  }
}

json::value array_json(const GgufArray& array, const std::string& type, size_t max_items) {
  return std::visit(
      [&](const auto& items) -> json::value {
        if (items.size() > max_items) return json::object{{"type", type}, {"length", items.size()}};
        json::array out;
        for (const auto& item : items) {
          using Item = typename std::decay_t<decltype(items)>::value_type;
          out.push_back(scalar_json(static_cast<Item>(item)));
        }
        return out;
      },
      array);
}

}  // namespace

json::value gguf_value_json(const GgufValue& value, size_t max_items) {
  return std::visit(
      [&](const auto& v) -> json::value {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, GgufArray>) {
          return array_json(v, gguf_type_name(value), max_items);
        } else {
          return scalar_json(v);
        }
      },
      value);
}

}  // namespace ingle
