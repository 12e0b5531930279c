// The kernels for x86-64 with AVX-512 VNNI.
#if defined(__x86_64__)

#include "backend/cpu/kernels/vec_avx512.h"
// (first: it says for what the others are compiled)
#include "backend/cpu/kernels/table.inl.h"

namespace ingle::cpu {
constinit const KernelTable kAvx512Table = make_table<Avx512>("avx512");
}  // namespace ingle::cpu

#endif
