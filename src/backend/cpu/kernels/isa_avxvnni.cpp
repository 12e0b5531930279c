// The matmul for x86-64 with AVX-VNNI; all else is as in the table for AVX2.
#if defined(__x86_64__)

#include "backend/cpu/kernels/vec_avxvnni.h"
// (first: it says for what the others are compiled)
#include "backend/cpu/kernels/table.inl.h"

namespace ingle::cpu {
KernelTable avx_vnni_table() { return with_matmul_of<AvxVnni>("avxvnni", kAvx2Table); }
}  // namespace ingle::cpu

#endif
