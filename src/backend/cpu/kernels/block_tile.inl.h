// The tile of block-quantised weights for matmul.inl.h: kLanes rows times N columns, walked column block by column
// block.
//
// The definition, for one output of weights in a BlockFormat and ActivationBlocks y, in f32, each line one rounded
// operation per operator: for every sub-block s of 32 (or 16) columns, in index order,
//   isum = sum over the columns of code * quant - zero_point * sum of the quants            (exact, int32)
//   acc  = fma((d * float(scale_s)) * y.scale, float(isum), acc)      (d alone where there is no scale_s)
//   acc  = fma(-(dmin * float(min_s)), y.scale * float(sum of the quants), acc)      (fma(m, ..) for Q4_1 and Q5_1)
// acc starts at 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backend/cpu/kernels/activation_block.h"
#include "backend/cpu/kernels/block_format.h"
#include "backend/cpu/kernels/isa_region.h"
#include "backend/cpu/kernels/kernels.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

// What a tile multiplies: strips or groups of a slice, and the same slice of up to N columns of activations. A tile's
// time is that of N columns, which is less than a narrower tile's and another's for the rest: 7 columns took 1.4 times
// as long as 8.
struct TileArgs {
  const uint8_t* weights;
  size_t strip_bytes, group_bytes;  // from one to the next, where a tile takes several
  const std::byte* x;               // as the tile's pack_input left it, if it has one
  size_t x_stride_bytes;
  uint32_t columns;  // of the N, 1 or more; beyond them the last one is computed again
  uint32_t cols;
  float* out;  // [columns], out_stride apart
  size_t out_stride;
  bool resume;             // the sums go on from what is in out
  FetchAhead fetch_ahead;  // as Tiling has it
};

// The tile's column c of those that are there.
INGLE_INLINE uint32_t present(uint32_t c, uint32_t columns) { return c < columns ? c : columns - 1; }
INGLE_INLINE float* out_column(const TileArgs& args, uint32_t c) {
  return args.out + present(c, args.columns) * args.out_stride;
}

template <class Tile>
inline constexpr uint32_t strips_per_group = kGroupRows / Tile::kRows;
// Of a tile's strip s, from its first.
template <class Tile>
INGLE_INLINE size_t strip_offset(const TileArgs& args, uint32_t s) {
  return s / strips_per_group<Tile> * args.group_bytes + s % strips_per_group<Tile> * args.strip_bytes;
}

// The arithmetic of a tile this wide fills the window in which the CPU looks ahead, and weights would arrive late.
// For narrower ones it depends on the machine.
inline constexpr uint32_t kPrefetchColumns = 8;
inline constexpr size_t kPrefetchBytes = 6 << 10;  // ahead: about 16 sub-blocks, or the latency of memory

template <int kLocality>
INGLE_INLINE void prefetch(const uint8_t* p, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(p + i, 0, kLocality);
}

// As many bytes of what a tile of N columns reads kPrefetchBytes later than p of its first strip, and of its other
// strips: beyond a strip's end, the next tile's. Wide tiles of several strips leave the buffers for misses of the
// first-level cache to their loads, and were faster for it.
template <class Tile, uint32_t N, uint32_t kStrips>
INGLE_INLINE void fetch(const TileArgs& args, const uint8_t* p, size_t bytes) {
  constexpr bool kWide = N >= kPrefetchColumns;
  if (!kWide && args.fetch_ahead == FetchAhead::kNever) return;
  const bool into_l1 = kWide ? kStrips == 1 : args.fetch_ahead == FetchAhead::kIntoL1;
  const uint8_t* ahead = p + kPrefetchBytes;
  if (kStrips > 1 && ahead >= args.weights + args.strip_bytes) {
    ahead += kStrips / strips_per_group<Tile> * args.group_bytes - args.strip_bytes;
  }
  for (uint32_t s = 0; s < kStrips; s++) {
    const uint8_t* at = ahead + strip_offset<Tile>(args, s);
    into_l1 ? prefetch<3>(at, bytes) : prefetch<2>(at, bytes);
  }
}

