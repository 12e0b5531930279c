// The vector vocabulary (see vec_scalar.h) for 64-bit Arm with the int8 matrix multiply (FEAT_I8MM, Armv8.6 and some
// before): that of vec_neon.h, and columns in pairs.
#pragma once

#include "backend/cpu/kernels/vec_neon.h"

#undef INGLE_REGION_BEGIN
#if defined(__clang__)
#define INGLE_REGION_BEGIN INGLE_TARGET_BEGIN("dotprod,i8mm")
#else
#define INGLE_REGION_BEGIN INGLE_TARGET_BEGIN("arch=armv8.2-a+dotprod+i8mm")
#endif

INGLE_REGION_BEGIN
namespace ingle::cpu {

struct I8mm : Neon {
  static constexpr uint32_t kMaxColumns = 8;
  static constexpr bool kPairsColumns = true;

  static INGLE_INLINE void pair(F& a, F& b) {
    const F lower = vzip1q_f32(a, b);
    b = vzip2q_f32(a, b);
    a = lower;
  }
  static INGLE_INLINE void unpair(F& lower, F& upper) {
    const F a = vuzp1q_f32(lower, upper);
    upper = vuzp2q_f32(lower, upper);
    lower = a;
  }
  static INGLE_INLINE void pair_rows(W* w) {
    for (uint32_t i = 0; i < 4; i += 2) {
      const uint32x4_t a = vreinterpretq_u32_u8(w[i]), b = vreinterpretq_u32_u8(w[i + 1]);
      w[i] = vreinterpretq_u8_u32(vzip1q_u32(a, b));
      w[i + 1] = vreinterpretq_u8_u32(vzip2q_u32(a, b));
    }
  }
  static INGLE_INLINE I dot8_pair(I acc, W w, const int8_t* y) {
    return vmmlaq_s32(acc, vreinterpretq_s8_u8(w), vld1q_s8(y));
  }
};

}  // namespace ingle::cpu
INGLE_REGION_END
