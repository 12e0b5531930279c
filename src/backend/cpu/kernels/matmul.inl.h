// The matmul kernels of KernelTable as templates over a vector type: lane = output row, walked column block by column
// block.
//
// The definition, for one output of block-quantised weights (block_format.h) and ActivationBlocks y, in f32, each line
// one rounded operation per operator: for every sub-block s of 32 (or 16) columns, in index order,
//   isum = sum over the columns of code * quant - zero_point * sum of the quants            (exact, int32)
//   acc  = fma((d * float(scale_s)) * y.scale, float(isum), acc)                           (d alone where there is no
//   scale_s) acc  = fma(-(dmin * float(min_s)), y.scale * float(sum of the quants), acc)            (fma(m, ..) for
//   Q4_1 and Q5_1)
// and of F32, F16 and BF16 weights: acc = fma(w[k], x[k], acc) for k in index order. acc starts at 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backend/cpu/kernels/activation_block.h"
#include "backend/cpu/kernels/isa_region.h"
#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/kernels/packed.h"
#include "base/check.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

// What a tile multiplies: a strip or group of a slice, and the same slice of N columns of activations.
struct TileArgs {
  const uint8_t* weights;
  const std::byte* x;  // as the tile's pack_input left it, if it has one
  size_t x_stride_bytes;
  uint32_t cols;
  float* out;  // [N], out_stride apart
  size_t out_stride;
  bool resume;  // the sums go on from what is in out
};

