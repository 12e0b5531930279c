// The kernels for any machine: the definition of the bits.

#include "backend/cpu/kernels/vec_scalar.h"
// (first: it says for what the others are compiled)
#include "backend/cpu/kernels/table.inl.h"

namespace ingle::cpu {
constinit const KernelTable kScalarTable = make_table<Scalar>("scalar");
}  // namespace ingle::cpu
