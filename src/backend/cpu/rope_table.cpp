#include "backend/cpu/rope_table.h"

#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/det_math.h"

namespace ingle::cpu {
namespace {

constexpr double kHalfPiHigh = 0x1.921fb54442d18p+0;
constexpr double kHalfPiLow = 0x1.1a62633145c07p-54;
constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
// Adding and subtracting it rounds to the nearest integer, ties to even, below 2^51.
constexpr double kRound = 0x1.8p52;

double round_even(double x) { return (x + kRound) - kRound; }

}  // namespace

double exact_pow(double base, double exponent) {
  return base > 0 ? det_exp(exponent * det_log(base)) : std::numeric_limits<double>::quiet_NaN();
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