// The arithmetic of a tile this wide fills the window in which the CPU looks ahead, and weights would arrive late.
// Narrower tiles are faster without: each prefetch holds one of the few buffers for misses of the first-level cache.
inline constexpr uint32_t kPrefetchColumns = 8;
inline constexpr size_t kPrefetchBytes = 6 << 10;  // ahead: about 16 sub-blocks, or the latency of memory

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

  // Half h (0, 1) of a sub-block, 16 columns: weights in w[0..3].
  template <int h>
  static INGLE_INLINE void unpack(const uint8_t* codes, W* w) {
    w[0] = weights<4 * h>(codes);
    w[1] = weights<4 * h + 1>(codes);
    w[2] = weights<4 * h + 2>(codes);
    w[3] = weights<4 * h + 3>(codes);
  }

  static INGLE_INLINE I dot16(I acc, const W* w, const int8_t* y) {
    if constexpr (kFormat.is_signed()) {
      return Isa::template dot16_signed<kFormat.max_code>(acc, w, y);
    } else {
      return Isa::template dot16_unsigned<kFormat.max_code>(acc, w, y);
    }
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
    int8_t quants[N][kSubBlock];
    float scale[N];
    float scaled_sum[kFormat.has_min() ? kHalves * N : 1];
    int32_t start[kZeroPoint != 0 ? kHalves * N : 1];  // of the integer sum: minus what the zero point will add to it
  };

  static constexpr bool kPacksInput = true;

  // Blocks of N columns, x_stride_bytes apart, to Input<N>[cols / kSubBlock].
  template <uint32_t N>
  static void pack_input(const std::byte* x, size_t x_stride_bytes, uint32_t cols, std::byte* to) {
    auto* out = reinterpret_cast<Input<N>*>(to);
    for (uint32_t c = 0; c < N; c++) {
      const auto* in = reinterpret_cast<const ActivationBlock*>(x + c * x_stride_bytes);
      for (uint32_t b = 0; b < cols / kSubBlock; b++) {
        std::memcpy(out[b].quants[c], in[b].quants, kSubBlock);
        out[b].scale[c] = in[b].scale;
        for (uint32_t h = 0; h < Input<N>::kHalves; h++) {
          constexpr bool kPer16 = kFormat.per_16();
          if constexpr (kFormat.has_min()) {
            out[b].scaled_sum[h * N + c] = kPer16 ? in[b].scaled_half_sum[h] : in[b].scaled_sum;
          }
          if constexpr (kZeroPoint != 0) {
            out[b].start[h * N + c] = -kZeroPoint * (kPer16 ? in[b].half_sum[h] : in[b].sum);
          }
        }
      }
    }
  }
  template <uint32_t N>
  static constexpr size_t input_bytes(uint32_t cols) {
    return cols / kSubBlock * sizeof(Input<N>);
  }

  template <uint32_t N>
  static INGLE_INLINE I start(const Input<N>& y, uint32_t at) {
    return Isa::set1_i32(kZeroPoint != 0 ? y.start[at] : 0);
  }

  template <uint32_t N>
  static INGLE_INLINE F accumulate(F acc, ScaleMin s, const Input<N>& y, uint32_t c, uint32_t h, I isum) {
    acc = Isa::fma(Isa::mul(s.scale, Isa::set1(y.scale[c])), Isa::to_f32(isum), acc);
    if constexpr (kFormat.has_min()) acc = Isa::fma(s.min, Isa::set1(y.scaled_sum[h * N + c]), acc);
    return acc;
  }

  // Sub-block j of a record, one scale for its 32 columns.
  template <uint32_t N>
  static INGLE_INLINE void block_32(const uint8_t* codes, const uint8_t* scales, uint32_t j, ScaleMin super,
                                    const Input<N>& y, F* acc) {
    W w[4];
    I sum[N];
    unpack<0>(codes, w);
    for (uint32_t c = 0; c < N; c++) sum[c] = dot16(start<N>(y, c), w, y.quants[c]);
    unpack<1>(codes, w);
    for (uint32_t c = 0; c < N; c++) sum[c] = dot16(sum[c], w, y.quants[c] + 16);
    const ScaleMin s = scale_min(scales, j, super);
    for (uint32_t c = 0; c < N; c++) acc[c] = accumulate<N>(acc[c], s, y, c, 0, sum[c]);
  }

  // Half h of a sub-block with a scale per 16 columns.
  template <uint32_t N, int h>
  static INGLE_INLINE void block_16(const uint8_t* codes, const uint8_t* scales, uint32_t j, ScaleMin super,
                                    const Input<N>& y, F* acc) {
    W w[4];
    unpack<h>(codes, w);
    const ScaleMin s = scale_min(scales, 2 * j + h, super);
    for (uint32_t c = 0; c < N; c++) {
      const I sum = dot16(start<N>(y, h * N + c), w, y.quants[c] + 16 * h);
      acc[c] = accumulate<N>(acc[c], s, y, c, h, sum);
    }
  }

  template <uint32_t N>
  static void run(const TileArgs& args) {
    const auto* y = reinterpret_cast<const Input<N>*>(args.x);
    const uint8_t* record = args.weights;
    F acc[N];
    for (uint32_t c = 0; c < N; c++) acc[c] = args.resume ? Isa::loadu(args.out + c * args.out_stride) : Isa::zero();
    const uint32_t blocks = args.cols / kSubBlock;
    for (uint32_t first = 0; first < blocks; first += kRecord) {
      const uint32_t n = blocks - first < kRecord ? blocks - first : kRecord;
      const uint8_t *scales = record, *codes = record + kFormat.codes_offset(n, kLanes);
      // All scales now, in the order in which memory is walked: one line of them per sub-block, between lines of codes,
      // halved the speed of Q4_1 with few columns.
      prefetch<kFormat.codes_offset(kRecord, kLanes)>(scales + (N >= kPrefetchColumns ? kPrefetchBytes : 0));
      const ScaleMin super = super_scale(scales);
      for (uint32_t j = 0; j < n; j++, y++, codes += kFormat.code_bytes() * kLanes) {
        if constexpr (N >= kPrefetchColumns) prefetch<kFormat.code_bytes() * kLanes>(codes + kPrefetchBytes);
        if constexpr (kFormat.per_16()) {
          block_16<N, 0>(codes, scales, j, super, *y, acc);
          block_16<N, 1>(codes, scales, j, super, *y, acc);
        } else {
          block_32<N>(codes, scales, j, super, *y, acc);
        }
      }
      record += kFormat.record_bytes(n, kLanes);
    }
    for (uint32_t c = 0; c < N; c++) Isa::storeu(args.out + c * args.out_stride, acc[c]);
  }

  template <size_t kBytes>
  static INGLE_INLINE void prefetch(const uint8_t* p) {
    for (size_t i = 0; i < kBytes; i += 64) __builtin_prefetch(p + i);
  }

  static constexpr uint32_t kRows = kLanes;
  static size_t strip_bytes(uint32_t cols) { return kFormat.strip_bytes(cols / kSubBlock, kLanes); }
  static size_t input_offset(uint32_t first_col) { return first_col / kSubBlock * sizeof(ActivationBlock); }
};

