// How packed weights lie in memory, for all block-quantised types and any number of lanes. Read by packed.cpp, which
// writes and reads single codes, and by the tiles of block_tile.inl.h, which read whole vectors. Pure constants and
// functions.
//
// A group of kGroupRows rows is kGroupRows / lanes strips, one after the other. A strip interleaves `lanes` rows: four
// bytes of a vector, one lane, belong to one row. It is a list of records of 256 columns (the last may hold fewer):
// their scales, then the codes of their sub-blocks of 32 columns.
//
// The codes of a sub-block are bit planes, each spread so that vector k (columns 4k..4k+3 of each row) is one shift and
// mask:
//   4 bits: vectors 0..3, the low nibbles hold k = v, the high ones k = v + 4
//   2 bits: vectors 0..1, bits 2s and 2s + 1 hold k = v + 2s
//   1 bit:  vector 0, bit k holds k
//   8 bits: vectors 0..7
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/lookup_values.h"

namespace ingle::cpu {

inline constexpr uint32_t kSubBlock = 32;  // columns per ActivationBlock and per sub-block
inline constexpr uint32_t kRecord = 8;     // sub-blocks per full record

constexpr size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

// The scales of a record of n sub-blocks, in this order; [lanes] is innermost in each.
enum class Scales : uint8_t {
  kHalf,           // f16 d [n]
  kHalfMin,        // f16 d, f16 m [n][2]: weight = d * code + m
  kExponent,       // e8m0 [n]: weight = 2^(e - 128) * value
  kSuper32,        // int8 s [8], f16 d: weight = d * s * code
  kSuper32Min,     // uint8 s [8], uint8 m [8], f16 d, f16 dmin: weight = d * s * code - dmin * m
  kSuperOnly,      // f16 d: weight = d * code; sums are per 16 columns
  kSuper16,        // int8 s [16], f16 d
  kSuper16SixBit,  // 12 bytes with 16 values s + 32 as in Q3_K's block, f16 d
  kSuper16Min,     // uint8 [16] with s in the low nibble and m in the high one, f16 d, f16 dmin
  kFloat16,        // f32 [2 n], one per 16 columns
};

// The tables of 16 values that some 4-bit types look their codes up in.
enum class Lookup : uint8_t { kNone, kIq4, kMxfp4 };
constexpr const std::array<int8_t, 16>& lookup_values(Lookup lookup) {
  return lookup == Lookup::kIq4 ? kIq4Values : kMxfp4Values;
}

struct BlockFormat {
  int low_bits = 0;    // 2, 4 or 8
  int high_bits = 0;   // 0, 1 or 2, above the low ones
  int zero_point = 0;  // subtracted from the code
  int max_code = 0;    // largest magnitude of what the dot product multiplies
  Scales scales = Scales::kHalf;
  Lookup lookup = Lookup::kNone;  // gives the value of a code, if it is not the code itself

  constexpr int bits() const { return low_bits + high_bits; }
  // Bytes and looked-up values are signed, other codes are not.
  constexpr bool is_signed() const { return low_bits == 8 || lookup != Lookup::kNone; }
  constexpr bool has_min() const {
    return scales == Scales::kHalfMin || scales == Scales::kSuper32Min || scales == Scales::kSuper16Min;
  }
  constexpr bool is_super() const { return scales >= Scales::kSuper32 && scales <= Scales::kSuper16Min; }
  constexpr bool per_16() const { return scales >= Scales::kSuperOnly; }