// One format's tile: kLanes rows times N columns.
template <class Isa, BlockFormat kFormat>
struct BlockTile {
  using F = typename Isa::F;
  using I = typename Isa::I;
  using W = typename Isa::W;
  static constexpr uint32_t kLanes = Isa::kLanes;
  static constexpr size_t kPlane = 4 * kLanes;  // bytes of a vector of codes
  static constexpr int kLow = kFormat.low_bits, kHigh = kFormat.high_bits;
  // What a code's stored form is above the code.
  static constexpr int kZeroPoint = kFormat.is_signed() ? Isa::kSignedBias : kFormat.zero_point;

  // Vector k (0..7) of a plane of 1 or 2 bits, moved to bit kTo of each byte.
  template <int kBits, int kTo, int k>
  static INGLE_INLINE W bits(const uint8_t* plane) {
    constexpr int from = k / kBits * kBits;
    const W v = Isa::load_w(plane + k % kBits * kPlane);
    const W mask = Isa::set1_w(((1 << kBits) - 1) << kTo);
    if constexpr (from > kTo) {
      return Isa::and_w(Isa::template shr<from - kTo>(v), mask);
    } else if constexpr (from < kTo) {
      return Isa::and_w(Isa::template shl<kTo - from>(v), mask);
    } else {
      return Isa::and_w(v, mask);
    }
  }

  // N columns of sums are N vectors. Each holds one column of all rows; or, where columns go in pairs, vectors v and
  // v + 1 (v even) hold columns v and v + 1, part 0 of the rows in the one and part 1 in the other.
  template <uint32_t N>
  static constexpr uint32_t kParts = Isa::kPairsColumns && N % 2 == 0 ? 2 : 1;
  static_assert(!Isa::kPairsColumns || Isa::kSignedBias == 0);

  // The weights of vector k, as the dot product takes them.
  template <int k>
  static INGLE_INLINE W weights(const uint8_t* codes) {
    if constexpr (kLow == 8) {
      return Isa::load_w(codes + k * kPlane);
    } else {
      W w = bits<kLow, 0, k>(codes);
      if constexpr (kHigh != 0) w = Isa::or_w(w, bits<kHigh, kLow, k>(codes + kLow * kPlane));
      if constexpr (kFormat.lookup != Lookup::kNone) w = Isa::lookup(lookup_values(kFormat.lookup).data(), w);
      return w;
    }
  }

  // Half h (0, 1) of a sub-block, 16 columns: weights in w[0..3], in parts.
  template <uint32_t N, int h>
  static INGLE_INLINE void unpack(const uint8_t* codes, W* w) {
    w[0] = weights<4 * h>(codes);
    w[1] = weights<4 * h + 1>(codes);
    w[2] = weights<4 * h + 2>(codes);
    w[3] = weights<4 * h + 3>(codes);
    if constexpr (kParts<N> == 2) Isa::pair_rows(w);
  }

  struct ScaleMin {
    F scale, min;  // the min that acc is given, of its own sign
  };

  // Of the super-block whose scales these are.
  static INGLE_INLINE ScaleMin super_scale(const uint8_t* scales) {
    if constexpr (kFormat.is_super()) {
      const auto* d = reinterpret_cast<const uint16_t*>(scales + kFormat.d_offset() * kLanes);
      return {Isa::load_f16(d), kFormat.has_min() ? Isa::neg(Isa::load_f16(d + kLanes)) : Isa::zero()};
    } else {
      return {Isa::zero(), Isa::zero()};
    }
  }

  static INGLE_INLINE F load_s8(const uint8_t* p) { return Isa::load_i8(reinterpret_cast<const int8_t*>(p)); }