// F32, F16 and BF16 weights: kGroupRows rows times N columns.
template <class Isa, DType kType>
struct FloatTile {
  using F = typename Isa::F;
  static constexpr uint32_t kVectors = kGroupRows / Isa::kLanes;
  static constexpr size_t kBytes = kType == DType::kF32 ? 4 : 2;

  static INGLE_INLINE F load(const uint8_t* p) {
    if constexpr (kType == DType::kF32) return Isa::loadu(reinterpret_cast<const float*>(p));
    if constexpr (kType == DType::kF16) return Isa::load_f16(reinterpret_cast<const uint16_t*>(p));
    if constexpr (kType == DType::kBF16) return Isa::load_bf16(reinterpret_cast<const uint16_t*>(p));
  }

  static constexpr bool kPacksInput = false;

  template <uint32_t N>
  static void run(const TileArgs& args) {
    const float* y[N];
    for (uint32_t c = 0; c < N; c++) y[c] = reinterpret_cast<const float*>(args.x + c * args.x_stride_bytes);
    const uint8_t* weights = args.weights;
    F acc[N][kVectors];
    for (uint32_t c = 0; c < N; c++) {
      for (uint32_t v = 0; v < kVectors; v++) {
        acc[c][v] = args.resume ? Isa::loadu(args.out + c * args.out_stride + v * Isa::kLanes) : Isa::zero();
      }
    }
    for (uint32_t k = 0; k < args.cols; k++, weights += kColumnBytes) {
      if constexpr (N >= kPrefetchColumns) __builtin_prefetch(weights + kPrefetchBytes);
      for (uint32_t v = 0; v < kVectors; v++) {
        const F w = load(weights + v * Isa::kLanes * kBytes);
        for (uint32_t c = 0; c < N; c++) acc[c][v] = Isa::fma(w, Isa::set1(y[c][k]), acc[c][v]);
      }
    }
    for (uint32_t c = 0; c < N; c++) {
      for (uint32_t v = 0; v < kVectors; v++) Isa::storeu(args.out + c * args.out_stride + v * Isa::kLanes, acc[c][v]);
    }
  }

  static constexpr size_t kColumnBytes = kGroupRows * kBytes;
  static constexpr uint32_t kRows = kGroupRows;
  static size_t strip_bytes(uint32_t cols) { return cols * kColumnBytes; }
  static size_t input_offset(uint32_t first_col) { return first_col * sizeof(float); }
};

template <class Isa>
struct MatmulKernels {
  using F = typename Isa::F;
  using I = typename Isa::I;
  static constexpr uint32_t kLanes = Isa::kLanes;
  static constexpr size_t kInputBytes = kMatmulScratchBytes - kInt8RecordsBytes;
  static constexpr PackTarget kTarget = {Isa::kLanes, Isa::kSignedBias};

  static size_t packed_bytes(DType type, uint32_t rows, uint32_t cols) {
    return cpu::packed_bytes(type, rows, cols, kTarget);
  }
  static void pack_group(const PackedMatrix& to, uint32_t group, const void* src, size_t row_bytes) {
    cpu::pack_group(to, group, src, row_bytes, kTarget);
  }
  static void unpack_row(const PackedMatrix& from, uint32_t row, float* out) {
    cpu::unpack_row(from, row, out, kTarget);
  }
  static void quantize(const float* x, uint32_t cols, ActivationBlock* out) {
    for (uint32_t i = 0; i < cols; i += kSubBlock) quantize_block(x + i, *out++);
  }

