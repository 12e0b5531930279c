// The vector vocabulary with one lane in plain C++: the definition that every other instruction set equals bit for bit
// (a NaN equals a NaN: payloads are the hardware's). Included by isa_scalar.cpp and its parts only.
//
// The vocabulary, the same in every vec_*.h:
//   F, I, M, W     kLanes floats, kLanes int32, kLanes conditions, 4 * kLanes bytes (4 weights per lane)
//   load_partial, store_partial, *_partial  the first n < kLanes elements; the rest is read as 0, and never touched
//   fma(a, b, c) = a * b + c and fnma(a, b, c) = c - a * b, rounded once
//   max(a, b) = a > b ? a : b, min(a, b) = a < b ? a : b, also for NaN and signed zeros
//   gt, ge, eq     false if either is NaN
//   round_even     to integral, ties to even;  to_i32: of an integral value in range
//   pow2(n)        2^n for n in -126..127;  exponent_from_low_bits: the bits of a float shifted left by 23
//   swap_pairs     lanes 2i and 2i + 1 exchanged (not here: there is one lane)
//   first_n(n)     true in lanes 0..n-1, n <= kLanes
//   shr<n>, shl<n> of W: in 16-bit units, so that bits cross between two bytes: mask them off
//   dot16_unsigned, dot16_signed  acc + the products of 16 weights per lane, w[0..3], with the same 16 activations y
//                  (-127..127) in every lane, exact; weights are 0..kMaxCode < 128, or -kMaxCode..kMaxCode stored as
//                  value + kSignedBias
//   strips_at_once(columns)  how many times kLanes rows a matmul tile of so many columns best takes
//   kPairsColumns  whether the CPU multiplies two columns at a time. Then kSignedBias is 0, and there is besides:
//     pair(a, b)     from columns a and b of all rows to both columns of the lower half of the rows (in a) and of the
//                    upper half (in b), a row's two values side by side; unpair is its inverse
//     pair_rows(w)   from w[0..3] of dot16 to the lower rows in w[0] and the upper in w[1], 8 weights of each, and the
//                    next 8 in w[2] and w[3]
//     dot8_pair      acc + the products of 8 weights per row with 8 activations of each column, y [2][8]; exact
#pragma once

#ifdef INGLE_REGION_BEGIN
#error "a translation unit includes one vec_*.h"
#endif

#include <cstdint>
#include <cstring>

#include "backend/cpu/kernels/isa_region.h"
#include "tensor/dtype.h"

#define INGLE_REGION_BEGIN
#define INGLE_REGION_END

namespace ingle::cpu {

struct Scalar {
  using F = float;
  using I = int32_t;
  using M = bool;
  using W = uint32_t;
  static constexpr uint32_t kLanes = 1;
  static constexpr uint32_t kMaxColumns = 1;  // the widest matmul tile
  static constexpr uint32_t strips_at_once(uint32_t) { return 1; }
  static constexpr int kSignedBias = 0;
  static constexpr bool kPairsColumns = false;

  static INGLE_INLINE F zero() { return 0; }
  static INGLE_INLINE F set1(float x) { return x; }
  static INGLE_INLINE F loadu(const float* p) { return *p; }
  static INGLE_INLINE void storeu(float* p, F a) { *p = a; }
  static INGLE_INLINE F load_partial(const float* p, uint32_t n) { return n ? *p : 0; }
  static INGLE_INLINE void store_partial(float* p, uint32_t n, F a) {
    if (n) *p = a;
  }
  static INGLE_INLINE F load_f16(const uint16_t* p) { return half_to_float(*p); }
  static INGLE_INLINE F load_f16_partial(const uint16_t* p, uint32_t n) { return n ? half_to_float(*p) : 0; }
  static INGLE_INLINE void store_f16(uint16_t* p, F a) { *p = float_to_half(a); }
  static INGLE_INLINE void store_f16_partial(uint16_t* p, uint32_t n, F a) {
    if (n) *p = float_to_half(a);
  }
  static INGLE_INLINE F load_bf16(const uint16_t* p) { return bfloat16_to_float(*p); }
  static INGLE_INLINE F load_i8(const int8_t* p) { return static_cast<float>(*p); }
  static INGLE_INLINE F load_i8_partial(const int8_t* p, uint32_t n) { return n ? static_cast<float>(*p) : 0; }

  static INGLE_INLINE F add(F a, F b) { return a + b; }
  static INGLE_INLINE F sub(F a, F b) { return a - b; }
  static INGLE_INLINE F mul(F a, F b) { return a * b; }
  static INGLE_INLINE F div(F a, F b) { return a / b; }
  static INGLE_INLINE F sqrt(F a) { return __builtin_sqrtf(a); }
  static INGLE_INLINE F fma(F a, F b, F c) { return __builtin_fmaf(a, b, c); }
  static INGLE_INLINE F fnma(F a, F b, F c) { return __builtin_fmaf(-a, b, c); }
  static INGLE_INLINE F neg(F a) { return -a; }
  static INGLE_INLINE F abs(F a) { return __builtin_fabsf(a); }
  static INGLE_INLINE F max(F a, F b) { return a > b ? a : b; }
  static INGLE_INLINE F min(F a, F b) { return a < b ? a : b; }
  static INGLE_INLINE F round_even(F a) {
    if (!(__builtin_fabsf(a) < 8388608.0f)) return a;  // from 2^23 on every float is integral
    const float shift = __builtin_copysignf(8388608.0f, a);
    return __builtin_copysignf((a + shift) - shift, a);
  }

