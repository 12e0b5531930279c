// Packing of weight rows into groups and back: the part of the matmul tables that needs no vectors. Pure functions, any
// thread. `lanes` is the table's vector width, `signed_bias` what it adds to signed codes (Isa::kLanes,
// Isa::kSignedBias).
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernels/block_format.h"
#include "backend/cpu/kernels/kernels.h"
#include "tensor/dtype.h"

namespace ingle::cpu {

struct PackTarget {
  uint32_t lanes;
  int signed_bias;
};

// F32, F16 and BF16.
bool is_float_type(DType type);

// A matrix is cut into slices of columns, each of which holds all groups, one after the other: while a slice is
// multiplied, the activations of a few columns stay in the first-level cache, and weights stream past them from one
// stretch of memory. (With whole rows, 2 columns of 8192 had half the speed, 4 columns a third.) A group of a slice is:
// of block formats, what block_format.h says; of floats, [cols][kGroupRows]; of the codebook types, the
// source blocks of 256 columns, [kGroupRows].
struct Slice {
  uint32_t first_col, cols;
  size_t offset;  // of its first group in the matrix
  size_t group_bytes;
};
// How many slices a matrix has, and the index-th of them.
uint32_t slice_count(DType type, uint32_t cols);
Slice slice_at(const PackedMatrix& matrix, uint32_t index, PackTarget target);

// As KernelTable declares them.
size_t packed_bytes(DType type, uint32_t rows, uint32_t cols, PackTarget target);
void pack_group(const PackedMatrix& to, uint32_t group, const void* src, size_t row_bytes, PackTarget target);
void unpack_row(const PackedMatrix& from, uint32_t row, float* out, PackTarget target);

// Writes a group of a slice of a codebook type as records of kFormatInt8: [kGroupRows / lanes] of them,
// kInt8RecordsBytes in all. `ahead`, another group or null, is asked for in the meantime where that pays.
inline constexpr size_t kInt8RecordsBytes = kFormatInt8.record_bytes(kRecord, kGroupRows);
void decode_int8_records(DType type, const uint8_t* group, const uint8_t* ahead, void* records, PackTarget target);

}  // namespace ingle::cpu