  static void matmul(const PackedMatrix& w, uint32_t first_group, uint32_t group_count, const void* x,
                     size_t x_stride_bytes, uint32_t columns, float* out, size_t out_stride, void* scratch) {
    CHECK(first_group + group_count <= w.groups());
    const Call call{first_group, group_count, static_cast<const std::byte*>(x), x_stride_bytes, columns,
                    out,         out_stride,  static_cast<std::byte*>(scratch)};
    switch (w.type) {
      case DType::kF32:
        return slices<FloatTile<Isa, DType::kF32>>(w, call);
      case DType::kF16:
        return slices<FloatTile<Isa, DType::kF16>>(w, call);
      case DType::kBF16:
        return slices<FloatTile<Isa, DType::kBF16>>(w, call);
      case DType::kQ4_0:
        return slices<BlockTile<Isa, kFormatQ4_0>>(w, call);
      case DType::kQ4_1:
        return slices<BlockTile<Isa, kFormatQ4_1>>(w, call);
      case DType::kQ5_0:
        return slices<BlockTile<Isa, kFormatQ5_0>>(w, call);
      case DType::kQ5_1:
        return slices<BlockTile<Isa, kFormatQ5_1>>(w, call);
      case DType::kQ8_0:
        return slices<BlockTile<Isa, kFormatQ8_0>>(w, call);
      case DType::kQ2_K:
        return slices<BlockTile<Isa, kFormatQ2_K>>(w, call);
      case DType::kQ3_K:
        return slices<BlockTile<Isa, kFormatQ3_K>>(w, call);
      case DType::kQ4_K:
        return slices<BlockTile<Isa, kFormatQ4_K>>(w, call);
      case DType::kQ5_K:
        return slices<BlockTile<Isa, kFormatQ5_K>>(w, call);
      case DType::kQ6_K:
        return slices<BlockTile<Isa, kFormatQ6_K>>(w, call);
      case DType::kIQ4_NL:
        return slices<BlockTile<Isa, kFormatIQ4_NL>>(w, call);
      case DType::kIQ4_XS:
        return slices<BlockTile<Isa, kFormatIQ4_XS>>(w, call);
      case DType::kMXFP4:
        return slices<BlockTile<Isa, kFormatMXFP4>>(w, call);
      default:
        return decoded_slices(w, call);
    }
  }

 private:
  struct Call {
    uint32_t first_group, group_count;
    const std::byte* x;  // from a slice's first column on
    size_t x_stride_bytes;
    uint32_t columns;
    float* out;
    size_t out_stride;
    std::byte* scratch;
  };
  // The groups of a call in one slice.
  struct Groups {
    const uint8_t* data;
    uint32_t count, cols;
    size_t bytes;  // of each
    bool resume;
  };

  template <class Tile>
  static void slices(const PackedMatrix& w, Call call) {
    const std::byte* x = call.x;
    for (uint32_t s = 0; s < slice_count(w.type, w.cols); s++) {
      const Slice slice = slice_at(w, s, kTarget);
      call.x = x + Tile::input_offset(slice.first_col);
      all_columns<Tile>(call, {first_group(w, call, slice), call.group_count, slice.cols, slice.group_bytes, s != 0});
    }
  }

  static const uint8_t* first_group(const PackedMatrix& w, const Call& call, const Slice& slice) {
    return reinterpret_cast<const uint8_t*>(w.data) + slice.offset + call.first_group * slice.group_bytes;
  }

  // Codebook and ternary types: each group of a slice is decoded once for all columns.
  static void decoded_slices(const PackedMatrix& w, Call call) {
    CHECK(is_block_quantized(w.type));
    auto* records = reinterpret_cast<uint8_t*>(call.scratch);
    call.scratch += kInt8RecordsBytes;
    using Tile = BlockTile<Isa, kFormatInt8>;
    const std::byte* x = call.x;
    float* out = call.out;
    for (uint32_t s = 0; s < slice_count(w.type, w.cols); s++) {
      const Slice slice = slice_at(w, s, kTarget);
      call.x = x + Tile::input_offset(slice.first_col);
      for (uint32_t g = 0; g < call.group_count; g++) {
        decode_int8_records(w.type, first_group(w, call, slice) + g * slice.group_bytes, records, kTarget);
        call.out = out + g * kGroupRows;
        all_columns<Tile>(call, {records, 1, slice.cols, kInt8RecordsBytes, s != 0});
      }
    }
  }