  // Of sub-block j (formats with one scale per 32) or chunk j of 16 columns.
  static INGLE_INLINE ScaleMin scale_min(const uint8_t* scales, uint32_t j, ScaleMin super) {
    const uint8_t* at = scales + j * kLanes;
    if constexpr (kFormat.scales == Scales::kHalf) {
      return {Isa::load_f16(reinterpret_cast<const uint16_t*>(scales) + j * kLanes), Isa::zero()};
    } else if constexpr (kFormat.scales == Scales::kHalfMin) {
      const auto* d = reinterpret_cast<const uint16_t*>(scales) + 2 * j * kLanes;
      return {Isa::load_f16(d), Isa::load_f16(d + kLanes)};
    } else if constexpr (kFormat.scales == Scales::kExponent) {
      // 2^(e - 128) may be subnormal: the product of two halves of the exponent is exact.
      const I e = Isa::load_u8(at), half = Isa::shr_i32(e, 1), bias = Isa::set1_i32(64);
      const I rest = Isa::sub_i32(Isa::sub_i32(e, half), bias);
      return {Isa::mul(Isa::pow2(Isa::sub_i32(half, bias)), Isa::pow2(rest)), Isa::zero()};
    } else if constexpr (kFormat.scales == Scales::kSuper32 || kFormat.scales == Scales::kSuper16) {
      return {Isa::mul(super.scale, load_s8(at)), Isa::zero()};
    } else if constexpr (kFormat.scales == Scales::kSuperOnly) {
      return super;
    } else if constexpr (kFormat.scales == Scales::kSuper32Min) {
      return {Isa::mul(super.scale, load_s8(at)), Isa::mul(super.min, load_s8(at + kRecord * kLanes))};
    } else if constexpr (kFormat.scales == Scales::kSuper16SixBit) {
      const I low = Isa::shr_i32(Isa::load_u8(scales + j % 8 * kLanes), j / 8 * 4);
      const I high = Isa::shr_i32(Isa::load_u8(scales + (8 + j % 4) * kLanes), j / 4 * 2);
      const I six = Isa::or_i32(Isa::and_i32(low, Isa::set1_i32(15)),
                                Isa::template shift_left<4>(Isa::and_i32(high, Isa::set1_i32(3))));
      return {Isa::mul(super.scale, Isa::to_f32(Isa::sub_i32(six, Isa::set1_i32(32)))), Isa::zero()};
    } else if constexpr (kFormat.scales == Scales::kSuper16Min) {
      const I both = Isa::load_u8(at);
      return {Isa::mul(super.scale, Isa::to_f32(Isa::and_i32(both, Isa::set1_i32(15)))),
              Isa::mul(super.min, Isa::to_f32(Isa::shr_i32(both, 4)))};
    } else {
      static_assert(kFormat.scales == Scales::kFloat16);
      return {Isa::loadu(reinterpret_cast<const float*>(scales) + j * kLanes), Isa::zero()};
    }
  }

  // A block of N columns of activations: what this format's tile reads of them, together.
  template <uint32_t N>
  struct Input {
    static constexpr uint32_t kHalves = kFormat.per_16() ? 2 : 1;
    static constexpr uint32_t kNumbers = kParts<N> == 2 ? N / 2 * kLanes : N;  // one per column, as put() lays them
    int8_t quants[N][kSubBlock];                                               // of a pair of columns: [4][2][8]
    float scale[kNumbers];
    float scaled_sum[kFormat.has_min() ? kHalves * kNumbers : 1];
    // Of the integer sum: minus what the zero point will add to it.
    int32_t start[kZeroPoint != 0 ? kHalves * kNumbers : 1];
  };

  // Column c's number among those of N; for a pair, a vector as the sums'.
  template <uint32_t N, class T>
  static INGLE_INLINE void put(T* numbers, uint32_t c, T number) {
    if constexpr (kParts<N> == 2) {
      for (uint32_t i = 0; i < kLanes; i += 2) numbers[c / 2 * kLanes + i + c % 2] = number;
    } else {
      numbers[c] = number;
    }
  }

  static constexpr bool kPacksInput = true;

