// The codebook types' blocks, which int8_decode.cpp describes, taken apart as vectors: lane r is row r of the
// kLanes that are taken together. Blocks hold rows one after the other, so their fields come in by dwords, transposed;
// what is looked up are bytes [row][4].
//
// A template over Ops, an instruction set's part of it: V, a vector of dwords [kLanes], and F, of floats [kLanes], for
// records of kRecordLanes rows, with
//   load_four       four dwords of each row, a vector each
//   shift_right, shift_left, bit_and, bit_or  of lanes
//   fields          byte t of each lane: the lane from bit kFirst + kStep * t on. Above its end other bits may stand:
//                   whoever takes a field looks at its own bits alone
//   halves_to_floats (of the low halves of lanes), store, scale (d times an entry of 16, by the low four bits of lanes)
//   low_bytes, high_bytes  of the words [row][2] of two vectors
//   even_signs      by seven bits in each byte, of which the eighth may be anything
//   deltas          bytes that are -1 where they have a bit, else 1
//   put_iq1, put_iq2, put_iq3  the codes of 32 columns (IQ3: 16) by four indices: a byte of `index` each, and where the
//                   grid has more entries the bits above it, lowest in a byte of `high`. Byte c of each lane of the
//                   signs or deltas is that of the eight columns from 8c on; IQ3 says which two
// Each ISA's file includes this once, after its Ops and INGLE_REGION_BEGIN.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernels/block_format.h"
#include "backend/cpu/kernels/codebooks.h"
#include "backend/cpu/kernels/isa_region.h"
#include "backend/cpu/kernels/kernels.h"
#include "tensor/codebooks.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {
namespace {

template <class Ops>
struct Codebooks {
  using V = typename Ops::V;
  using F = typename Ops::F;
  static constexpr uint32_t kLanes = Ops::kLanes, kRecordLanes = Ops::kRecordLanes;

  static GroupDecoder decoder(DType type) {
    switch (type) {
      case DType::kIQ1_S:
        return group<iq1_s>;
      case DType::kIQ1_M:
        return group<iq1_m>;
      case DType::kIQ2_XXS:
        return group<iq2_xxs>;
      case DType::kIQ2_XS:
        return group<iq2_xs>;
      case DType::kIQ2_S:
        return group<iq2_s>;
      case DType::kIQ3_XXS:
        return group<iq3_xxs>;
      case DType::kIQ3_S:
        return group<iq3_s>;
      default:
        return nullptr;
    }
  }

 private:
  // The blocks of kLanes rows, what is asked for meanwhile, and where the rows begin in the scales and in the codes of
  // their record.
  template <size_t kBlockBytes>
  struct Rows {
    const uint8_t *blocks, *ahead;
    uint8_t *first_scale, *first_code;

    // The f16 that blocks begin with.
    INGLE_INLINE F load_d() const {
      V dwords[4];
      Ops::template load_four<kBlockBytes>(blocks, dwords);
      return Ops::halves_to_floats(dwords[0]);
    }
    // The blocks, but for the f16 that most begin with.
    struct Dwords {
      V at[kBlockBytes / 4];
    };
    INGLE_INLINE Dwords load() const {
      constexpr size_t kCount = kBlockBytes / 4;
      Dwords dwords;
      for (size_t i = 0; i < kCount; i += 4) {
        const size_t at = i + 4 <= kCount ? i : kCount - 4;
        Ops::template load_four<kBlockBytes>(blocks + kBlockBytes % 4 + 4 * at, dwords.at + at);
      }
      return dwords;
    }

