// The vector vocabulary (see vec_scalar.h) for 256-bit VNNI: that of vec_avx2.h, but for dot products. Dots is what
// spells the instruction: dpbusd() adds to each lane the products of four unsigned bytes with four signed ones.
// Included by the vec_*.h that define Dots, after their INGLE_REGION_BEGIN.
#pragma once

#include "backend/cpu/kernels/isa_region.h"
#include "backend/cpu/kernels/vec_avx2.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

template <class Dots>
struct Vnni256 : Avx2 {
  static constexpr int kSignedBias = 128;  // dpbusd takes unsigned weights

  static INGLE_INLINE W lookup(const int8_t* table, W index) {
    const __m128i t = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)), _mm_set1_epi8(-128));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(t), index);
  }
  template <int kMaxCode>
  static INGLE_INLINE I dot16_unsigned(I acc, const W* w, const int8_t* y) {
    acc = Dots::dpbusd(acc, w[0], load4(y));
    acc = Dots::dpbusd(acc, w[1], load4(y + 4));
    acc = Dots::dpbusd(acc, w[2], load4(y + 8));
    return Dots::dpbusd(acc, w[3], load4(y + 12));
  }
  template <int kMaxCode>
  static INGLE_INLINE I dot16_signed(I acc, const W* w, const int8_t* y) {
    return dot16_unsigned<255>(acc, w, y);
  }
};

}  // namespace ingle::cpu
INGLE_REGION_END
