// The kernels for 64-bit Arm with the dot product instructions.
#if defined(__aarch64__)

#include "backend/cpu/kernels/vec_neon.h"
// (first: it says for what the others are compiled)
#include "backend/cpu/kernels/table.inl.h"

namespace ingle::cpu {
constinit const KernelTable kNeonTable = make_table<Neon>("neon");
}  // namespace ingle::cpu

#endif
