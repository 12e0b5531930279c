#include "backend/cpu/rope_table.h"

#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace ingle::cpu {
namespace {

constexpr double kLn2High = 0x1.62e42fefa39efp-1;
constexpr double kLn2Low = 0x1.abc9e3b39803fp-56;
constexpr double kLog2E = 0x1.71547652b82fep+0;
constexpr double kHalfPiHigh = 0x1.921fb54442d18p+0;
constexpr double kHalfPiLow = 0x1.1a62633145c07p-54;
constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
// Adding and subtracting it rounds to the nearest integer, ties to even, below 2^51.
constexpr double kRound = 0x1.8p52;

double round_even(double x) { return (x + kRound) - kRound; }

// Natural logarithm as high + low. log(m 2^e) = e log 2 + 2 atanh((m - 1) / (m + 1)), m in [sqrt 1/2, sqrt 2).
double log_of(double x) {
  uint64_t bits = std::bit_cast<uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);
  if (m > 0x1.6a09e667f3bcdp+0) {
    m *= 0.5;
    exponent++;
  }
  const double s = (m - 1) / (m + 1), s2 = s * s;
  double series = 0;
  for (int k = 23; k >= 3; k -= 2) series = std::fma(series, s2, 1.0 / k);
  const double e = exponent;
  return std::fma(e, kLn2High, std::fma(e, kLn2Low, 2 * std::fma(s * s2, series, s)));
}

// e^x for results that are normal numbers: 2^n times the Taylor series of the rest.
double exp_of(double x) {
  const double n = round_even(x * kLog2E);
  const double r = std::fma(-n, kLn2Low, std::fma(-n, kLn2High, x));
  double sum = 1;
  for (int k = 14; k >= 1; k--) sum = std::fma(sum, r / k, 1);
  return sum * std::bit_cast<double>(static_cast<uint64_t>(static_cast<int64_t>(n) + 1023) << 52);
}

}  // namespace

double exact_pow(double base, double exponent) {
  return base > 0 ? exp_of(exponent * log_of(base)) : std::numeric_limits<double>::quiet_NaN();
}

void exact_sin_cos(double x, double* sin, double* cos) {
  if (!(std::fabs(x) < 0x1p30)) {
    *sin = *cos = std::numeric_limits<double>::quiet_NaN();
    return;
  }
  const double n = round_even(x * kTwoOverPi);
  const double r = std::fma(-n, kHalfPiLow, std::fma(-n, kHalfPiHigh, x));
  const double r2 = r * r;
  // Taylor series on [-pi/4, pi/4]: 1 - r2/(2*3) (1 - r2/(4*5) (...)) and 1 - r2/(1*2) (1 - r2/(3*4) (...)).
  double s = 1, c = 1;
  for (int k = 18; k >= 2; k -= 2) {
    s = std::fma(-s, r2 / (k * (k + 1)), 1);
    c = std::fma(-c, r2 / (k * (k - 1)), 1);
  }
  s *= r;
  switch (static_cast<int64_t>(n) & 3) {
    case 0:
      *sin = s, *cos = c;
      break;
    case 1:
      *sin = c, *cos = -s;
      break;
    case 2:
      *sin = -s, *cos = -c;
      break;
    default:
      *sin = -c, *cos = s;
      break;
  }
}

RopeTable::RopeTable(float base, uint32_t dims, float linear_factor, std::span<const float> factors)
    : inv_freq_(dims / 2) {
  CHECK(dims % 2 == 0);
  CHECK(factors.empty() || factors.size() == inv_freq_.size());
  for (uint32_t i = 0; i < pairs(); i++) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dims);
    inv_freq_[i] = 1.0f / static_cast<float>(exact_pow(base, exponent)) / linear_factor;
    if (!factors.empty()) inv_freq_[i] /= factors[i];
  }
}

void RopeTable::cos_sin(uint32_t position, float* cos, float* sin) const {
  for (uint32_t i = 0; i < pairs(); i++) {
    double s, c;
    exact_sin_cos(static_cast<float>(position) * inv_freq_[i], &s, &c);
    cos[i] = static_cast<float>(c);
    sin[i] = static_cast<float>(s);
  }
}

}  // namespace ingle::cpu
