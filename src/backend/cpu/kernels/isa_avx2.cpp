// The kernels for x86-64 with AVX2, FMA and F16C.
#if defined(__x86_64__)

#include "backend/cpu/kernels/vec_avx2.h"
// (first: it says for what the others are compiled)
#include "backend/cpu/kernels/table.inl.h"

namespace ingle::cpu {
constinit const KernelTable kAvx2Table = make_table<Avx2>("avx2");
}  // namespace ingle::cpu

#endif
