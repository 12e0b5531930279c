// The int8 activations that block-quantised weights are multiplied with: written by KernelTable::quantize, read by the
// tiles.
#pragma once

#include <cstdint>

namespace ingle::cpu {

inline constexpr uint32_t kActivationBlock = 32;

// Value i is scale * quants[i]. With amax the largest magnitude of the 32 values, and each step one rounded f32
// operation:
//   scale = amax / 127, quants[i] = round_to_even(x[i] * (127 / amax)) held to -127..127.
// A block whose 127 / amax overflows (amax below 2^-121, or 0) counts as zeros. A block with a value that is not finite
// has the scale NaN and quants 0, so that NaN reaches every output of its column, and of no other.
struct alignas(64) ActivationBlock {
  int8_t quants[kActivationBlock];
  float scale;
  float scaled_sum;          // scale * sum of the quants: what a minimum per 32 weights multiplies
  float scaled_half_sum[2];  // the same of each half
  int32_t sum;               // of the quants: what a zero point multiplies
  int32_t half_sum[2];
  int32_t unused;
};
static_assert(sizeof(ActivationBlock) == 64);

}  // namespace ingle::cpu
