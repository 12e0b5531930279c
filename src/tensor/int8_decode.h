// The codebook and ternary types (IQ1, IQ2, IQ3, TQ) as int8 codes and f32 scales: what their dequantiser multiplies,
// and what the matmul kernels read in place of a codebook type's blocks. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace ingle {

// Values that share one scale in the output of decode_to_int8.
inline constexpr size_t kInt8ScaleValues = 16;

// IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S TQ1_0 TQ2_0.
bool decodes_to_int8(DType type);

// Decodes `values` values (a multiple of 256) of the blocks at `in` (any alignment) into one code per value and
// one scale per 16. Value i is scales[i / 16] * codes[i], rounded once to f32: bit for bit what dequantize() gives.
// Codes are in [-62, 62]. With d the block's f16 scale as f32 and s its small integer scale, the float operations are,
// each rounded to f32 (all of them are exact for finite d):
//   IQ2_*    (d * (0.5 + s)) * 0.25        code = sign * grid
//   IQ3_XXS  (d * (0.5 + s)) * 0.5         code = sign * grid
//   IQ3_S    d * (1 + 2 * s)               code = sign * grid
//   IQ1_*    (d * (2 * s + 1)) * 0.125     code = 8 * grid + 1 or - 1
//   TQ*      d                             code = -1, 0, 1 (TQ2_0 can also hold 2)
void decode_to_int8(DType type, const void* in, int8_t* codes, float* scales, size_t values);

}  // namespace ingle
