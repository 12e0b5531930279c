// Reading a GGUF file's block-quantised rows: any type's block as one byte per code and the bytes of its scales,
// whatever their order in the file. Included by packed.cpp alone, which puts them into the order of a CPU's table.
// Source of the blocks: the GGUF specification's tensor types (block_format.h).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "backend/cpu/kernels/block_format.h"
#include "backend/cpu/kernels/isa_region.h"
#include "base/check.h"
#include "tensor/int8_decode.h"

namespace ingle::cpu {
namespace {

constexpr uint32_t kSuper = kRecord * kSubBlock;

constexpr std::array<uint8_t, 8> kBitOfByte = {1, 2, 4, 8, 16, 32, 64, 128};

template <typename T>
T load(const uint8_t* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// Up to 256 columns of one row. `scales` holds the bytes of its row in Scales' order: byte i of lane l of the packed
// scales is scales[i] of row l for byte-sized fields; 16-bit fields take two of them.
struct RowRecord {
  uint8_t codes[kSuper];
  uint8_t scales[4 * kRecord];  // of the longest, kHalfMin
};

// Eight codes at a time, a byte each, in a word: bits that a shift moves into the next byte are masked away.
constexpr uint64_t every_byte(uint8_t b) { return b * 0x0101010101010101u; }
uint64_t load_word(const uint8_t* p) { return load<uint64_t>(p); }
void store_word(uint8_t* p, uint64_t word) { std::memcpy(p, &word, sizeof word); }

// 2 * kRun codes out of kRun bytes, the first kRun in the low halves.
template <int kRun>
void nibbles(const uint8_t* in, uint8_t* codes) {
  for (int i = 0; i < kRun; i += 8) {
    const uint64_t both = load_word(in + i);
    store_word(codes + i, both & every_byte(15));
    store_word(codes + kRun + i, both >> 4 & every_byte(15));
  }
}

void add_fifth_bits(const uint8_t* in, uint8_t* codes) {
  for (int i = 0; i < 4; i++) {
    // Bit j of the byte, alone in byte j of the word; then moved to the top of its byte, then to its place.
    const uint64_t bits = every_byte(in[i]) & load_word(kBitOfByte.data());
    const uint64_t top = (bits + every_byte(0x7f)) & every_byte(0x80);
    store_word(codes + 8 * i, load_word(codes + 8 * i) | top >> 3);
  }
}

// One block of 32 of the types without super-blocks.
INGLE_INLINE void read_small(DType type, const uint8_t* in, uint8_t* codes, uint8_t* scales) {
  switch (type) {
    case DType::kQ4_0:
    case DType::kIQ4_NL:
      std::memcpy(scales, in, 2);
      return nibbles<16>(in + 2, codes);
    case DType::kQ4_1:
      std::memcpy(scales, in, 4);
      return nibbles<16>(in + 4, codes);
    case DType::kQ5_0:
      std::memcpy(scales, in, 2);
      nibbles<16>(in + 6, codes);
      return add_fifth_bits(in + 2, codes);
    case DType::kQ5_1:
      std::memcpy(scales, in, 4);
      nibbles<16>(in + 8, codes);
      return add_fifth_bits(in + 4, codes);
    case DType::kQ8_0:
      std::memcpy(scales, in, 2);
      std::memcpy(codes, in + 2, 32);
      return;
    case DType::kMXFP4:
      scales[0] = in[0];
      return nibbles<16>(in + 1, codes);
    default:
      CHECK(false && "not a block of 32");
  }
}

// Of each of `bytes` bytes, the lowest kBits, then of each the next, and so on: put above the low `shift` bits of the
// codes there.
template <int kBits>
void add_bits(const uint8_t* in, int bytes, int shift, uint8_t* codes) {
  for (int s = 0; s < 8 / kBits; s++) {
    for (int i = 0; i < bytes; i += 8, codes += 8) {
      const uint64_t bits = load_word(in + i) >> (kBits * s) & every_byte((1 << kBits) - 1);
      store_word(codes, load_word(codes) | bits << shift);
    }
  }
}

void two_bits(const uint8_t* in, int shift, uint8_t* codes) {
  add_bits<2>(in, 32, shift, codes);
  add_bits<2>(in + 32, 32, shift, codes + 128);
}

void one_bit(const uint8_t* in, int shift, uint8_t* codes) { add_bits<1>(in, 32, shift, codes); }

// 256 codes: kRun bytes hold 2 * kRun of them.
template <int kRun>
void super_nibbles(const uint8_t* in, uint8_t* codes) {
  for (int at = 0; at < 128; at += kRun) nibbles<kRun>(in + at, codes + 2 * at);
}

// The 6-bit scales and minimums of Q4_K and Q5_K, four to a word: 8 and 8 out of 12 bytes.
void six_bit_pairs(const uint8_t* in, uint8_t* scales, uint8_t* mins) {
  constexpr uint32_t kLow6 = 0x3f3f3f3f, kLow4 = 0x0f0f0f0f, kLow2 = 0x03030303;
  const auto a = load<uint32_t>(in), b = load<uint32_t>(in + 4), c = load<uint32_t>(in + 8);
  const uint32_t words[4] = {a & kLow6, (c & kLow4) | (a >> 6 & kLow2) << 4, b & kLow6,
                             (c >> 4 & kLow4) | (b >> 6 & kLow2) << 4};
  std::memcpy(scales, words, 8);
  std::memcpy(mins, words + 2, 8);
}

void read_q6_k(const uint8_t* in, RowRecord& out) {
  super_nibbles<64>(in, out.codes);
  two_bits(in + 128, 4, out.codes);
  std::memcpy(out.scales, in + 192, 18);
}

void read_iq4_xs(const uint8_t* in, RowRecord& out) {
  const auto high = load<uint16_t>(in + 2);
  for (int g = 0; g < 8; g++) {
    const int scale = (in[4 + g / 2] >> (g % 2 * 4) & 15) | (high >> (2 * g) & 3) << 4;
    out.scales[g] = static_cast<uint8_t>(scale - 32);
    nibbles<16>(in + 8 + 16 * g, out.codes + 32 * g);
  }
  std::memcpy(out.scales + 8, in, 2);
}

// Five digits in a byte take a fifth less memory than two bits each, and four times as long.
void read_tq1_0(const uint8_t* in, RowRecord& out) {
  float scales[kSuper / kInt8ScaleValues];
  decode_to_int8(DType::kTQ1_0, in, reinterpret_cast<int8_t*>(out.codes), scales, kSuper);
  for (uint8_t& code : out.codes) code++;
  std::memcpy(out.scales, in + 52, 2);
}

INGLE_INLINE void read_super(DType type, const uint8_t* in, RowRecord& out) {
  switch (type) {
    case DType::kQ2_K:
      std::memset(out.codes, 0, sizeof out.codes);
      two_bits(in + 16, 0, out.codes);
      std::memcpy(out.scales, in, 16);
      std::memcpy(out.scales + 16, in + 80, 4);
      return;
    case DType::kQ3_K:
      std::memset(out.codes, 0, sizeof out.codes);
      two_bits(in + 32, 0, out.codes);
      one_bit(in, 2, out.codes);
      std::memcpy(out.scales, in + 96, 14);
      return;
    case DType::kQ4_K:
      super_nibbles<32>(in + 16, out.codes);
      six_bit_pairs(in + 4, out.scales, out.scales + 8);
      std::memcpy(out.scales + 16, in, 4);
      return;
    case DType::kQ5_K:
      super_nibbles<32>(in + 48, out.codes);
      one_bit(in + 16, 4, out.codes);
      six_bit_pairs(in + 4, out.scales, out.scales + 8);
      std::memcpy(out.scales + 16, in, 4);
      return;
    case DType::kQ6_K:
      return read_q6_k(in, out);
    case DType::kIQ4_XS:
      return read_iq4_xs(in, out);
    case DType::kTQ1_0:
      return read_tq1_0(in, out);
    case DType::kTQ2_0:
      std::memset(out.codes, 0, sizeof out.codes);
      two_bits(in, 0, out.codes);
      std::memcpy(out.scales, in + 64, 2);
      return;
    default:
      CHECK(false && "not a super-block");
  }
}

// Sub-blocks [first, first + n) of a row.
template <DType kType>
void read_row(const uint8_t* row, uint32_t block_bytes, uint32_t first, uint32_t n, RowRecord& out) {
  constexpr BlockFormat kFormat = *block_format(kType);
  if constexpr (kFormat.is_super()) {
    read_super(kType, row + size_t{first} / kRecord * block_bytes, out);
  } else {
    constexpr size_t kScaleBytes = kFormat.scale_bytes(1);
    for (uint32_t j = 0; j < n; j++) {
      read_small(kType, row + size_t{first + j} * block_bytes, out.codes + j * kSubBlock, out.scales + j * kScaleBytes);
    }
  }
}

}  // namespace
}  // namespace ingle::cpu
