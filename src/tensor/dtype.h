// The tensor types of the GGUF specification: names, block sizes, bytes, and the scalar dequantiser of each.
// Pure functions, any thread. The numbers of the enum are the file format's.
// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; values checked against the Python package `gguf`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace ingle {

// clang-format off
enum class DType : uint32_t {
  kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ4_1 = 3, kQ5_0 = 6, kQ5_1 = 7, kQ8_0 = 8, kQ8_1 = 9,
  kQ2_K = 10, kQ3_K = 11, kQ4_K = 12, kQ5_K = 13, kQ6_K = 14, kQ8_K = 15,
  kIQ2_XXS = 16, kIQ2_XS = 17, kIQ3_XXS = 18, kIQ1_S = 19, kIQ4_NL = 20, kIQ3_S = 21, kIQ2_S = 22, kIQ4_XS = 23,
  kI8 = 24, kI16 = 25, kI32 = 26, kI64 = 27, kF64 = 28, kIQ1_M = 29, kBF16 = 30, kTQ1_0 = 34, kTQ2_0 = 35, kMXFP4 = 39,
};
// clang-format on

struct DTypeInfo {
  DType type;
  std::string_view name;  // as GGUF tools print it: "Q4_K"
  uint32_t block_values;  // values per block, 1 for plain types
  uint32_t block_bytes;
  bool dequantizable;  // dequantize() knows it
};

// The type with this number in a GGUF file, or nothing if the number is not one of the specification's.
std::optional<DType> dtype_from_gguf(uint32_t number);
const DTypeInfo& dtype_info(DType type);
// All types, in the order of their numbers.
std::span<const DTypeInfo> all_dtypes();

// Bytes of `values` values (a multiple of block_values), or nothing where that wraps or is no multiple.
std::optional<uint64_t> dtype_bytes(DType type, uint64_t values);

// Writes `values` (a multiple of block_values) floats to `out` from the blocks at `in` (any alignment).
// The type must be dequantizable. The float operations are those of `gguf.quants`, in its order.
void dequantize(DType type, const void* in, float* out, size_t values);

// IEEE half and bfloat16 to float, exact; float to half and bfloat16 rounds to nearest, ties to even.
float half_to_float(uint16_t h);
uint16_t float_to_half(float f);
float bfloat16_to_float(uint16_t b);
uint16_t float_to_bfloat16(float f);

}  // namespace ingle
