// The kernels for 64-bit Arm with the int8 matrix multiply.
#if defined(__aarch64__)

#include "backend/cpu/kernels/vec_i8mm.h"
// (first: it says for what the others are compiled)
#include "backend/cpu/kernels/table.inl.h"

namespace ingle::cpu {
constinit const KernelTable kI8mmTable = make_table<I8mm>("i8mm");
}  // namespace ingle::cpu

#endif