  template <uint32_t N>
  static INGLE_INLINE void copy_quants(const int8_t* from, uint32_t c, Input<N>& to) {
    if constexpr (kParts<N> == 2) {
      for (uint32_t k = 0; k < kSubBlock; k += 8)
        std::memcpy(to.quants[c / 2 * 2 + k / 16] + k % 16 * 2 + c % 2 * 8, from + k, 8);
    } else {
      std::memcpy(to.quants[c], from, kSubBlock);
    }
  }

  // Blocks of the tile's columns to Input<N>[cols / kSubBlock].
  template <uint32_t N>
  static void pack_input(const TileArgs& args, std::byte* to) {
    auto* out = reinterpret_cast<Input<N>*>(to);
    for (uint32_t c = 0; c < N; c++) {
      const std::byte* x = args.x + present(c, args.columns) * args.x_stride_bytes;
      const auto* in = reinterpret_cast<const ActivationBlock*>(x);
      for (uint32_t b = 0; b < args.cols / kSubBlock; b++) {
        copy_quants<N>(in[b].quants, c, out[b]);
        put<N>(out[b].scale, c, in[b].scale);
        for (uint32_t h = 0; h < Input<N>::kHalves; h++) {
          constexpr bool kPer16 = kFormat.per_16();
          if constexpr (kFormat.has_min()) {
            put<N>(out[b].scaled_sum + h * Input<N>::kNumbers, c, kPer16 ? in[b].scaled_half_sum[h] : in[b].scaled_sum);
          }
          if constexpr (kZeroPoint != 0) {
            put<N>(out[b].start + h * Input<N>::kNumbers, c, -kZeroPoint * (kPer16 ? in[b].half_sum[h] : in[b].sum));
          }
        }
      }
    }
  }
  template <uint32_t N>
  static constexpr size_t input_bytes(uint32_t cols) {
    return cols / kSubBlock * sizeof(Input<N>);
  }

  // What vector v of the sums takes of numbers by column.
  template <uint32_t N>
  static INGLE_INLINE F by_column(const float* numbers, uint32_t v) {
    if constexpr (kParts<N> == 2) {
      return Isa::loadu(numbers + v / 2 * kLanes);
    } else {
      return Isa::set1(numbers[v]);
    }
  }

  template <uint32_t N>
  static INGLE_INLINE I start(const Input<N>& y, uint32_t h, uint32_t v) {
    if constexpr (kZeroPoint == 0) {
      return Isa::set1_i32(0);
    } else if constexpr (kParts<N> == 2) {
      return Isa::load_i32(y.start + h * Input<N>::kNumbers + v / 2 * kLanes);
    } else {
      return Isa::set1_i32(y.start[h * N + v]);
    }
  }

  // Half h of a sub-block into vector v of the sums.
  template <uint32_t N, int h>
  static INGLE_INLINE I dot16(I sum, const W* w, const Input<N>& y, uint32_t v) {
    if constexpr (kParts<N> == 2) {
      const int8_t* quants = y.quants[v / 2 * 2 + h];
      return Isa::dot8_pair(Isa::dot8_pair(sum, w[v % 2], quants), w[2 + v % 2], quants + 16);
    } else if constexpr (kFormat.is_signed()) {
      return Isa::template dot16_signed<kFormat.max_code>(sum, w, y.quants[v] + 16 * h);
    } else {
      return Isa::template dot16_unsigned<kFormat.max_code>(sum, w, y.quants[v] + 16 * h);
    }
  }

  // Of each part of the rows.
  template <uint32_t N>
  struct Parts {
    ScaleMin of[kParts<N>];
  };
  template <uint32_t N>
  static INGLE_INLINE Parts<N> in_parts(ScaleMin s) {
    if constexpr (kParts<N> == 2) {
      Parts<N> parts = {s, s};
      Isa::pair(parts.of[0].scale, parts.of[1].scale);
      Isa::pair(parts.of[0].min, parts.of[1].min);
      return parts;
    } else {
      return {s};
    }
  }

