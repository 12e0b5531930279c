// The vector vocabulary (see vec_scalar.h) for x86-64 with AVX2 and AVX-VNNI, which CPUs without AVX-512 have, too:
// Intel's Core from the 12th generation on, and its small cores from the N100 on.
#pragma once

#include "backend/cpu/kernels/vec_avx2.h"

#undef INGLE_REGION_BEGIN
#define INGLE_REGION_BEGIN INGLE_TARGET_BEGIN("avx2,fma,f16c,avxvnni")

INGLE_REGION_BEGIN
namespace ingle::cpu {

struct AvxVnniDots {
  static INGLE_INLINE __m256i dpbusd(__m256i acc, __m256i w, __m256i y) { return _mm256_dpbusd_avx_epi32(acc, w, y); }
};

}  // namespace ingle::cpu
INGLE_REGION_END

#include "backend/cpu/kernels/vec_vnni256.inl.h"

namespace ingle::cpu {
using AvxVnni = Vnni256<AvxVnniDots>;
}  // namespace ingle::cpu
