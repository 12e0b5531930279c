#include "tensor/int8_decode.h"

#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "tensor/codebook_entries.h"
#include "tensor/codebooks.h"

namespace ingle {
namespace {

constexpr size_t kBlock = 256;
constexpr size_t kGroups = kBlock / kInt8ScaleValues;

// The same byte in each of a word's eight.
constexpr uint64_t every_byte(uint8_t byte) { return byte * uint64_t{0x0101010101010101}; }
constexpr uint64_t kBias = every_byte(128);

constexpr auto& kIq1 = kEights<kIq1Grid, kIq1Levels>;
constexpr auto& kIq2Xxs = kEights<kIq2XxsGrid, kIq2Levels>;
constexpr auto& kIq2Xs = kEights<kIq2XsGrid, kIq2Levels>;
constexpr auto& kIq2S = kEights<kIq2SGrid, kIq2Levels>;
constexpr auto& kIq3Xxs = kFours<kIq3XxsGrid, kIq3XxsLevels>;
constexpr auto& kIq3S = kFours<kIq3SGrid, kIq3SLevels>;

template <typename T>
T load(const void* p) {
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

constexpr std::array<uint64_t, 128> kEvenSignMasks = [] {
  std::array<uint64_t, 128> masks{};
  for (size_t seven = 0; seven < masks.size(); ++seven) masks[seven] = kSignMasks[kEvenSigns[seven]];
  return masks;
}();

// Below, loops over a sub-block are unrolled, so that shifts by their counters are by constants.

// Where a block's codes and scales go.
struct Row {
  static_assert(std::endian::native == std::endian::little);
  int8_t* codes;
  float* scales;

  void scale(size_t i, float s) const { scales[i] = s; }
  void scale_32(size_t i, float s) const {
    scale(2 * i, s);
    scale(2 * i + 1, s);
  }
  // Codes 8 i to 8 i + 7.
  void put(size_t i, uint64_t eight) const { std::memcpy(codes + 8 * i, &eight, sizeof eight); }
  // To each of which 128 was added.
  void put_biased(size_t i, uint64_t eight) const { put(i, eight ^ kBias); }
  // Negative where the mask says so. No magnitude is 0, so that no byte of the sum carries into the next.
  void put_signed(size_t i, uint64_t magnitudes, uint64_t mask) const {
    put(i, (magnitudes ^ mask) + (mask & every_byte(1)));
  }
  // `negative`: 0 or 1; no branch, which could not be foreseen.
  void put_iq1(size_t i, uint32_t index, uint32_t negative) const {
    put_biased(i, kIq1[index] + every_byte(1) - negative * every_byte(2));
  }
};

// Two entries of four codes each.
uint64_t join(uint32_t low, uint32_t high) { return low | uint64_t{high} << 32; }

// d, then per 32 values: four 8-bit indices, and a word of four 7-bit sign indices and the 4-bit scale.
void decode_iq2_xxs(const uint8_t* block, Row row) {
  const float d = load_half(block);
  for (size_t g = 0; g < kBlock / 32; ++g) {
    const uint8_t* indices = block + 2 + g * 8;
    const auto word = load<uint32_t>(indices + 4);
    row.scale_32(g, d * kIq2Scales[word >> 28]);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      row.put_signed(4 * g + i, kIq2Xxs[indices[i]], kEvenSignMasks[word >> (7 * i) & 127]);
    }
  }
}

// d, per 8 values a word of 9-bit index and 7-bit sign index, then 4-bit scales.
void decode_iq2_xs(const uint8_t* block, Row row) {
  const float d = load_half(block);
  for (size_t g = 0; g < kBlock / 32; ++g) {
    const uint32_t small = block[66 + g];
    row.scale(2 * g, d * kIq2Scales[small & 15]);
    row.scale(2 * g + 1, d * kIq2Scales[small >> 4]);
    const auto words = load<uint64_t>(block + 2 + 8 * g);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      const uint64_t word = words >> (16 * i);
      row.put_signed(4 * g + i, kIq2Xs[word & 511], kEvenSignMasks[word >> 9 & 127]);
    }
  }
}

// d, low index bytes, sign bytes, high index bits (2 each), 4-bit scales.
void decode_iq2_s(const uint8_t* block, Row row) {
  const float d = load_half(block);
  const uint8_t *low = block + 2, *signs = low + 32, *high = signs + 32, *small = high + 8;
  for (size_t g = 0; g < kBlock / 32; ++g) {
    row.scale(2 * g, d * kIq2Scales[small[g] & 15]);
    row.scale(2 * g + 1, d * kIq2Scales[small[g] >> 4]);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      const uint32_t index = low[4 * g + i] | (high[g] >> (2 * i) & 3u) << 8;
      row.put_signed(4 * g + i, kIq2S[index], kSignMasks[signs[4 * g + i]]);
    }
  }
}

// d, 8-bit indices of 4 values each, then per 32 values the word of signs and scale as in IQ2_XXS.
void decode_iq3_xxs(const uint8_t* block, Row row) {
  const float d = load_half(block);
  for (size_t g = 0; g < kBlock / 32; ++g) {
    const uint8_t* indices = block + 2 + g * 8;
    const auto word = load<uint32_t>(block + 66 + g * 4);
    row.scale_32(g, d * kIq3XxsScales[word >> 28]);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      row.put_signed(4 * g + i, join(kIq3Xxs[indices[2 * i]], kIq3Xxs[indices[2 * i + 1]]),
                     kEvenSignMasks[word >> (7 * i) & 127]);
    }
  }
}