  template <uint32_t N>
  static INGLE_INLINE F accumulate(F acc, ScaleMin s, const Input<N>& y, uint32_t v, uint32_t h, I isum) {
    acc = Isa::fma(Isa::mul(s.scale, by_column<N>(y.scale, v)), Isa::to_f32(isum), acc);
    if constexpr (kFormat.has_min()) acc = Isa::fma(s.min, by_column<N>(y.scaled_sum + h * Input<N>::kNumbers, v), acc);
    return acc;
  }

  // Sub-block j of a record, one scale for its 32 columns; of kStrips strips. The index of a sum is [column][strip]:
  // what is loaded of a column serves all strips.
  template <uint32_t N, uint32_t kStrips>
  static INGLE_INLINE void block_32(const TileArgs& args, const uint8_t* codes, const uint8_t* scales, uint32_t j,
                                    const ScaleMin* super, const Input<N>& y, F* acc) {
    W w[kStrips][4];
    I sum[N * kStrips];
    for (uint32_t s = 0; s < kStrips; s++) unpack<N, 0>(codes + strip_offset<BlockTile>(args, s), w[s]);
    for (uint32_t i = 0; i < N * kStrips; i++) {
      sum[i] = dot16<N, 0>(start<N>(y, 0, i / kStrips), w[i % kStrips], y, i / kStrips);
    }
    for (uint32_t s = 0; s < kStrips; s++) unpack<N, 1>(codes + strip_offset<BlockTile>(args, s), w[s]);
    for (uint32_t i = 0; i < N * kStrips; i++) sum[i] = dot16<N, 1>(sum[i], w[i % kStrips], y, i / kStrips);
    Parts<N> scale[kStrips];
    for (uint32_t s = 0; s < kStrips; s++) {
      scale[s] = in_parts<N>(scale_min(scales + strip_offset<BlockTile>(args, s), j, super[s]));
    }
    for (uint32_t i = 0; i < N * kStrips; i++) {
      const uint32_t v = i / kStrips;
      acc[i] = accumulate<N>(acc[i], scale[i % kStrips].of[v % kParts<N>], y, v, 0, sum[i]);
    }
  }

  // Half h of a sub-block with a scale per 16 columns.
  template <uint32_t N, uint32_t kStrips, int h>
  static INGLE_INLINE void block_16(const TileArgs& args, const uint8_t* codes, const uint8_t* scales, uint32_t j,
                                    const ScaleMin* super, const Input<N>& y, F* acc) {
    W w[kStrips][4];
    Parts<N> scale[kStrips];
    for (uint32_t s = 0; s < kStrips; s++) {
      const size_t offset = strip_offset<BlockTile>(args, s);
      unpack<N, h>(codes + offset, w[s]);
      scale[s] = in_parts<N>(scale_min(scales + offset, 2 * j + h, super[s]));
    }
    for (uint32_t i = 0; i < N * kStrips; i++) {
      const uint32_t v = i / kStrips;
      const I sum = dot16<N, h>(start<N>(y, h, v), w[i % kStrips], y, v);
      acc[i] = accumulate<N>(acc[i], scale[i % kStrips].of[v % kParts<N>], y, v, h, sum);
    }
  }

  // Recursive from column c on: GCC would not unroll a loop of these, and keep acc in memory.
  template <uint32_t N, uint32_t c = 0>
  static INGLE_INLINE void load_pairs(const TileArgs& args, F* acc) {
    acc[c] = args.resume ? Isa::loadu(out_column(args, c)) : Isa::zero();
    acc[c + 1] = args.resume ? Isa::loadu(out_column(args, c + 1)) : Isa::zero();
    Isa::pair(acc[c], acc[c + 1]);
    if constexpr (c + 2 < N) load_pairs<N, c + 2>(args, acc);
  }
  template <uint32_t N, uint32_t c = 0>
  static INGLE_INLINE void store_pairs(const TileArgs& args, F* acc) {
    Isa::unpair(acc[c], acc[c + 1]);
    Isa::storeu(out_column(args, c), acc[c]);
    Isa::storeu(out_column(args, c + 1), acc[c + 1]);
    if constexpr (c + 2 < N) store_pairs<N, c + 2>(args, acc);
  }

