// The matmul for x86-64 with 256-bit vectors by AVX-512 VNNI; all else is as in the table for AVX2.
#if defined(__x86_64__)

#include "backend/cpu/kernels/vec_avx512vl.h"
// (first: it says for what the others are compiled)
#include "backend/cpu/kernels/table.inl.h"

namespace ingle::cpu {
KernelTable avx512vl_table() { return with_matmul_of<Avx512Vl>("avx512vl", kAvx2Table); }
}  // namespace ingle::cpu

#endif