    INGLE_INLINE void scale(uint32_t i, F s) const { Ops::store(first_scale + sizeof(float) * i * kRecordLanes, s); }
    INGLE_INLINE void scale_32(uint32_t g, F s) const {
      scale(2 * g, s);
      scale(2 * g + 1, s);
    }
    // The codes of sub-block g from its column on.
    INGLE_INLINE uint8_t* codes(uint32_t g, uint32_t column = 0) const {
      return first_code + (g * kSubBlock + column) * kRecordLanes;
    }
    // Asks for an eighth of what comes. All of its lines at once would fill the buffers for misses, and come in while
    // nothing is decoded: half the speed from memory.
    INGLE_INLINE void fetch_eighth(uint32_t g) const {
      if (ahead == nullptr) return;
      constexpr size_t kEighth = kLanes * kBlockBytes / 8;
      for (size_t i = 0; i < kEighth; i += 64) __builtin_prefetch(ahead + g * kEighth + i);
    }
  };

  template <auto kDecode>
  static void group(const uint8_t* blocks, const uint8_t* ahead, uint8_t* records) {
    all_rows(kDecode, blocks, ahead, records);
  }
  template <size_t kBlockBytes>
  static INGLE_INLINE void all_rows(void (*decode)(const Rows<kBlockBytes>&), const uint8_t* blocks,
                                    const uint8_t* ahead, uint8_t* records) {
    for (uint32_t row = 0; row < kGroupRows; row += kLanes) {
      uint8_t* record = records + row / kRecordLanes * kFormatInt8.record_bytes(kRecord, kRecordLanes);
      const size_t lane = row % kRecordLanes;
      decode({blocks + row * kBlockBytes, ahead == nullptr ? nullptr : ahead + row * kBlockBytes,
              record + sizeof(float) * lane, record + kFormatInt8.codes_offset(kRecord, kRecordLanes) + 4 * lane});
    }
  }

  static void iq2_xxs(const Rows<66>& rows) {
    const F d = rows.load_d();
    const auto all = rows.load();
    const V* dwords = all.at;
    for (uint32_t g = 0; g < kRecord; g++) {
      rows.fetch_eighth(g);
      const V index = dwords[2 * g], word = dwords[2 * g + 1];
      rows.scale_32(g, Ops::scale(d, Ops::shift_right(word, 28), kIq2Scales));
      const V signs = Ops::even_signs(Ops::template fields<0, 7>(word));
      Ops::template put_iq2<kIq2XxsGrid>(rows.codes(g), index, index, signs);
    }
  }

  static void iq2_xs(const Rows<74>& rows) {
    const F d = rows.load_d();
    const auto all = rows.load();
    const V* dwords = all.at;
    for (uint32_t g = 0; g < kRecord; g++) {
      rows.fetch_eighth(g);
      const V small = Ops::shift_right(dwords[16 + g / 4], 8 * (g % 4));
      rows.scale(2 * g, Ops::scale(d, small, kIq2Scales));
      rows.scale(2 * g + 1, Ops::scale(d, Ops::shift_right(small, 4), kIq2Scales));
      const V low = Ops::low_bytes(dwords[2 * g], dwords[2 * g + 1]);
      const V high = Ops::high_bytes(dwords[2 * g], dwords[2 * g + 1]);
      Ops::template put_iq2<kIq2XsGrid>(rows.codes(g), low, high, Ops::even_signs(Ops::shift_right(high, 1)));
    }
  }

  static void iq2_s(const Rows<82>& rows) {
    const F d = rows.load_d();
    const auto all = rows.load();
    const V* dwords = all.at;
    const V *index = dwords, *signs = index + 8, *above = signs + 8, *small_scales = above + 2;
    for (uint32_t g = 0; g < kRecord; g++) {
      rows.fetch_eighth(g);
      const V small = Ops::shift_right(small_scales[g / 4], 8 * (g % 4));
      rows.scale(2 * g, Ops::scale(d, small, kIq2Scales));
      rows.scale(2 * g + 1, Ops::scale(d, Ops::shift_right(small, 4), kIq2Scales));
      const V high = Ops::template fields<0, 2>(Ops::shift_right(above[g / 4], 8 * (g % 4)));
      Ops::template put_iq2<kIq2SGrid>(rows.codes(g), index[g], high, signs[g]);
    }
  }

