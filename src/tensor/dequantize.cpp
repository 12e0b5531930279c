// Scalar dequantisers. Every product, sum and conversion is one rounded f32 operation, in the order of gguf.quants.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "tensor/dtype.h"
#include "tensor/int8_decode.h"
#include "tensor/lookup_values.h"

namespace ingle {
namespace {

constexpr size_t kSmall = 32;   // values per block of the types without super-blocks
constexpr size_t kSuper = 256;  // values per super-block

template <typename T>
T load(const uint8_t* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

float load_half(const uint8_t* p) { return half_to_float(load<uint16_t>(p)); }

// Code i of 32 in 16 bytes: the first half in the low nibbles, the second in the high ones.
uint32_t nibble(const uint8_t* bytes, size_t i) { return bytes[i % 16] >> (i / 16 * 4) & 15; }

void f32(const uint8_t* in, float* out) { *out = load<float>(in); }
void f16(const uint8_t* in, float* out) { *out = load_half(in); }
void bf16(const uint8_t* in, float* out) { *out = bfloat16_to_float(load<uint16_t>(in)); }

void q4_0(const uint8_t* in, float* out) {
  const float d = load_half(in);
  for (size_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(static_cast<int>(nibble(in + 2, i)) - 8);
}

void q4_1(const uint8_t* in, float* out) {
  const float d = load_half(in), m = load_half(in + 2);
  for (size_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(nibble(in + 4, i)) + m;
}

void q5_0(const uint8_t* in, float* out) {
  const float d = load_half(in);
  const auto high = load<uint32_t>(in + 2);
  for (size_t i = 0; i < kSmall; ++i) {
    const uint32_t q = nibble(in + 6, i) | (high >> i & 1) << 4;
    out[i] = d * static_cast<float>(static_cast<int>(q) - 16);
  }
}

void q5_1(const uint8_t* in, float* out) {
  const float d = load_half(in), m = load_half(in + 2);
  const auto high = load<uint32_t>(in + 4);
  for (size_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(nibble(in + 8, i) | (high >> i & 1) << 4) + m;
}

void q8_0(const uint8_t* in, float* out) {
  const float d = load_half(in);
  for (size_t i = 0; i < kSmall; ++i) out[i] = static_cast<float>(static_cast<int8_t>(in[2 + i])) * d;
}

// Code i of 256 in 64 bytes: 128 codes to 32 bytes, the first 32 codes in the lowest two bits.
uint32_t two_bits(const uint8_t* bytes, size_t i) { return bytes[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3; }

// Bit i of 256 in 32 bytes: the first 32 in the lowest bits.
uint32_t one_bit(const uint8_t* bytes, size_t i) { return bytes[i % 32] >> (i / 32) & 1; }

void q2_k(const uint8_t* in, float* out) {
  const float d = load_half(in + 80), dmin = load_half(in + 82);
  for (size_t i = 0; i < kSuper; ++i) {
    const uint8_t s = in[i / 16];
    const float scale = d * static_cast<float>(s & 15), min = dmin * static_cast<float>(s >> 4);
    out[i] = scale * static_cast<float>(two_bits(in + 16, i)) - min;
  }
}

void q3_k(const uint8_t* in, float* out) {
  const uint8_t *high = in, *low = in + 32, *scales = in + 96;
  const float d = load_half(in + 108);
  for (size_t i = 0; i < kSuper; ++i) {
    const size_t g = i / 16;
    const uint32_t s = (scales[g % 8] >> (g / 8 * 4) & 15) | (scales[8 + g % 4] >> (g / 4 * 2) & 3u) << 4;
    const float scale = d * static_cast<float>(static_cast<int>(s) - 32);
    const int q = static_cast<int>(two_bits(low, i)) - (one_bit(high, i) ? 0 : 4);
    out[i] = scale * static_cast<float>(q);
  }
}

struct ScaleMin {
  uint32_t scale, min;
};

// Sub-block g of eight: 6-bit scale and minimum out of 12 bytes.
ScaleMin k_scale_min(const uint8_t* s, size_t g) {
  if (g < 4) return {s[g] & 63u, s[g + 4] & 63u};
  return {(s[g + 4] & 15u) | (s[g - 4] >> 6) << 4, static_cast<uint32_t>(s[g + 4] >> 4 | (s[g] >> 6) << 4)};
}

// Code i of 256 in 128 bytes: 64 codes to 32 bytes, the first 32 in the low nibbles.
uint32_t super_nibble(const uint8_t* bytes, size_t i) { return bytes[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15; }

void q4_k(const uint8_t* in, float* out) {
  const float d = load_half(in), dmin = load_half(in + 2);
  for (size_t g = 0; g < 8; ++g) {
    const ScaleMin s = k_scale_min(in + 4, g);
    const float scale = d * static_cast<float>(s.scale), min = dmin * static_cast<float>(s.min);
    for (size_t i = g * 32; i < g * 32 + 32; ++i) {
      out[i] = scale * static_cast<float>(super_nibble(in + 16, i)) - min;
    }
  }
}

void q5_k(const uint8_t* in, float* out) {
  const float d = load_half(in), dmin = load_half(in + 2);
  for (size_t g = 0; g < 8; ++g) {
    const ScaleMin s = k_scale_min(in + 4, g);
    const float scale = d * static_cast<float>(s.scale), min = dmin * static_cast<float>(s.min);
    for (size_t i = g * 32; i < g * 32 + 32; ++i) {
      const uint32_t q = super_nibble(in + 48, i) | one_bit(in + 16, i) << 4;
      out[i] = scale * static_cast<float>(q) - min;
    }
  }
}

void q6_k(const uint8_t* in, float* out) {
  const float d = load_half(in + 208);
  for (size_t i = 0; i < kSuper; ++i) {
    const float scale = d * static_cast<float>(static_cast<int8_t>(in[192 + i / 16]));
    const uint32_t low = in[i / 128 * 64 + i % 64] >> (i / 64 % 2 * 4) & 15;
    const int q = static_cast<int>(low | two_bits(in + 128, i) << 4) - 32;
    out[i] = scale * static_cast<float>(q);
  }
}

void iq4_nl(const uint8_t* in, float* out) {
  const float d = load_half(in);
  for (size_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(kIq4Values[nibble(in + 2, i)]);
}

void iq4_xs(const uint8_t* in, float* out) {
  const float d = load_half(in);
  const auto high = load<uint16_t>(in + 2);
  for (size_t g = 0; g < 8; ++g) {
    const uint32_t s = (in[4 + g / 2] >> (g % 2 * 4) & 15) | (high >> (2 * g) & 3u) << 4;
    const float scale = d * static_cast<float>(static_cast<int>(s) - 32);
    for (size_t i = 0; i < 32; ++i) {
      out[g * 32 + i] = scale * static_cast<float>(kIq4Values[nibble(in + 8 + g * 16, i)]);
    }
  }
}

void mxfp4(const uint8_t* in, float* out) {
  // 2^(e - 128): half of the e8m0 scale, as the values are doubled. The two smallest are subnormal.
  const uint32_t e = in[0];
  const float d = std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
  for (size_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(kMxfp4Values[nibble(in + 1, i)]);
}

using BlockFunction = void (*)(const uint8_t* in, float* out);

BlockFunction block_function(DType type) {
  switch (type) {
    case DType::kF32:
      return f32;
    case DType::kF16:
      return f16;
    case DType::kBF16:
      return bf16;
    case DType::kQ4_0:
      return q4_0;
    case DType::kQ4_1:
      return q4_1;
    case DType::kQ5_0:
      return q5_0;
    case DType::kQ5_1:
      return q5_1;
    case DType::kQ8_0:
      return q8_0;
    case DType::kQ2_K:
      return q2_k;
    case DType::kQ3_K:
      return q3_k;
    case DType::kQ4_K:
      return q4_k;
    case DType::kQ5_K:
      return q5_k;
    case DType::kQ6_K:
      return q6_k;
    case DType::kIQ4_NL:
      return iq4_nl;
    case DType::kIQ4_XS:
      return iq4_xs;
    case DType::kMXFP4:
      return mxfp4;
    default:
      return nullptr;
  }
}

void dequantize_int8_block(DType type, const uint8_t* in, float* out) {
  std::array<int8_t, kSuper> codes;
  std::array<float, kSuper / kInt8ScaleValues> scales;
  decode_to_int8(type, in, codes.data(), scales.data(), kSuper);
  for (size_t i = 0; i < kSuper; ++i) out[i] = scales[i / kInt8ScaleValues] * static_cast<float>(codes[i]);
}

}  // namespace

void dequantize(DType type, const void* in, float* out, size_t values) {
  const DTypeInfo& info = dtype_info(type);
  CHECK(info.dequantizable && values % info.block_values == 0);
  const BlockFunction function = block_function(type);
  const auto* block = static_cast<const uint8_t*>(in);
  for (size_t i = 0; i < values / info.block_values; ++i, block += info.block_bytes, out += info.block_values) {
    if (function != nullptr) {
      function(block, out);
    } else {
      dequantize_int8_block(type, block, out);
    }
  }
}

}  // namespace ingle
