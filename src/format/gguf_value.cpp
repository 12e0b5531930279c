// Values of GGUF metadata: their names, their conversions, and their text in messages.
#include <fmt/format.h>

#include <array>
#include <variant>

#include "format/gguf_parser.h"

namespace ingle {
namespace {

constexpr size_t kMaxQuotedBytes = 80;
constexpr std::array<const char*, 13> kTypeNames = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                    "bool", "string", "array", "u64", "i64", "f64"};
static_assert(kTypeNames.size() == std::variant_size_v<GgufValue>);

}  // namespace

std::string gguf_type_name(const GgufValue& value) {
  if (const auto* array = std::get_if<GgufArray>(&value)) {
    const size_t index = array->index();
    return std::string("array of ") + kTypeNames[index < 9 ? index : index + 1];
  }
  return kTypeNames[value.index()];
}

std::string gguf_quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, kMaxQuotedBytes)) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  if (text.size() > kMaxQuotedBytes) out += "...";
  return out += '\'';
}

Error gguf_type_error(const GgufEntry& entry, std::string_view expected) {
  return {ErrorCode::kInvalidData,
          fmt::format("metadata key {} at byte {} is {}, expected {}", gguf_quote(entry.key), entry.offset_bytes,
                      gguf_type_name(entry.value), expected),
          ""};
}

Result<uint64_t> gguf_unsigned(const GgufEntry& entry, uint64_t max) {
  return std::visit(
      [&](const auto& v) -> Result<uint64_t> {
        using V = std::decay_t<decltype(v)>;
        if constexpr (std::is_integral_v<V> && !std::is_same_v<V, bool>) {
          if (!std::in_range<uint64_t>(v) || static_cast<uint64_t>(v) > max) {
            return Error{ErrorCode::kInvalidData,
                         fmt::format("metadata key {} at byte {} is {}, expected 0 to {}", gguf_quote(entry.key),
                                     entry.offset_bytes, v, max),
                         ""};
          }
          return static_cast<uint64_t>(v);
        } else {
          return gguf_type_error(entry, "an integer");
        }
      },
      entry.value);
}

}  // namespace ingle