  // In tiles of the widest kind, then of the narrower ones.
  template <class Tile>
  static void all_columns(const Call& call, const Groups& groups) {
    uint32_t c = 0;
    if constexpr (Isa::kMaxColumns >= 8) c = tiles_of<Tile, 8>(call, groups, c);
    if constexpr (Isa::kMaxColumns >= 4) c = tiles_of<Tile, 4>(call, groups, c);
    if constexpr (Isa::kMaxColumns >= 2) c = tiles_of<Tile, 2>(call, groups, c);
    tiles_of<Tile, 1>(call, groups, c);
  }

  template <class Tile, uint32_t N>
  static uint32_t tiles_of(const Call& call, const Groups& groups, uint32_t c) {
    constexpr uint32_t kStrips = kGroupRows / Tile::kRows;
    const size_t strip_bytes = Tile::strip_bytes(groups.cols);
    for (; c + N <= call.columns; c += N) {
      const std::byte* x = call.x + c * call.x_stride_bytes;
      if constexpr (Tile::kPacksInput) {
        CHECK(Tile::template input_bytes<N>(groups.cols) <= kInputBytes);
        Tile::template pack_input<N>(x, call.x_stride_bytes, groups.cols, call.scratch);
        x = call.scratch;
      }
      const uint8_t* weights = groups.data;
      for (uint32_t strip = 0; strip < groups.count * kStrips; strip++) {
        Tile::template run<N>({.weights = weights,
                               .x = x,
                               .x_stride_bytes = call.x_stride_bytes,
                               .cols = groups.cols,
                               .out = call.out + c * call.out_stride + strip * Tile::kRows,
                               .out_stride = call.out_stride,
                               .resume = groups.resume});
        // A group is its strips and up to 63 bytes of padding.
        weights += strip % kStrips + 1 < kStrips ? strip_bytes : groups.bytes - (kStrips - 1) * strip_bytes;
      }
    }
    return c;
  }

  static void quantize_block(const float* x, ActivationBlock& out) {
    constexpr uint32_t kVectors = kSubBlock / kLanes;
    F values[kVectors], largest = Isa::zero();
    bool finite = true;
    for (uint32_t v = 0; v < kVectors; v++) {
      values[v] = Isa::loadu(x + v * kLanes);
      finite = finite && Isa::all(Isa::is_finite(values[v]));
      largest = Isa::max(largest, Isa::abs(values[v]));
    }
    float lanes[kLanes], amax = 0;
    Isa::storeu(lanes, largest);
    for (uint32_t i = 0; i < kLanes; i++) amax = lanes[i] > amax ? lanes[i] : amax;
    const float inverse = 127.0f / amax;
    const bool usable = finite && inverse < __builtin_inff();
    const F factor = Isa::set1(inverse), limit = Isa::set1(127.0f);
    for (uint32_t v = 0; v < kVectors; v++) {
      const F q = Isa::min(Isa::max(Isa::round_even(Isa::mul(values[v], factor)), Isa::neg(limit)), limit);
      Isa::store_i8(out.quants + v * kLanes, usable ? q : Isa::zero());
    }
    out.scale = !finite ? __builtin_nanf("") : usable ? amax / 127.0f : 0.0f;
    add_sums(out);
  }

  // A dot product with ones sums the quants.
  static INGLE_INLINE void add_sums(ActivationBlock& out) {
    const typename Isa::W one = Isa::set1_w(1), ones[4] = {one, one, one, one};
    for (uint32_t h = 0; h < 2; h++) {
      int32_t lanes[kLanes];
      Isa::store_i32(lanes, Isa::template dot16_unsigned<1>(Isa::set1_i32(0), ones, out.quants + 16 * h));
      out.half_sum[h] = lanes[0];
      out.scaled_half_sum[h] = out.scale * static_cast<float>(lanes[0]);
    }
    out.sum = out.half_sum[0] + out.half_sum[1];
    out.scaled_sum = out.scale * static_cast<float>(out.sum);
    out.unused = 0;
  }
};

}  // namespace ingle::cpu
INGLE_REGION_END