// d, low index bytes, high index bits, sign bytes, 4-bit scales of 32 values each.
void decode_iq3_s(const uint8_t* block, Row row) {
  const float d = load_half(block);
  const uint8_t *low = block + 2, *high = low + 64, *signs = high + 8, *small = signs + 32;
  for (size_t g = 0; g < kBlock / 32; ++g) {
    row.scale_32(g, d * kIq3SScales[small[g / 2] >> (4 * (g % 2)) & 15]);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      const uint8_t* two = low + 8 * g + 2 * i;
      const uint32_t top = high[g] >> (2 * i);
      row.put_signed(4 * g + i, join(kIq3S[two[0] | (top & 1) << 8], kIq3S[two[1] | (top & 2) << 7]),
                     kSignMasks[signs[4 * g + i]]);
    }
  }
}

// d, low index bytes, then per 32 values a word of four 3-bit high index parts, 3-bit scale and the sign of delta.
void decode_iq1_s(const uint8_t* block, Row row) {
  const float d = load_half(block);
  const uint8_t* low = block + 2;
  for (size_t g = 0; g < kBlock / 32; ++g) {
    const auto word = load<uint16_t>(block + 34 + g * 2);
    row.scale_32(g, d * kIq1Scales[word >> 12 & 7]);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      row.put_iq1(4 * g + i, low[g * 4 + i] | (word >> (3 * i) & 7u) << 8, word >> 15);
    }
  }
}

// Low index bytes, nibbles of high index part and sign of delta, then four words of four 3-bit scales,
// whose top nibbles together are d.
void decode_iq1_m(const uint8_t* block, Row row) {
  const uint8_t *low = block, *high = low + 32, *words = high + 16;
  uint32_t half = 0;
  for (size_t i = 0; i < 4; ++i) half |= static_cast<uint32_t>(load<uint16_t>(words + 2 * i) >> 12) << (4 * i);
  const float d = half_to_float(static_cast<uint16_t>(half));
  for (size_t g = 0; g < kBlock / 32; ++g) {
    const uint32_t small = load<uint16_t>(words + g / 2 * 2) >> (6 * (g % 2));
    row.scale(2 * g, d * kIq1Scales[small & 7]);
    row.scale(2 * g + 1, d * kIq1Scales[small >> 3 & 7]);
    const auto nibbles = load<uint16_t>(high + 2 * g);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      const uint32_t nibble = nibbles >> (4 * i);
      row.put_iq1(4 * g + i, low[4 * g + i] | (nibble & 7) << 8, nibble >> 3 & 1);
    }
  }
}

// kBytes bytes of kDigits base-3 digits, digit by digit, as biased codes; returns what follows them. A byte
// holds its digits as a fraction: the byte times 3^position has the digit in front. A word's even and odd bytes are
// multiplied apart, in 16 bits each.
template <size_t kBytes, size_t kDigits>
uint8_t* put_ternary(const uint8_t* in, uint8_t* codes) {
  uint64_t power = 1;
  for (size_t digit = 0; digit < kDigits; ++digit, power *= 3) {
    for (size_t i = 0; i < kBytes; i += sizeof(uint32_t), codes += sizeof(uint32_t)) {
      constexpr uint64_t kLow = 0x00ff00ff00ff00ff;
      const auto four = load<uint32_t>(in + i);
      const uint64_t apart = uint64_t{four & 0xff00ff00} << 24 | (four & 0x00ff00ff);
      const uint64_t digits = (apart * power & kLow) * 3 >> 8 & kLow;
      const auto biased = static_cast<uint32_t>(digits | digits >> 24) + 0x7f7f7f7f;
      std::memcpy(codes, &biased, sizeof biased);
    }
  }
  return codes;
}

// 32 bytes of five digits, 16 bytes of five, 4 bytes of four; then d.
void decode_tq1_0(const uint8_t* block, Row row) {
  std::array<uint8_t, kBlock> codes;
  uint8_t* rest = put_ternary<32, 5>(block, codes.data());
  rest = put_ternary<16, 5>(block + 32, rest);
  put_ternary<4, 4>(block + 48, rest);
  for (size_t i = 0; i < kBlock / 8; ++i) row.put_biased(i, load<uint64_t>(codes.data() + 8 * i));
  const float d = load_half(block + 52);
  for (size_t g = 0; g < kGroups; ++g) row.scale(g, d);
}

// Two runs of 32 bytes of four 2-bit codes, then d.
void decode_tq2_0(const uint8_t* block, Row row) {
  size_t at = 0;
  for (size_t run = 0; run < 2; ++run) {
    for (size_t shift = 0; shift < 8; shift += 2) {
      for (size_t i = 0; i < 32; i += 8) {
        row.put_biased(at++, (load<uint64_t>(block + 32 * run + i) >> shift & every_byte(3)) + every_byte(127));
      }
    }
  }
  const float d = load_half(block + 64);
  for (size_t g = 0; g < kGroups; ++g) row.scale(g, d);
}

using Decoder = void (*)(const uint8_t* block, Row row);
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
    decode(block + i * block_bytes, {codes + i * kBlock, scales + i * kGroups});
  }
}

}  // namespace ingle
