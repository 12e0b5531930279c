// exp and log in double with the same bits on every machine and compiler: built from + - * / alone (no libm, no fma,
// whose emulation is slow where the compiler may not assume the instruction), simple enough to be vectorised.
// Pure functions, any thread, default floating-point environment.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace ingle {

// e^x within 2 ulp. 0 below -708 (never a denormal), infinity above 709, NaN for NaN.
// With n = round(x / ln 2) and r = x - n ln 2, |r| <= 0.35: 2^n times the Taylor series of e^r.
inline double det_exp(double x) {
  // The sum's unit is 1, so that its low bits hold n.
  constexpr double kRound = 0x1.8p52;
  // ln 2 in two parts; the high one has 21 trailing zeros, so that n times it is exact.
  constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33, kLog2E = 0x1.71547652b82fep+0;
  const double clamped = x < -708 ? -708.0 : x > 709 ? 709.0 : x;
  const double sum = clamped * kLog2E + kRound;
  const double n = sum - kRound;
  const double r = (clamped - n * kLn2High) - n * kLn2Low;
  double p = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = (p * r + 1) * r + 1;
  const double scale = std::bit_cast<double>((std::bit_cast<uint64_t>(sum) << 52) + std::bit_cast<uint64_t>(1.0));
  const double result = p * scale;
  return x < -708 ? 0.0 : x > 709 ? std::numeric_limits<double>::infinity() : result;
}

// The natural logarithm of a positive normal number within 2 ulp (absolute 1e-16 near 1); -infinity for 0, infinity for
// infinity, NaN for anything else.
// x = m 2^e with m in [sqrt 1/2, sqrt 2): e ln 2 + 2 atanh(s), s = (m - 1) / (m + 1).
inline double det_log(double x) {
  constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (x == 0) return -kInfinity;
  if (!(x >= std::numeric_limits<double>::min())) return std::numeric_limits<double>::quiet_NaN();
  if (x == kInfinity) return x;
  const auto bits = std::bit_cast<uint64_t>(x);
  auto exponent = static_cast<double>(static_cast<int>(bits >> 52) - 1023);
  auto m = std::bit_cast<double>((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);
  if (m > 0x1.6a09e667f3bcdp+0) {
    m *= 0.5;
    exponent += 1;
  }
  const double f = m - 1, s = f / (2 + f), s2 = s * s;
  double series = 0;
  for (int k = 23; k >= 3; k -= 2) series = series * s2 + 1.0 / k;
  // 2 atanh(s) = 2 s + 2 s^3 series, and 2 s = f - s f, whose first part is exact.
  const double rest = s * (2 * s2 * series - f);
  return exponent * kLn2High + (f + (rest + exponent * kLn2Low));
}

}  // namespace ingle
