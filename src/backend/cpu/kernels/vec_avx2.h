// The vector vocabulary (see vec_scalar.h) for x86-64 with AVX2, FMA and F16C: 8 lanes.
#pragma once

#ifdef INGLE_REGION_BEGIN
#error "a translation unit includes one vec_*.h"
#endif

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "backend/cpu/kernels/isa_region.h"

#define INGLE_REGION_BEGIN INGLE_TARGET_BEGIN("avx2,fma,f16c")
#define INGLE_REGION_END INGLE_TARGET_END

INGLE_REGION_BEGIN
namespace ingle::cpu {

struct Avx2 {
  using F = __m256;
  using I = __m256i;
  using M = __m256;  // all bits of a lane, or none
  using W = __m256i;
  static constexpr uint32_t kLanes = 8;
  static constexpr uint32_t kMaxColumns = 4;
  static constexpr uint32_t strips_at_once(uint32_t columns) { return columns == 1 ? 4 : 1; }
  static constexpr int kSignedBias = 0;
  static constexpr bool kPairsColumns = false;

  static INGLE_INLINE F zero() { return _mm256_setzero_ps(); }
  static INGLE_INLINE F set1(float x) { return _mm256_set1_ps(x); }
  static INGLE_INLINE F loadu(const float* p) { return _mm256_loadu_ps(p); }
  static INGLE_INLINE void storeu(float* p, F a) { _mm256_storeu_ps(p, a); }
  static INGLE_INLINE F load_partial(const float* p, uint32_t n) { return _mm256_maskload_ps(p, first_n_i32(n)); }
  static INGLE_INLINE void store_partial(float* p, uint32_t n, F a) { _mm256_maskstore_ps(p, first_n_i32(n), a); }
  static INGLE_INLINE F load_f16(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static INGLE_INLINE F load_f16_partial(const uint16_t* p, uint32_t n) {
    uint16_t buffer[8] = {};
    for (uint32_t i = 0; i < n; i++) buffer[i] = p[i];
    return load_f16(buffer);
  }
  static INGLE_INLINE void store_f16(uint16_t* p, F a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
  }
  static INGLE_INLINE void store_f16_partial(uint16_t* p, uint32_t n, F a) {
    uint16_t buffer[8];
    store_f16(buffer, a);
    for (uint32_t i = 0; i < n; i++) p[i] = buffer[i];
  }
  static INGLE_INLINE F load_bf16(const uint16_t* p) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
  static INGLE_INLINE F load_i8(const int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static INGLE_INLINE F load_i8_partial(const int8_t* p, uint32_t n) {
    int8_t buffer[8] = {};
    for (uint32_t i = 0; i < n; i++) buffer[i] = p[i];
    return load_i8(buffer);
  }

  static INGLE_INLINE F add(F a, F b) { return _mm256_add_ps(a, b); }
  static INGLE_INLINE F sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static INGLE_INLINE F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static INGLE_INLINE F div(F a, F b) { return _mm256_div_ps(a, b); }
  static INGLE_INLINE F sqrt(F a) { return _mm256_sqrt_ps(a); }
  static INGLE_INLINE F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static INGLE_INLINE F fnma(F a, F b, F c) { return _mm256_fnmadd_ps(a, b, c); }
  static INGLE_INLINE F neg(F a) { return _mm256_xor_ps(a, _mm256_set1_ps(-0.0f)); }
  static INGLE_INLINE F abs(F a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
  static INGLE_INLINE F max(F a, F b) { return _mm256_max_ps(a, b); }
  static INGLE_INLINE F min(F a, F b) { return _mm256_min_ps(a, b); }
  static INGLE_INLINE F round_even(F a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

  static INGLE_INLINE M gt(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
  static INGLE_INLINE M ge(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
  static INGLE_INLINE M eq(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
  static INGLE_INLINE M is_nan(F a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
  static INGLE_INLINE M is_finite(F a) { return gt(_mm256_set1_ps(__builtin_inff()), abs(a)); }
  static INGLE_INLINE M first_n(uint32_t n) { return _mm256_castsi256_ps(first_n_i32(n)); }
  static INGLE_INLINE M mask_and(M a, M b) { return _mm256_and_ps(a, b); }
  static INGLE_INLINE M mask_or(M a, M b) { return _mm256_or_ps(a, b); }
  static INGLE_INLINE M mask_not(M a) { return _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1))); }
  static INGLE_INLINE bool any(M m) { return _mm256_movemask_ps(m) != 0; }
  static INGLE_INLINE bool none(M m) { return _mm256_movemask_ps(m) == 0; }
  static INGLE_INLINE bool all(M m) { return _mm256_movemask_ps(m) == 255; }
  static INGLE_INLINE F select(M m, F a, F b) { return _mm256_blendv_ps(b, a, m); }

  static INGLE_INLINE I set1_i32(int32_t x) { return _mm256_set1_epi32(x); }
  static INGLE_INLINE I load_i32(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static INGLE_INLINE void store_i32(int32_t* p, I a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a); }
  static INGLE_INLINE I load_u8(const uint8_t* p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  static INGLE_INLINE I add_i32(I a, I b) { return _mm256_add_epi32(a, b); }
  static INGLE_INLINE I sub_i32(I a, I b) { return _mm256_sub_epi32(a, b); }
  static INGLE_INLINE I and_i32(I a, I b) { return _mm256_and_si256(a, b); }
  static INGLE_INLINE I or_i32(I a, I b) { return _mm256_or_si256(a, b); }
  template <int n>
  static INGLE_INLINE I shift_left(I a) {
    return _mm256_slli_epi32(a, n);
  }
  static INGLE_INLINE I shl_i32(I a, uint32_t n) { return _mm256_sll_epi32(a, _mm_cvtsi32_si128(static_cast<int>(n))); }
  static INGLE_INLINE I shr_i32(I a, uint32_t n) { return _mm256_srl_epi32(a, _mm_cvtsi32_si128(static_cast<int>(n))); }
  static INGLE_INLINE I to_i32(F a) { return _mm256_cvtps_epi32(a); }
  static INGLE_INLINE F to_f32(I a) { return _mm256_cvtepi32_ps(a); }
  static INGLE_INLINE void store_i8(int8_t* p, F a) {
    const __m256i v = _mm256_cvtps_epi32(a);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
  }
  static INGLE_INLINE void store_i8_partial(int8_t* p, uint32_t n, F a) {
    int8_t buffer[8];
    store_i8(buffer, a);
    for (uint32_t i = 0; i < n; i++) p[i] = buffer[i];
  }
  static INGLE_INLINE F swap_pairs(F a) { return _mm256_permute_ps(a, 0xb1); }
  static INGLE_INLINE F exponent_from_low_bits(F a) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 23));
  }
  static INGLE_INLINE F pow2(I n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
  }

  static INGLE_INLINE W load_w(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static INGLE_INLINE W set1_w(uint8_t x) { return _mm256_set1_epi8(static_cast<char>(x)); }
  static INGLE_INLINE W and_w(W a, W b) { return _mm256_and_si256(a, b); }
  static INGLE_INLINE W or_w(W a, W b) { return _mm256_or_si256(a, b); }
  template <int n>
  static INGLE_INLINE W shr(W a) {
    return _mm256_srli_epi16(a, n);
  }
  template <int n>
  static INGLE_INLINE W shl(W a) {
    return _mm256_slli_epi16(a, n);
  }
  static INGLE_INLINE W lookup(const int8_t* table, W index) {
    const __m128i t = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(t), index);
  }
  template <int kMaxCode>
  static INGLE_INLINE I dot16_unsigned(I acc, const W* w, const int8_t* y) {
    return dot16<kMaxCode>(acc, w[0], w[1], w[2], w[3], load4(y), load4(y + 4), load4(y + 8), load4(y + 12));
  }
  template <int kMaxCode>
  static INGLE_INLINE I dot16_signed(I acc, const W* w, const int8_t* y) {
    return dot16<kMaxCode>(acc, _mm256_abs_epi8(w[0]), _mm256_abs_epi8(w[1]), _mm256_abs_epi8(w[2]),
                           _mm256_abs_epi8(w[3]), _mm256_sign_epi8(load4(y), w[0]),
                           _mm256_sign_epi8(load4(y + 4), w[1]), _mm256_sign_epi8(load4(y + 8), w[2]),
                           _mm256_sign_epi8(load4(y + 12), w[3]));
  }

 protected:
  static INGLE_INLINE __m256i load4(const int8_t* y) {
    int32_t four;
    std::memcpy(&four, y, sizeof four);
    return _mm256_set1_epi32(four);
  }

 private:
  static INGLE_INLINE __m256i first_n_i32(uint32_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  // maddubs adds two products in 16 bits: sums of four or two such pairs may stay there while they cannot saturate.
  template <int kMaxCode>
  static INGLE_INLINE I dot16(I acc, W w0, W w1, W w2, W w3, W y0, W y1, W y2, W y3) {
    constexpr int kPair = 2 * 127 * kMaxCode;
    static_assert(kPair <= 32767);
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i p0 = _mm256_maddubs_epi16(w0, y0), p1 = _mm256_maddubs_epi16(w1, y1);
    const __m256i p2 = _mm256_maddubs_epi16(w2, y2), p3 = _mm256_maddubs_epi16(w3, y3);
    if constexpr (4 * kPair <= 32767) {
      const __m256i sum = _mm256_add_epi16(_mm256_add_epi16(p0, p1), _mm256_add_epi16(p2, p3));
      return _mm256_add_epi32(acc, _mm256_madd_epi16(sum, ones));
    } else if constexpr (2 * kPair <= 32767) {
      const __m256i a = _mm256_madd_epi16(_mm256_add_epi16(p0, p1), ones);
      const __m256i b = _mm256_madd_epi16(_mm256_add_epi16(p2, p3), ones);
      return _mm256_add_epi32(acc, _mm256_add_epi32(a, b));
    } else {
      const __m256i a = _mm256_add_epi32(_mm256_madd_epi16(p0, ones), _mm256_madd_epi16(p1, ones));
      const __m256i b = _mm256_add_epi32(_mm256_madd_epi16(p2, ones), _mm256_madd_epi16(p3, ones));
      return _mm256_add_epi32(acc, _mm256_add_epi32(a, b));
    }
  }
};

}  // namespace ingle::cpu
INGLE_REGION_END
