// Packing of weight rows into groups and back: the part of the matmul tables that needs no vectors. Pure functions, any
// thread. `lanes` is the table's vector width, `signed_bias` what it adds to signed codes (Isa::kLanes,
// Isa::kSignedBias).
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernels/block_format.h"
#include "tensor/dtype.h"

namespace ingle::cpu {

struct PackTarget {
  uint32_t lanes;
  int signed_bias;
};

// F32, F16 and BF16: a packed group is [cols][kGroupRows] values.
bool is_float_type(DType type);

// As KernelTable declares them.
size_t packed_group_bytes(DType type, uint32_t cols, PackTarget target);
void pack_group(DType type, const void* src, size_t row_bytes, uint32_t rows, uint32_t cols, void* dst,
                PackTarget target);
void unpack_row(DType type, const void* group, uint32_t row, uint32_t cols, float* out, PackTarget target);

// Writes 256 columns of a packed group of a codebook or ternary type, from column `begin` on, as records of
// kFormatInt8: [kGroupRows / lanes] of them, kInt8RecordsBytes in all. begin is a multiple of 256.
inline constexpr size_t kInt8RecordsBytes = kFormatInt8.record_bytes(kRecord, 16);
void decode_int8_records(DType type, const void* group, uint32_t cols, uint32_t begin, void* records,
                         PackTarget target);

}  // namespace ingle::cpu
