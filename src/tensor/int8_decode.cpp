#include "tensor/int8_decode.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace ingle {
namespace {

#include "tensor/iq_grids.inc"

constexpr size_t kBlock = 256;
constexpr size_t kGroups = kBlock / kInt8ScaleValues;

// Entry by entry, the codes of a packed codebook: `kElements` of them from fields of 16 / kElements bits.
template <size_t kElements, size_t kEntries, size_t kLevels>
constexpr std::array<std::array<int8_t, kElements>, kEntries> expand(const std::array<uint16_t, kEntries>& packed,
                                                                     const std::array<int8_t, kLevels>& levels) {
  constexpr unsigned kBits = 16 / kElements;
  std::array<std::array<int8_t, kElements>, kEntries> out{};
  for (size_t i = 0; i < kEntries; ++i) {
    for (size_t j = 0; j < kElements; ++j) out[i][j] = levels[packed[i] >> (kBits * j) & ((1u << kBits) - 1)];
  }
  return out;
}

// IQ1 codes are 8 * grid + 1 or - 1: the block says which.
constexpr std::array<int8_t, 3> kIq1PlusLevels = {-7, 1, 9};
constexpr std::array<int8_t, 3> kIq1MinusLevels = {-9, -1, 7};
constexpr std::array<int8_t, 3> kIq2Levels = {8, 25, 43};
constexpr std::array<int8_t, 8> kIq3XxsLevels = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr std::array<int8_t, 8> kIq3SLevels = {1, 3, 5, 7, 9, 11, 13, 15};
constexpr auto kIq1Plus = expand<8>(kIq1Grid, kIq1PlusLevels);
constexpr auto kIq1Minus = expand<8>(kIq1Grid, kIq1MinusLevels);
constexpr auto kIq2Xxs = expand<8>(kIq2XxsGrid, kIq2Levels);
constexpr auto kIq2Xs = expand<8>(kIq2XsGrid, kIq2Levels);
constexpr auto kIq2S = expand<8>(kIq2SGrid, kIq2Levels);
constexpr auto kIq3Xxs = expand<4>(kIq3XxsGrid, kIq3XxsLevels);
constexpr auto kIq3S = expand<4>(kIq3SGrid, kIq3SLevels);

template <typename T>
T load(const uint8_t* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

float load_half(const uint8_t* p) { return half_to_float(load<uint16_t>(p)); }

// By a byte of sign bits: byte j is 255 where bit j is set.
constexpr std::array<uint64_t, 256> kSignMasks = [] {
  std::array<uint64_t, 256> masks{};
  for (size_t signs = 0; signs < masks.size(); ++signs) {
    for (size_t j = 0; j < 8; ++j) masks[signs] |= (signs >> j & 1) * (uint64_t{0xff} << (8 * j));
  }
  return masks;
}();

// By seven stored sign bits; the eighth makes their number even.
constexpr std::array<uint64_t, 128> kEvenSignMasks = [] {
  std::array<uint64_t, 128> masks{};
  for (uint32_t seven = 0; seven < masks.size(); ++seven)
    masks[seven] = kSignMasks[seven | (std::popcount(seven) & 1) << 7];
  return masks;
}();

// The codes of one codebook entry, all at once. No magnitude is 0, so that no byte of the sum carries into the next.
template <size_t kElements>
void put_signed(const std::array<int8_t, kElements>& magnitudes, uint64_t mask, int8_t* codes) {
  static_assert(std::endian::native == std::endian::little);
  uint64_t word = 0;
  std::memcpy(&word, magnitudes.data(), kElements);
  word = (word ^ mask) + (mask & 0x0101010101010101);
  std::memcpy(codes, &word, kElements);
}

void put_iq1(uint32_t index, bool negative, int8_t* codes) {
  std::memcpy(codes, (negative ? kIq1Minus : kIq1Plus)[index].data(), 8);
}

// d, then per 32 values: four 8-bit indices, and a word of four 7-bit sign indices and the 4-bit scale.
void decode_iq2_xxs(const uint8_t* block, int8_t* codes, float* scales) {
  const float d = load_half(block);
  for (size_t g = 0; g < kBlock / 32; ++g) {
    const uint8_t* indices = block + 2 + g * 8;
    const auto word = load<uint32_t>(indices + 4);
    scales[2 * g] = scales[2 * g + 1] = d * (0.5f + static_cast<float>(word >> 28)) * 0.25f;
    for (size_t i = 0; i < 4; ++i) {
      put_signed(kIq2Xxs[indices[i]], kEvenSignMasks[word >> (7 * i) & 127], codes + g * 32 + i * 8);
    }
  }
}

// d, per 8 values a word of 9-bit index and 7-bit sign index, then 4-bit scales.
void decode_iq2_xs(const uint8_t* block, int8_t* codes, float* scales) {
  const float d = load_half(block);
  for (size_t g = 0; g < kGroups; ++g) {
    const uint32_t scale = block[66 + g / 2] >> (4 * (g % 2)) & 15;
    scales[g] = d * (0.5f + static_cast<float>(scale)) * 0.25f;
    for (size_t i = 2 * g; i < 2 * g + 2; ++i) {
      const auto word = load<uint16_t>(block + 2 + i * 2);
      put_signed(kIq2Xs[word & 511], kEvenSignMasks[word >> 9], codes + i * 8);
    }
  }
}

// d, low index bytes, sign bytes, high index bits (2 each), 4-bit scales.
void decode_iq2_s(const uint8_t* block, int8_t* codes, float* scales) {
  const float d = load_half(block);
  const uint8_t *low = block + 2, *signs = low + 32, *high = signs + 32, *small = high + 8;
  for (size_t g = 0; g < kGroups; ++g) {
    scales[g] = d * (0.5f + static_cast<float>(small[g / 2] >> (4 * (g % 2)) & 15)) * 0.25f;
    for (size_t i = 2 * g; i < 2 * g + 2; ++i) {
      const uint32_t index = low[i] | (high[i / 4] >> (2 * (i % 4)) & 3u) << 8;
      put_signed(kIq2S[index], kSignMasks[signs[i]], codes + i * 8);
    }
  }
}

// d, 8-bit indices of 4 values each, then per 32 values the word of signs and scale as in IQ2_XXS.
void decode_iq3_xxs(const uint8_t* block, int8_t* codes, float* scales) {
  const float d = load_half(block);
  for (size_t g = 0; g < kBlock / 32; ++g) {
    const uint8_t* indices = block + 2 + g * 8;
    const auto word = load<uint32_t>(block + 66 + g * 4);
    scales[2 * g] = scales[2 * g + 1] = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
    for (size_t i = 0; i < 8; ++i) {
      const uint64_t mask = kEvenSignMasks[word >> (7 * (i / 2)) & 127] >> (32 * (i % 2));
      put_signed(kIq3Xxs[indices[i]], mask, codes + g * 32 + i * 4);
    }
  }
}

// d, low index bytes, high index bits, sign bytes, 4-bit scales of 32 values each.
void decode_iq3_s(const uint8_t* block, int8_t* codes, float* scales) {
  const float d = load_half(block);
  const uint8_t *low = block + 2, *high = low + 64, *signs = high + 8, *small = signs + 32;
  for (size_t g = 0; g < kGroups; ++g) {
    const uint32_t scale = small[g / 4] >> (4 * (g / 2 % 2)) & 15;
    scales[g] = d * static_cast<float>(1 + 2 * scale);
    for (size_t i = 4 * g; i < 4 * g + 4; ++i) {
      const uint32_t index = low[i] | (high[i / 8] >> (i % 8) & 1u) << 8;
      put_signed(kIq3S[index], kSignMasks[signs[i / 2]] >> (32 * (i % 2)), codes + i * 4);
    }
  }
}

// d, low index bytes, then per 32 values a word of four 3-bit high index parts, 3-bit scale and the sign of delta.
void decode_iq1_s(const uint8_t* block, int8_t* codes, float* scales) {
  const float d = load_half(block);
  const uint8_t* low = block + 2;
  for (size_t g = 0; g < kBlock / 32; ++g) {
    const auto word = load<uint16_t>(block + 34 + g * 2);
    scales[2 * g] = scales[2 * g + 1] = d * static_cast<float>(2 * (word >> 12 & 7) + 1) * 0.125f;
    for (size_t i = 0; i < 4; ++i) {
      put_iq1(low[g * 4 + i] | (word >> (3 * i) & 7u) << 8, word >> 15, codes + g * 32 + i * 8);
    }
  }
}

// Low index bytes, nibbles of high index part and sign of delta, then four words of four 3-bit scales,
// whose top nibbles together are d.
void decode_iq1_m(const uint8_t* block, int8_t* codes, float* scales) {
  const uint8_t *low = block, *high = low + 32, *words = high + 16;
  uint32_t half = 0;
  for (size_t i = 0; i < 4; ++i) half |= static_cast<uint32_t>(load<uint16_t>(words + 2 * i) >> 12) << (4 * i);
  const float d = half_to_float(static_cast<uint16_t>(half));
  for (size_t g = 0; g < kGroups; ++g) {
    const uint32_t scale = load<uint16_t>(words + g / 4 * 2) >> (3 * (g % 4)) & 7;
    scales[g] = d * static_cast<float>(2 * scale + 1) * 0.125f;
    for (size_t i = 2 * g; i < 2 * g + 2; ++i) {
      const uint32_t nibble = high[i / 2] >> (4 * (i % 2));
      put_iq1(low[i] | (nibble & 7) << 8, nibble & 8, codes + i * 8);
    }
  }
}

// kBytes bytes of kDigits base-3 digits, digit by digit. A byte holds its digits as a fraction: the byte times
// 3^position has the digit in front.
template <size_t kBytes, size_t kDigits>
int8_t* put_ternary(const uint8_t* in, int8_t* codes) {
  uint8_t power = 1;
  for (size_t digit = 0; digit < kDigits; ++digit, power = static_cast<uint8_t>(power * 3), codes += kBytes) {
    for (size_t i = 0; i < kBytes; ++i) {
      const auto fraction = static_cast<uint8_t>(in[i] * power);
      codes[i] = static_cast<int8_t>((fraction * 3 >> 8) - 1);
    }
  }
  return codes;
}

// 32 bytes of five digits, 16 bytes of five, 4 bytes of four; then d.
void decode_tq1_0(const uint8_t* block, int8_t* codes, float* scales) {
  codes = put_ternary<32, 5>(block, codes);
  codes = put_ternary<16, 5>(block + 32, codes);
  put_ternary<4, 4>(block + 48, codes);
  std::fill_n(scales, kGroups, load_half(block + 52));
}

// Two runs of 32 bytes of four 2-bit codes, then d.
void decode_tq2_0(const uint8_t* block, int8_t* codes, float* scales) {
  for (size_t run = 0; run < 2; ++run) {
    for (size_t shift = 0; shift < 8; shift += 2, codes += 32) {
      for (size_t i = 0; i < 32; ++i) codes[i] = static_cast<int8_t>((block[32 * run + i] >> shift & 3) - 1);
    }
  }
  std::fill_n(scales, kGroups, load_half(block + 64));
}

using Decoder = void (*)(const uint8_t* block, int8_t* codes, float* scales);

Decoder decoder(DType type) {
  switch (type) {
    case DType::kIQ1_S:
      return decode_iq1_s;
    case DType::kIQ1_M:
      return decode_iq1_m;
    case DType::kIQ2_XXS:
      return decode_iq2_xxs;
    case DType::kIQ2_XS:
      return decode_iq2_xs;
    case DType::kIQ2_S:
      return decode_iq2_s;
    case DType::kIQ3_XXS:
      return decode_iq3_xxs;
    case DType::kIQ3_S:
      return decode_iq3_s;
    case DType::kTQ1_0:
      return decode_tq1_0;
    case DType::kTQ2_0:
      return decode_tq2_0;
    default:
      return nullptr;
  }
}

}  // namespace

bool decodes_to_int8(DType type) { return decoder(type) != nullptr; }

void decode_to_int8(DType type, const void* in, int8_t* codes, float* scales, size_t values) {
  const Decoder decode = decoder(type);
  CHECK(decode != nullptr && values % kBlock == 0);
  const size_t block_bytes = dtype_info(type).block_bytes;
  const auto* block = static_cast<const uint8_t*>(in);
  for (size_t i = 0; i < values / kBlock; ++i) {
    decode(block + i * block_bytes, codes + i * kBlock, scales + i * kGroups);
  }
}

}  // namespace ingle
