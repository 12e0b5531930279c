// The tables of isa_*.cpp, for dispatch.cpp. A table exists where its architecture is the one compiled for.
#pragma once

#include "backend/cpu/kernels/kernels.h"

namespace ingle::cpu {

extern const KernelTable kScalarTable;
extern const KernelTable kAvx2Table;    // x86-64
extern const KernelTable kAvx512Table;  // x86-64
KernelTable avx_vnni_table();           // x86-64: kAvx2Table, but for the matmul
KernelTable avx512vl_table();           // x86-64: kAvx2Table, but for the matmul
KernelTable amx_table();                // x86-64: kAvx512Table, but for the matmul
extern const KernelTable kNeonTable;    // 64-bit Arm
extern const KernelTable kI8mmTable;    // 64-bit Arm

}  // namespace ingle::cpu
