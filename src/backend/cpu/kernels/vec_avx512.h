// The vector vocabulary (see vec_scalar.h) for x86-64 with AVX-512 F, BW, DQ, VL and VNNI: 16 lanes.
#pragma once

#ifdef INGLE_REGION_BEGIN
#error "a translation unit includes one vec_*.h"
#endif

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "backend/cpu/kernels/isa_region.h"

// GCC 12's own header starts its "undefined" vectors as `x = x` and warns of it wherever they are inlined (GCC bug
// 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define INGLE_REGION_BEGIN INGLE_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#define INGLE_REGION_END INGLE_TARGET_END

INGLE_REGION_BEGIN
namespace ingle::cpu {

struct Avx512 {
  using F = __m512;
  using I = __m512i;
  using M = __mmask16;
  using W = __m512i;
  static constexpr uint32_t kLanes = 16;
  static constexpr uint32_t kMaxColumns = 8;
  // Each broadcast is a load: those were seen to run at half the products' rate.
  static constexpr uint32_t strips_at_once(uint32_t columns) { return columns <= 2 ? 4 : 2; }
  static constexpr int kSignedBias = 128;  // vpdpbusd takes unsigned weights
  static constexpr bool kPairsColumns = false;

  static INGLE_INLINE F zero() { return _mm512_setzero_ps(); }
  static INGLE_INLINE F set1(float x) { return _mm512_set1_ps(x); }
  static INGLE_INLINE F loadu(const float* p) { return _mm512_loadu_ps(p); }
  static INGLE_INLINE void storeu(float* p, F a) { _mm512_storeu_ps(p, a); }
  static INGLE_INLINE F load_partial(const float* p, uint32_t n) { return _mm512_maskz_loadu_ps(first_n(n), p); }
  static INGLE_INLINE void store_partial(float* p, uint32_t n, F a) { _mm512_mask_storeu_ps(p, first_n(n), a); }
  static INGLE_INLINE F load_f16(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static INGLE_INLINE F load_f16_partial(const uint16_t* p, uint32_t n) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_n(n), p));
  }
  static INGLE_INLINE void store_f16(uint16_t* p, F a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
  }
  static INGLE_INLINE void store_f16_partial(uint16_t* p, uint32_t n, F a) {
    _mm256_mask_storeu_epi16(p, first_n(n), _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
  }
  static INGLE_INLINE F load_bf16(const uint16_t* p) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
  static INGLE_INLINE F load_i8(const int8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static INGLE_INLINE F load_i8_partial(const int8_t* p, uint32_t n) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(first_n(n), p)));
  }

  static INGLE_INLINE F add(F a, F b) { return _mm512_add_ps(a, b); }
  static INGLE_INLINE F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static INGLE_INLINE F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static INGLE_INLINE F div(F a, F b) { return _mm512_div_ps(a, b); }
  static INGLE_INLINE F sqrt(F a) { return _mm512_sqrt_ps(a); }
  static INGLE_INLINE F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static INGLE_INLINE F fnma(F a, F b, F c) { return _mm512_fnmadd_ps(a, b, c); }
  static INGLE_INLINE F neg(F a) { return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f)); }
  static INGLE_INLINE F abs(F a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
  static INGLE_INLINE F max(F a, F b) { return _mm512_max_ps(a, b); }
  static INGLE_INLINE F min(F a, F b) { return _mm512_min_ps(a, b); }
  static INGLE_INLINE F round_even(F a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }

  static INGLE_INLINE M gt(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
  static INGLE_INLINE M ge(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
  static INGLE_INLINE M eq(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
  static INGLE_INLINE M is_nan(F a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
  static INGLE_INLINE M is_finite(F a) { return gt(_mm512_set1_ps(__builtin_inff()), abs(a)); }
  static INGLE_INLINE M first_n(uint32_t n) { return static_cast<M>((1u << n) - 1); }
  static INGLE_INLINE M mask_and(M a, M b) { return static_cast<M>(a & b); }
  static INGLE_INLINE M mask_or(M a, M b) { return static_cast<M>(a | b); }
  static INGLE_INLINE M mask_not(M a) { return static_cast<M>(~a); }
  static INGLE_INLINE bool any(M m) { return m != 0; }
  static INGLE_INLINE bool none(M m) { return m == 0; }
  static INGLE_INLINE bool all(M m) { return m == 0xffff; }
  static INGLE_INLINE F select(M m, F a, F b) { return _mm512_mask_blend_ps(m, b, a); }

  static INGLE_INLINE I set1_i32(int32_t x) { return _mm512_set1_epi32(x); }
  static INGLE_INLINE I load_i32(const int32_t* p) { return _mm512_loadu_si512(p); }
  static INGLE_INLINE void store_i32(int32_t* p, I a) { _mm512_storeu_si512(p, a); }
  static INGLE_INLINE I load_u8(const uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static INGLE_INLINE I add_i32(I a, I b) { return _mm512_add_epi32(a, b); }
  static INGLE_INLINE I sub_i32(I a, I b) { return _mm512_sub_epi32(a, b); }
  static INGLE_INLINE I and_i32(I a, I b) { return _mm512_and_si512(a, b); }
  static INGLE_INLINE I or_i32(I a, I b) { return _mm512_or_si512(a, b); }
  template <int n>
  static INGLE_INLINE I shift_left(I a) {
    return _mm512_slli_epi32(a, n);
  }
  static INGLE_INLINE I shl_i32(I a, uint32_t n) { return _mm512_sll_epi32(a, _mm_cvtsi32_si128(static_cast<int>(n))); }
  static INGLE_INLINE I shr_i32(I a, uint32_t n) { return _mm512_srl_epi32(a, _mm_cvtsi32_si128(static_cast<int>(n))); }
  static INGLE_INLINE I to_i32(F a) { return _mm512_cvtps_epi32(a); }
  static INGLE_INLINE F to_f32(I a) { return _mm512_cvtepi32_ps(a); }
  static INGLE_INLINE void store_i8(int8_t* p, F a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(a)));
  }
  static INGLE_INLINE void store_i8_partial(int8_t* p, uint32_t n, F a) {
    _mm_mask_storeu_epi8(p, first_n(n), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(a)));
  }
  static INGLE_INLINE F swap_pairs(F a) { return _mm512_permute_ps(a, 0xb1); }
  static INGLE_INLINE F exponent_from_low_bits(F a) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 23));
  }
  static INGLE_INLINE F pow2(I n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
  }

  static INGLE_INLINE W load_w(const uint8_t* p) { return _mm512_loadu_si512(p); }
  static INGLE_INLINE W set1_w(uint8_t x) { return _mm512_set1_epi8(static_cast<char>(x)); }
  static INGLE_INLINE W and_w(W a, W b) { return _mm512_and_si512(a, b); }
  static INGLE_INLINE W or_w(W a, W b) { return _mm512_or_si512(a, b); }
  template <int n>
  static INGLE_INLINE W shr(W a) {
    return _mm512_srli_epi16(a, n);
  }
  template <int n>
  static INGLE_INLINE W shl(W a) {
    return _mm512_slli_epi16(a, n);
  }
  static INGLE_INLINE W lookup(const int8_t* table, W index) {
    const __m128i t = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)), _mm_set1_epi8(-128));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(t), index);
  }
  template <int kMaxCode>
  static INGLE_INLINE I dot16_unsigned(I acc, const W* w, const int8_t* y) {
    acc = _mm512_dpbusd_epi32(acc, w[0], load4(y));
    acc = _mm512_dpbusd_epi32(acc, w[1], load4(y + 4));
    acc = _mm512_dpbusd_epi32(acc, w[2], load4(y + 8));
    return _mm512_dpbusd_epi32(acc, w[3], load4(y + 12));
  }
  template <int kMaxCode>
  static INGLE_INLINE I dot16_signed(I acc, const W* w, const int8_t* y) {
    return dot16_unsigned<255>(acc, w, y);
  }

 private:
  static INGLE_INLINE __m512i load4(const int8_t* y) {
    int32_t four;
    std::memcpy(&four, y, sizeof four);
    return _mm512_set1_epi32(four);
  }
};

}  // namespace ingle::cpu
INGLE_REGION_END
