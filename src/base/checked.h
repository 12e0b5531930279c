// Arithmetic on sizes that come from untrusted bytes: an overflow is an empty optional, never a wrapped number.
#pragma once

#include <cstdint>
#include <optional>

namespace ingle {

inline std::optional<uint64_t> checked_add(uint64_t a, uint64_t b) {
  uint64_t r;
  return __builtin_add_overflow(a, b, &r) ? std::nullopt : std::optional(r);
}

inline std::optional<uint64_t> checked_mul(uint64_t a, uint64_t b) {
  uint64_t r;
  return __builtin_mul_overflow(a, b, &r) ? std::nullopt : std::optional(r);
}

// a rounded up to a multiple of `unit`.
template <typename T>
constexpr T round_up(T a, T unit) {
  return (a + unit - 1) / unit * unit;
}

template <typename T>
constexpr T ceil_div(T a, T b) {
  return (a + b - 1) / b;
}

}  // namespace ingle
