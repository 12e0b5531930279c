// The vector vocabulary (see vec_scalar.h) for 64-bit Arm with the dot product instructions (Armv8.2 and later): 4
// lanes.
#pragma once

#ifdef INGLE_REGION_BEGIN
#error "a translation unit includes one vec_*.h"
#endif

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "backend/cpu/kernels/isa_region.h"

#if defined(__clang__)
#define INGLE_REGION_BEGIN INGLE_TARGET_BEGIN("dotprod")
#else
#define INGLE_REGION_BEGIN INGLE_TARGET_BEGIN("arch=armv8.2-a+dotprod")
#endif
#define INGLE_REGION_END INGLE_TARGET_END

INGLE_REGION_BEGIN
namespace ingle::cpu {

struct Neon {
  using F = float32x4_t;
  using I = int32x4_t;
  using M = uint32x4_t;  // all bits of a lane, or none
  using W = uint8x16_t;
  static constexpr uint32_t kLanes = 4;
  static constexpr uint32_t kMaxColumns = 4;
  static constexpr uint32_t strips_at_once(uint32_t) { return 1; }
  static constexpr int kSignedBias = 0;
  static constexpr bool kPairsColumns = false;

  static INGLE_INLINE F zero() { return vdupq_n_f32(0); }
  static INGLE_INLINE F set1(float x) { return vdupq_n_f32(x); }
  static INGLE_INLINE F loadu(const float* p) { return vld1q_f32(p); }
  static INGLE_INLINE void storeu(float* p, F a) { vst1q_f32(p, a); }
  static INGLE_INLINE F load_partial(const float* p, uint32_t n) {
    float buffer[4] = {};
    for (uint32_t i = 0; i < n; i++) buffer[i] = p[i];
    return vld1q_f32(buffer);
  }
  static INGLE_INLINE void store_partial(float* p, uint32_t n, F a) {
    float buffer[4];
    vst1q_f32(buffer, a);
    for (uint32_t i = 0; i < n; i++) p[i] = buffer[i];
  }
  static INGLE_INLINE F load_f16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static INGLE_INLINE F load_f16_partial(const uint16_t* p, uint32_t n) {
    uint16_t buffer[4] = {};
    for (uint32_t i = 0; i < n; i++) buffer[i] = p[i];
    return load_f16(buffer);
  }
  static INGLE_INLINE void store_f16(uint16_t* p, F a) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a))); }
  static INGLE_INLINE void store_f16_partial(uint16_t* p, uint32_t n, F a) {
    uint16_t buffer[4];
    store_f16(buffer, a);
    for (uint32_t i = 0; i < n; i++) p[i] = buffer[i];
  }
  static INGLE_INLINE F load_bf16(const uint16_t* p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
  static INGLE_INLINE F load_i8(const int8_t* p) {
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(load4(p)))))));
  }
  static INGLE_INLINE F load_i8_partial(const int8_t* p, uint32_t n) {
    int8_t buffer[4] = {};
    for (uint32_t i = 0; i < n; i++) buffer[i] = p[i];
    return load_i8(buffer);
  }

  static INGLE_INLINE F add(F a, F b) { return vaddq_f32(a, b); }
  static INGLE_INLINE F sub(F a, F b) { return vsubq_f32(a, b); }
  static INGLE_INLINE F mul(F a, F b) { return vmulq_f32(a, b); }
  static INGLE_INLINE F div(F a, F b) { return vdivq_f32(a, b); }
  static INGLE_INLINE F sqrt(F a) { return vsqrtq_f32(a); }
  static INGLE_INLINE F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  static INGLE_INLINE F fnma(F a, F b, F c) { return vfmsq_f32(c, a, b); }
  static INGLE_INLINE F neg(F a) { return vnegq_f32(a); }
  static INGLE_INLINE F abs(F a) { return vabsq_f32(a); }
  // Not vmaxq and vminq: they give NaN for a NaN in either place, and order the zeros.
  static INGLE_INLINE F max(F a, F b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  static INGLE_INLINE F min(F a, F b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
  static INGLE_INLINE F round_even(F a) { return vrndnq_f32(a); }

  static INGLE_INLINE M gt(F a, F b) { return vcgtq_f32(a, b); }
  static INGLE_INLINE M ge(F a, F b) { return vcgeq_f32(a, b); }
  static INGLE_INLINE M eq(F a, F b) { return vceqq_f32(a, b); }
  static INGLE_INLINE M is_nan(F a) { return vmvnq_u32(vceqq_f32(a, a)); }
  static INGLE_INLINE M is_finite(F a) { return vcltq_f32(vabsq_f32(a), vdupq_n_f32(__builtin_inff())); }
  static INGLE_INLINE M first_n(uint32_t n) {
    const uint32_t lane[4] = {0, 1, 2, 3};
    return vcltq_u32(vld1q_u32(lane), vdupq_n_u32(n));
  }
  static INGLE_INLINE M mask_and(M a, M b) { return vandq_u32(a, b); }
  static INGLE_INLINE M mask_or(M a, M b) { return vorrq_u32(a, b); }
  static INGLE_INLINE M mask_not(M a) { return vmvnq_u32(a); }
  static INGLE_INLINE bool any(M m) { return vmaxvq_u32(m) != 0; }
  static INGLE_INLINE bool none(M m) { return vmaxvq_u32(m) == 0; }
  static INGLE_INLINE bool all(M m) { return vminvq_u32(m) != 0; }
  static INGLE_INLINE F select(M m, F a, F b) { return vbslq_f32(m, a, b); }

  static INGLE_INLINE I set1_i32(int32_t x) { return vdupq_n_s32(x); }
  static INGLE_INLINE I load_i32(const int32_t* p) { return vld1q_s32(p); }
  static INGLE_INLINE void store_i32(int32_t* p, I a) { vst1q_s32(p, a); }
  static INGLE_INLINE I load_u8(const uint8_t* p) {
    const uint8x8_t bytes = vreinterpret_u8_u32(vdup_n_u32(load4(p)));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes))));
  }
  static INGLE_INLINE I add_i32(I a, I b) { return vaddq_s32(a, b); }
  static INGLE_INLINE I sub_i32(I a, I b) { return vsubq_s32(a, b); }
  static INGLE_INLINE I and_i32(I a, I b) { return vandq_s32(a, b); }
  static INGLE_INLINE I or_i32(I a, I b) { return vorrq_s32(a, b); }
  template <int n>
  static INGLE_INLINE I shift_left(I a) {
    return vshlq_n_s32(a, n);
  }
  static INGLE_INLINE I shl_i32(I a, uint32_t n) { return vshlq_s32(a, vdupq_n_s32(static_cast<int32_t>(n))); }
  static INGLE_INLINE I shr_i32(I a, uint32_t n) {
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-static_cast<int32_t>(n))));
  }
  static INGLE_INLINE I to_i32(F a) { return vcvtq_s32_f32(a); }
  static INGLE_INLINE F to_f32(I a) { return vcvtq_f32_s32(a); }
  static INGLE_INLINE void store_i8(int8_t* p, F a) {
    const int16x4_t words = vqmovn_s32(vcvtq_s32_f32(a));
    const int8x8_t bytes = vqmovn_s16(vcombine_s16(words, words));
    const uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
    std::memcpy(p, &four, sizeof four);
  }
  static INGLE_INLINE void store_i8_partial(int8_t* p, uint32_t n, F a) {
    int8_t buffer[4];
    store_i8(buffer, a);
    for (uint32_t i = 0; i < n; i++) p[i] = buffer[i];
  }
  static INGLE_INLINE F swap_pairs(F a) { return vrev64q_f32(a); }
  static INGLE_INLINE F exponent_from_low_bits(F a) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(a), 23));
  }
  static INGLE_INLINE F pow2(I n) { return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23)); }

  static INGLE_INLINE W load_w(const uint8_t* p) { return vld1q_u8(p); }
  static INGLE_INLINE W set1_w(uint8_t x) { return vdupq_n_u8(x); }
  static INGLE_INLINE W and_w(W a, W b) { return vandq_u8(a, b); }
  static INGLE_INLINE W or_w(W a, W b) { return vorrq_u8(a, b); }
  template <int n>
  static INGLE_INLINE W shr(W a) {
    if constexpr (n == 0)
      return a;
    else
      return vreinterpretq_u8_u16(vshrq_n_u16(vreinterpretq_u16_u8(a), n));
  }
  template <int n>
  static INGLE_INLINE W shl(W a) {
    return vreinterpretq_u8_u16(vshlq_n_u16(vreinterpretq_u16_u8(a), n));
  }
  static INGLE_INLINE W lookup(const int8_t* table, W index) {
    return vqtbl1q_u8(vreinterpretq_u8_s8(vld1q_s8(table)), index);
  }
  template <int kMaxCode>
  static INGLE_INLINE I dot16_unsigned(I acc, const W* w, const int8_t* y) {
    static_assert(kMaxCode <= 127);
    return dot16_signed<kMaxCode>(acc, w, y);
  }
  template <int kMaxCode>
  static INGLE_INLINE I dot16_signed(I acc, const W* w, const int8_t* y) {
    const int8x16_t activations = vld1q_s8(y);
    acc = vdotq_laneq_s32(acc, vreinterpretq_s8_u8(w[0]), activations, 0);
    acc = vdotq_laneq_s32(acc, vreinterpretq_s8_u8(w[1]), activations, 1);
    acc = vdotq_laneq_s32(acc, vreinterpretq_s8_u8(w[2]), activations, 2);
    return vdotq_laneq_s32(acc, vreinterpretq_s8_u8(w[3]), activations, 3);
  }

 private:
  static INGLE_INLINE uint32_t load4(const void* p) {
    uint32_t four;
    std::memcpy(&four, p, sizeof four);
    return four;
  }
};

}  // namespace ingle::cpu
INGLE_REGION_END