  static void iq3_xxs(const Rows<98>& rows) {
    const F d = rows.load_d();
    const auto all = rows.load();
    const V* dwords = all.at;
    for (uint32_t g = 0; g < kRecord; g++) {
      rows.fetch_eighth(g);
      const V *index = dwords + 2 * g, word = dwords[16 + g];
      rows.scale_32(g, Ops::scale(d, Ops::shift_right(word, 28), kIq3XxsScales));
      const V signs = Ops::even_signs(Ops::template fields<0, 7>(word));
      Ops::template put_iq3<kIq3XxsGrid, kIq3XxsLevels, 0>(rows.codes(g), index[0], index[0], signs);
      Ops::template put_iq3<kIq3XxsGrid, kIq3XxsLevels, 2>(rows.codes(g, 16), index[1], index[1], signs);
    }
  }

  static void iq3_s(const Rows<110>& rows) {
    const F d = rows.load_d();
    const auto all = rows.load();
    const V* dwords = all.at;
    const V *above = dwords + 16, *signs = above + 2, *small = signs + 8;
    for (uint32_t g = 0; g < kRecord; g++) {
      rows.fetch_eighth(g);
      const V* index = dwords + 2 * g;
      rows.scale_32(g, Ops::scale(d, Ops::shift_right(*small, 4 * g), kIq3SScales));
      const V high = Ops::shift_right(above[g / 4], 8 * (g % 4));
      const V first = Ops::template fields<0, 1>(high), second = Ops::template fields<4, 1>(high);
      Ops::template put_iq3<kIq3SGrid, kIq3SLevels, 0>(rows.codes(g), index[0], first, signs[g]);
      Ops::template put_iq3<kIq3SGrid, kIq3SLevels, 2>(rows.codes(g, 16), index[1], second, signs[g]);
    }
  }

  static void iq1_s(const Rows<50>& rows) {
    const F d = rows.load_d();
    const auto all = rows.load();
    const V* dwords = all.at;
    for (uint32_t g = 0; g < kRecord; g++) {
      rows.fetch_eighth(g);
      const V word = Ops::shift_right(dwords[8 + g / 2], 16 * (g % 2));
      rows.scale_32(g, Ops::scale(d, Ops::shift_right(word, 12), kIq1Scales));
      const V deltas = Ops::template deltas<128>(Ops::template fields<8, 0>(word));
      Ops::put_iq1(rows.codes(g), dwords[g], Ops::template fields<0, 3>(word), deltas);
    }
  }

  static void iq1_m(const Rows<56>& rows) {
    const auto all = rows.load();
    const V* dwords = all.at;
    const V *high_parts = dwords + 8, *words = high_parts + 4;
    V half = Ops::shift_right(words[1], 28);  // in the top nibbles of four words, the lowest first
    for (uint32_t i = 3; i-- > 0;) {
      const V nibble = Ops::bit_and(Ops::shift_right(words[i / 2], 16 * (i % 2) + 12), 15);
      half = Ops::bit_or(Ops::shift_left(half, 4), nibble);
    }
    const F d = Ops::halves_to_floats(half);
    for (uint32_t g = 0; g < kRecord; g++) {
      rows.fetch_eighth(g);
      const V small = Ops::shift_right(words[g / 4], 16 * (g / 2 % 2) + 6 * (g % 2));
      rows.scale(2 * g, Ops::scale(d, small, kIq1Scales));
      rows.scale(2 * g + 1, Ops::scale(d, Ops::shift_right(small, 3), kIq1Scales));
      const V high = Ops::template fields<0, 4>(Ops::shift_right(high_parts[g / 2], 16 * (g % 2)));
      Ops::put_iq1(rows.codes(g), dwords[g], high, Ops::template deltas<8>(high));
    }
  }
};

}  // namespace
}  // namespace ingle::cpu
INGLE_REGION_END
