// Rotary position embedding: the inverse frequencies of one model, and the cosines and sines of one position.
// Made once at load; afterwards constant, so any thread may read it. Uses no libm function but fma (which is exact), so
// that every machine and compiler gives the same bits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ingle::cpu {

class RopeTable {
 public:
  // base: rope.freq_base. dims: rotated channels per head, even. linear_factor: positions are divided by it
  // (linear scaling; 1: none). factors: rope_freqs.weight, one divisor per pair, or empty.
  // inv_freq[i] = 1 / base^(2i / dims) / linear_factor / factors[i], with the roundings to f32 of the transformers
  // library.
  RopeTable(float base, uint32_t dims, float linear_factor = 1, std::span<const float> factors = {});

  uint32_t pairs() const { return static_cast<uint32_t>(inv_freq_.size()); }
  std::span<const float> inv_freq() const { return inv_freq_; }

  // cos and sin [pairs] of the angles float(position) * inv_freq[i], rounded to f32 as one product. Positions are exact
  // up to 2^24.
  void cos_sin(uint32_t position, float* cos, float* sin) const;

 private:
  std::vector<float> inv_freq_;  // [pairs]
};

// The functions behind the table, in double, from +, *, / and fma alone. The result of pow (a normal number) has a
// relative error below 1e-13; NaN unless base > 0. Sine and cosine are within 1e-15; NaN unless |x| < 2^30.
double exact_pow(double base, double exponent);
void exact_sin_cos(double x, double* sin, double* cos);

}  // namespace ingle::cpu
