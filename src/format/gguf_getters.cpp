// The typed getters of GgufFile: which stored types a request accepts, and the conversions.
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "format/gguf.h"
#include "format/gguf_parser.h"

namespace ingle {
namespace {

template <typename T>
constexpr bool kIsInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

Error range_error(const GgufEntry& entry, std::string_view value, std::string_view expected) {
  return {ErrorCode::kInvalidData,
          fmt::format("metadata key {} at byte {} is {}, expected {}", gguf_quote(entry.key), entry.offset_bytes, value,
                      expected),
          ""};
}

// `value` of f64 as a float type whose largest number is `max`: infinities and NaN pass, a finite value must stay
// finite.
bool fits(double value, double max) { return !std::isfinite(value) || std::abs(value) <= max; }

}  // namespace

Result<int64_t> GgufFile::get_signed(std::string_view key, int64_t min, int64_t max) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, require(key));
  return std::visit(
      [&](const auto& v) -> Result<int64_t> {
        if constexpr (kIsInteger<std::decay_t<decltype(v)>>) {
          if (std::cmp_less(v, min) || std::cmp_greater(v, max)) {
            return range_error(*entry, fmt::to_string(v), fmt::format("{} to {}", min, max));
          }
          return static_cast<int64_t>(v);
        } else {
          return gguf_type_error(*entry, "an integer");
        }
      },
      entry->value);
}

Result<uint64_t> GgufFile::get_unsigned(std::string_view key, uint64_t max) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, require(key));
  return gguf_unsigned(*entry, max);
}

Result<double> GgufFile::get_double(std::string_view key, double max) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, require(key));
  if (const auto* v = std::get_if<float>(&entry->value)) return static_cast<double>(*v);
  const auto* v = std::get_if<double>(&entry->value);
  if (v == nullptr) return gguf_type_error(*entry, "f32 or f64");
  if (!fits(*v, max)) return range_error(*entry, fmt::to_string(*v), fmt::format("at most {}", max));
  return *v;
}

Result<bool> GgufFile::get_bool(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, require(key));
  if (const auto* v = std::get_if<bool>(&entry->value)) return *v;
  return gguf_type_error(*entry, "bool");
}

Result<std::string_view> GgufFile::get_string(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, require(key));
  if (const auto* v = std::get_if<std::string_view>(&entry->value)) return *v;
  return gguf_type_error(*entry, "string");
}

Result<const std::vector<std::string_view>*> GgufFile::strings(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, require(key));
  if (const auto* array = std::get_if<GgufArray>(&entry->value)) {
    if (const auto* v = std::get_if<std::vector<std::string_view>>(array)) return v;
  }
  return gguf_type_error(*entry, "array of string");
}

Result<const std::vector<bool>*> GgufFile::bools(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, require(key));
  if (const auto* array = std::get_if<GgufArray>(&entry->value)) {
    if (const auto* v = std::get_if<std::vector<bool>>(array)) return v;
  }
  return gguf_type_error(*entry, "array of bool");
}

Result<std::vector<float>> GgufFile::floats(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, require(key));
  const auto* array = std::get_if<GgufArray>(&entry->value);
  if (array == nullptr) return gguf_type_error(*entry, "array of f32 or f64");
  return std::visit(
      [&](const auto& values) -> Result<std::vector<float>> {
        using T = typename std::decay_t<decltype(values)>::value_type;
        if constexpr (std::is_floating_point_v<T>) {
          std::vector<float> out;
          out.reserve(values.size());
          for (const T v : values) {
            if (!fits(v, std::numeric_limits<float>::max())) {
              return range_error(*entry, fmt::format("an array with the element {}", v), "f32 values");
            }
            out.push_back(static_cast<float>(v));
          }
          return out;
        } else if constexpr (kIsInteger<T>) {
          if (values.empty()) return std::vector<float>();
        }
        return gguf_type_error(*entry, "array of f32 or f64");
      },
      *array);
}

Result<std::vector<int64_t>> GgufFile::ints(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, require(key));
  const auto* array = std::get_if<GgufArray>(&entry->value);
  if (array == nullptr) return gguf_type_error(*entry, "array of integers");
  return std::visit(
      [&](const auto& values) -> Result<std::vector<int64_t>> {
        using T = typename std::decay_t<decltype(values)>::value_type;
        if constexpr (kIsInteger<T>) {
          std::vector<int64_t> out;
          out.reserve(values.size());
          for (const T v : values) {
            if (!std::in_range<int64_t>(v)) {
              return range_error(*entry, fmt::format("an array with the element {}", v), "signed 64-bit integers");
            }
            out.push_back(static_cast<int64_t>(v));
          }
          return out;
        } else if constexpr (std::is_floating_point_v<T>) {
          if (values.empty()) return std::vector<int64_t>();
        }
        return gguf_type_error(*entry, "array of integers");
      },
      *array);
}

}  // namespace ingle