  // Bytes of the codes of one sub-block of one row.
  constexpr size_t code_bytes() const { return static_cast<size_t>(bits()) * kSubBlock / 8; }
  // Bytes of the scales of one row in a record of n sub-blocks.
  constexpr size_t scale_bytes(size_t n) const {
    switch (scales) {
      case Scales::kHalf:
        return 2 * n;
      case Scales::kHalfMin:
        return 4 * n;
      case Scales::kExponent:
        return n;
      case Scales::kSuper32:
        return 8 + 2;
      case Scales::kSuper32Min:
        return 8 + 8 + 4;
      case Scales::kSuperOnly:
        return 2;
      case Scales::kSuper16:
        return 16 + 2;
      case Scales::kSuper16SixBit:
        return 12 + 2;
      case Scales::kSuper16Min:
        return 16 + 4;
      case Scales::kFloat16:
        return 8 * n;
    }
    return 0;
  }
  // Offset of f16 d [lanes] among the scales of a super-block, per lane; dmin follows.
  constexpr size_t d_offset() const { return scale_bytes(kRecord) - (has_min() ? 4 : 2); }
  // Where the codes of a record of n sub-blocks begin: aligned to a vector, unless that would be much of the whole.
  constexpr size_t codes_offset(size_t n, size_t lanes) const {
    return scales == Scales::kSuperOnly ? scale_bytes(n) * lanes : round_up(scale_bytes(n) * lanes, 4 * lanes);
  }
  constexpr size_t record_bytes(size_t n, size_t lanes) const {
    return codes_offset(n, lanes) + n * code_bytes() * lanes;
  }
  constexpr size_t strip_bytes(size_t blocks, size_t lanes) const {
    const size_t tail = blocks % kRecord;
    return blocks / kRecord * record_bytes(kRecord, lanes) + (tail != 0 ? record_bytes(tail, lanes) : 0);
  }
};

inline constexpr BlockFormat kFormatQ4_0 = {4, 0, 8, 15, Scales::kHalf};
inline constexpr BlockFormat kFormatQ4_1 = {4, 0, 0, 15, Scales::kHalfMin};
inline constexpr BlockFormat kFormatQ5_0 = {4, 1, 16, 31, Scales::kHalf};
inline constexpr BlockFormat kFormatQ5_1 = {4, 1, 0, 31, Scales::kHalfMin};
inline constexpr BlockFormat kFormatQ8_0 = {8, 0, 0, 128, Scales::kHalf};
inline constexpr BlockFormat kFormatQ2_K = {2, 0, 0, 3, Scales::kSuper16Min};
inline constexpr BlockFormat kFormatQ3_K = {2, 1, 4, 7, Scales::kSuper16SixBit};
inline constexpr BlockFormat kFormatQ4_K = {4, 0, 0, 15, Scales::kSuper32Min};
inline constexpr BlockFormat kFormatQ5_K = {4, 1, 0, 31, Scales::kSuper32Min};
inline constexpr BlockFormat kFormatQ6_K = {4, 2, 32, 63, Scales::kSuper16};
inline constexpr BlockFormat kFormatIQ4_NL = {4, 0, 0, 127, Scales::kHalf, Lookup::kIq4};
inline constexpr BlockFormat kFormatIQ4_XS = {4, 0, 0, 127, Scales::kSuper32, Lookup::kIq4};
inline constexpr BlockFormat kFormatMXFP4 = {4, 0, 0, 12, Scales::kExponent, Lookup::kMxfp4};
inline constexpr BlockFormat kFormatTernary = {2, 0, 1, 3, Scales::kSuperOnly};  // TQ2_0, and TQ1_0 unfolded
// What decode_int8_records makes of the codebook types, in a thread's scratch.
inline constexpr BlockFormat kFormatInt8 = {8, 0, 0, 127, Scales::kFloat16};

// The format that weights of this type are packed in, or null for the types that are not.
constexpr const BlockFormat* block_format(DType type) {
  switch (type) {
    case DType::kQ4_0:
      return &kFormatQ4_0;
    case DType::kQ4_1:
      return &kFormatQ4_1;
    case DType::kQ5_0:
      return &kFormatQ5_0;
    case DType::kQ5_1:
      return &kFormatQ5_1;
    case DType::kQ8_0:
      return &kFormatQ8_0;
    case DType::kQ2_K:
      return &kFormatQ2_K;
    case DType::kQ3_K:
      return &kFormatQ3_K;
    case DType::kQ4_K:
      return &kFormatQ4_K;
    case DType::kQ5_K:
      return &kFormatQ5_K;
    case DType::kQ6_K:
      return &kFormatQ6_K;
    case DType::kIQ4_NL:
      return &kFormatIQ4_NL;
    case DType::kIQ4_XS:
      return &kFormatIQ4_XS;
    case DType::kMXFP4:
      return &kFormatMXFP4;
    case DType::kTQ1_0:
    case DType::kTQ2_0:
      return &kFormatTernary;
    default:
      return nullptr;
  }
}

}  // namespace ingle::cpu
