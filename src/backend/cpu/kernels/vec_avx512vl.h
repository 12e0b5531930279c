// The vector vocabulary (see vec_scalar.h) of vec_avxvnni.h by AVX-512's encoding: never the best of a CPU, but it
// tests that table's kernels where there is no AVX-VNNI.
#pragma once

#include "backend/cpu/kernels/vec_avx2.h"

#undef INGLE_REGION_BEGIN
#define INGLE_REGION_BEGIN INGLE_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512vl,avx512vnni")

INGLE_REGION_BEGIN
namespace ingle::cpu {

struct Avx512VlDots {
  static INGLE_INLINE __m256i dpbusd(__m256i acc, __m256i w, __m256i y) { return _mm256_dpbusd_epi32(acc, w, y); }
};

}  // namespace ingle::cpu
INGLE_REGION_END

#include "backend/cpu/kernels/vec_vnni256.inl.h"

namespace ingle::cpu {
using Avx512Vl = Vnni256<Avx512VlDots>;
}  // namespace ingle::cpu