  // How many strips run<N> takes best, where it takes several. They share what is loaded of the activations, which is
  // otherwise a load for each dot product. The sums of two strips and eight columns leave no registers for acc, which
  // is then loaded and stored once per sub-block: a gain, but not if that were once per 16 columns. Of one or two
  // columns memory is the limit, and gives more to several streams.
  template <uint32_t N>
  static constexpr uint32_t kStripsAtOnce = N > 4 && kFormat.per_16() ? 1 : Isa::strips_at_once(N);

  template <uint32_t N, uint32_t kStrips = 1>
  static void run(const TileArgs& args) {
    static_assert(kStrips == 1 || kParts<N> == 1);
    constexpr size_t kScaleBytes = kFormat.codes_offset(kRecord, kLanes), kCodeBytes = kFormat.code_bytes() * kLanes;
    const auto* y = reinterpret_cast<const Input<N>*>(args.x);
    const uint8_t* record = args.weights;
    F acc[N * kStrips];
    if constexpr (kParts<N> == 2) {
      load_pairs<N>(args, acc);
    } else {
      for (uint32_t i = 0; i < N * kStrips; i++) {
        acc[i] = args.resume ? Isa::loadu(out_at<kStrips>(args, i)) : Isa::zero();
      }
    }
    const uint32_t blocks = args.cols / kSubBlock;
    for (uint32_t first = 0; first < blocks; first += kRecord) {
      const uint32_t n = blocks - first < kRecord ? blocks - first : kRecord;
      const uint8_t *scales = record, *codes = record + kFormat.codes_offset(n, kLanes);
      // All scales now, in the order in which memory is walked: one line of them per sub-block, between lines of codes,
      // halved the speed of Q4_1 with few columns.
      ScaleMin super[kStrips];
      for (uint32_t s = 0; s < kStrips; s++) {
        const uint8_t* of_strip = scales + strip_offset<BlockTile>(args, s);
        if (N < kPrefetchColumns && args.fetch_ahead == FetchAhead::kNever) prefetch<3>(of_strip, kScaleBytes);
        super[s] = super_scale(of_strip);
      }
      fetch<BlockTile, N, kStrips>(args, scales, kScaleBytes);
      for (uint32_t j = 0; j < n; j++, y++, codes += kCodeBytes) {
        fetch<BlockTile, N, kStrips>(args, codes, kCodeBytes);
        if constexpr (kFormat.per_16()) {
          block_16<N, kStrips, 0>(args, codes, scales, j, super, *y, acc);
          block_16<N, kStrips, 1>(args, codes, scales, j, super, *y, acc);
        } else {
          block_32<N, kStrips>(args, codes, scales, j, super, *y, acc);
        }
      }
      record += kFormat.record_bytes(n, kLanes);
    }
    if constexpr (kParts<N> == 2) {
      store_pairs<N>(args, acc);
    } else {
      for (uint32_t i = 0; i < N * kStrips; i++) Isa::storeu(out_at<kStrips>(args, i), acc[i]);
    }
  }

  // Where sum i lies.
  template <uint32_t kStrips>
  static INGLE_INLINE float* out_at(const TileArgs& args, uint32_t i) {
    return out_column(args, i / kStrips) + i % kStrips * kLanes;
  }

  static constexpr uint32_t kMaxColumns = Isa::kMaxColumns;
  static constexpr uint32_t kRows = kLanes;
  static size_t strip_bytes(uint32_t cols) { return kFormat.strip_bytes(cols / kSubBlock, kLanes); }
  static size_t input_offset(uint32_t first_col) { return first_col / kSubBlock * sizeof(ActivationBlock); }
};

}  // namespace ingle::cpu
INGLE_REGION_END