  static INGLE_INLINE M gt(F a, F b) { return a > b; }
  static INGLE_INLINE M ge(F a, F b) { return a >= b; }
  static INGLE_INLINE M eq(F a, F b) { return a == b; }
  static INGLE_INLINE M is_nan(F a) { return a != a; }
  static INGLE_INLINE M is_finite(F a) { return __builtin_fabsf(a) < __builtin_inff(); }
  static INGLE_INLINE M first_n(uint32_t n) { return n != 0; }
  static INGLE_INLINE M mask_and(M a, M b) { return a && b; }
  static INGLE_INLINE M mask_or(M a, M b) { return a || b; }
  static INGLE_INLINE M mask_not(M a) { return !a; }
  static INGLE_INLINE bool any(M m) { return m; }
  static INGLE_INLINE bool none(M m) { return !m; }
  static INGLE_INLINE bool all(M m) { return m; }
  static INGLE_INLINE F select(M m, F a, F b) { return m ? a : b; }

  static INGLE_INLINE I set1_i32(int32_t x) { return x; }
  static INGLE_INLINE I load_i32(const int32_t* p) { return *p; }
  static INGLE_INLINE void store_i32(int32_t* p, I a) { *p = a; }
  static INGLE_INLINE I load_u8(const uint8_t* p) { return *p; }
  static INGLE_INLINE I add_i32(I a, I b) { return a + b; }
  static INGLE_INLINE I sub_i32(I a, I b) { return a - b; }
  static INGLE_INLINE I and_i32(I a, I b) { return a & b; }
  static INGLE_INLINE I or_i32(I a, I b) { return a | b; }
  template <int n>
  static INGLE_INLINE I shift_left(I a) {
    return static_cast<I>(static_cast<uint32_t>(a) << n);
  }
  // Logical, 0 <= n < 32.
  static INGLE_INLINE I shl_i32(I a, uint32_t n) { return static_cast<I>(static_cast<uint32_t>(a) << n); }
  static INGLE_INLINE I shr_i32(I a, uint32_t n) { return static_cast<I>(static_cast<uint32_t>(a) >> n); }
  static INGLE_INLINE I to_i32(F a) { return static_cast<int32_t>(a); }
  static INGLE_INLINE F to_f32(I a) { return static_cast<float>(a); }
  // to_i32 of integral values in -128..127, as bytes.
  static INGLE_INLINE void store_i8(int8_t* p, F a) { *p = static_cast<int8_t>(a); }
  static INGLE_INLINE void store_i8_partial(int8_t* p, uint32_t n, F a) {
    if (n) *p = static_cast<int8_t>(a);
  }
  static INGLE_INLINE F exponent_from_low_bits(F a) {
    return __builtin_bit_cast(float, __builtin_bit_cast(uint32_t, a) << 23);
  }
  static INGLE_INLINE F pow2(I n) { return __builtin_bit_cast(float, (n + 127) << 23); }

  static INGLE_INLINE W load_w(const uint8_t* p) {
    W v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  static INGLE_INLINE W set1_w(uint8_t x) { return x * 0x01010101u; }
  static INGLE_INLINE W and_w(W a, W b) { return a & b; }
  static INGLE_INLINE W or_w(W a, W b) { return a | b; }
  template <int n>
  static INGLE_INLINE W shr(W a) {
    return a >> n;
  }
  template <int n>
  static INGLE_INLINE W shl(W a) {
    return a << n;
  }
  // The 16 signed bytes of `table`, plus kSignedBias, looked up by the bytes 0..15 of `index`.
  static INGLE_INLINE W lookup(const int8_t* table, W index) {
    W out = 0;
    for (int i = 0; i < 4; i++) out |= static_cast<W>(static_cast<uint8_t>(table[index >> (8 * i) & 15])) << (8 * i);
    return out;
  }
  template <int kMaxCode>
  static INGLE_INLINE I dot16_unsigned(I acc, const W* w, const int8_t* y) {
    for (int k = 0; k < 16; k++) acc += static_cast<int32_t>(w[k / 4] >> (8 * (k % 4)) & 255) * y[k];
    return acc;
  }
  template <int kMaxCode>
  static INGLE_INLINE I dot16_signed(I acc, const W* w, const int8_t* y) {
    for (int k = 0; k < 16; k++) acc += static_cast<int8_t>(w[k / 4] >> (8 * (k % 4)) & 255) * y[k];
    return acc;
  }
};

}  // namespace ingle::cpu
