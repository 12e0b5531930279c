// Bytes as lower-case hexadecimal digits, as digests and ids are written.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace ingle {

inline std::string to_hex(std::span<const uint8_t> bytes) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

}  // namespace ingle
