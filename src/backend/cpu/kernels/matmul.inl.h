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

#include "backend/cpu/kernels/activation_block.h"
#include "backend/cpu/kernels/isa_region.h"
#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/kernels/packed.h"
#include "base/check.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

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
      if constexpr (kFormat.lookup != nullptr) w = Isa::lookup(kFormat.lookup->data(), w);
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

  // The sum's start: minus what the zero point adds to it.
  static INGLE_INLINE I start(int32_t quant_sum) {
    if constexpr (kZeroPoint == 0) {
      return Isa::set1_i32(0);
    } else {
      constexpr int kShift = __builtin_ctz(kZeroPoint);
      static_assert(kZeroPoint == 1 << kShift);
      return Isa::sub_i32(Isa::set1_i32(0), Isa::template shift_left<kShift>(Isa::set1_i32(quant_sum)));
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

  static INGLE_INLINE F accumulate(F acc, ScaleMin s, float y_scale, float y_scaled_sum, I isum) {
    acc = Isa::fma(Isa::mul(s.scale, Isa::set1(y_scale)), Isa::to_f32(isum), acc);
    if constexpr (kFormat.has_min()) acc = Isa::fma(s.min, Isa::set1(y_scaled_sum), acc);
    return acc;
  }

  // Sub-block j of a record, one scale for its 32 columns.
  template <uint32_t N>
  static INGLE_INLINE void block_32(const uint8_t* codes, const uint8_t* scales, uint32_t j, ScaleMin super,
                                    const ActivationBlock* const* y, uint32_t at, F* acc) {
    W w[4];
    I sum[N];
    unpack<0>(codes, w);
    for (uint32_t c = 0; c < N; c++) sum[c] = dot16(start(y[c][at].sum), w, y[c][at].quants);
    unpack<1>(codes, w);
    for (uint32_t c = 0; c < N; c++) sum[c] = dot16(sum[c], w, y[c][at].quants + 16);
    const ScaleMin s = scale_min(scales, j, super);
    for (uint32_t c = 0; c < N; c++) acc[c] = accumulate(acc[c], s, y[c][at].scale, y[c][at].scaled_sum, sum[c]);
  }

  // Half h of a sub-block with a scale per 16 columns.
  template <uint32_t N, int h>
  static INGLE_INLINE void block_16(const uint8_t* codes, const uint8_t* scales, uint32_t j, ScaleMin super,
                                    const ActivationBlock* const* y, uint32_t at, F* acc) {
    W w[4];
    unpack<h>(codes, w);
    const ScaleMin s = scale_min(scales, 2 * j + h, super);
    for (uint32_t c = 0; c < N; c++) {
      const ActivationBlock& a = y[c][at];
      const I sum = dot16(start(a.half_sum[h]), w, a.quants + 16 * h);
      acc[c] = accumulate(acc[c], s, a.scale, a.scaled_half_sum[h], sum);
    }
  }

  // out[c * out_stride + lane] for N columns; resume: adds to what is there.
  template <uint32_t N>
  static void run(const uint8_t* strip, uint32_t blocks, const std::byte* x, size_t x_stride_bytes, float* out,
                  size_t out_stride, bool resume) {
    const ActivationBlock* y[N];
    F acc[N];
    for (uint32_t c = 0; c < N; c++) {
      y[c] = reinterpret_cast<const ActivationBlock*>(x + c * x_stride_bytes);
      acc[c] = resume ? Isa::loadu(out + c * out_stride) : Isa::zero();
    }
    for (uint32_t first = 0; first < blocks; first += kRecord) {
      const uint32_t n = blocks - first < kRecord ? blocks - first : kRecord;
      const uint8_t* codes = strip;
      const uint8_t* scales = strip + n * kFormat.code_bytes() * kLanes;
      const ScaleMin super = super_scale(scales);
      for (uint32_t j = 0; j < n; j++, codes += kFormat.code_bytes() * kLanes) {
        if constexpr (kFormat.per_16()) {
          block_16<N, 0>(codes, scales, j, super, y, first + j, acc);
          block_16<N, 1>(codes, scales, j, super, y, first + j, acc);
        } else {
          block_32<N>(codes, scales, j, super, y, first + j, acc);
        }
      }
      strip += kFormat.record_bytes(n, kLanes);
    }
    for (uint32_t c = 0; c < N; c++) Isa::storeu(out + c * out_stride, acc[c]);
  }
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

  template <uint32_t N>
  static void run(const uint8_t* group, uint32_t cols, const std::byte* x, size_t x_stride_bytes, float* out,
                  size_t out_stride, bool) {
    const float* y[N];
    F acc[N][kVectors];
    for (uint32_t c = 0; c < N; c++) {
      y[c] = reinterpret_cast<const float*>(x + c * x_stride_bytes);
      for (uint32_t v = 0; v < kVectors; v++) acc[c][v] = Isa::zero();
    }
    for (uint32_t k = 0; k < cols; k++, group += kGroupRows * kBytes) {
      for (uint32_t v = 0; v < kVectors; v++) {
        const F w = load(group + v * Isa::kLanes * kBytes);
        for (uint32_t c = 0; c < N; c++) acc[c][v] = Isa::fma(w, Isa::set1(y[c][k]), acc[c][v]);
      }
    }
    for (uint32_t c = 0; c < N; c++) {
      for (uint32_t v = 0; v < kVectors; v++) Isa::storeu(out + c * out_stride + v * Isa::kLanes, acc[c][v]);
    }
  }
};

template <class Isa>
struct MatmulKernels {
  using F = typename Isa::F;
  using I = typename Isa::I;
  static constexpr uint32_t kLanes = Isa::kLanes;
  static constexpr PackTarget kTarget = {Isa::kLanes, Isa::kSignedBias};

  static size_t packed_group_bytes(DType type, uint32_t cols) { return cpu::packed_group_bytes(type, cols, kTarget); }
  static void pack_group(DType type, const void* src, size_t row_bytes, uint32_t rows, uint32_t cols, void* dst) {
    cpu::pack_group(type, src, row_bytes, rows, cols, dst, kTarget);
  }
  static void unpack_row(DType type, const void* group, uint32_t row, uint32_t cols, float* out) {
    cpu::unpack_row(type, group, row, cols, out, kTarget);
  }
  static size_t matmul_scratch_bytes(DType type, uint32_t) {
    return block_format(type) == nullptr && is_block_quantized(type) ? kInt8RecordsBytes : 0;
  }

  static void quantize(const float* x, uint32_t cols, ActivationBlock* out) {
    for (uint32_t i = 0; i < cols; i += kSubBlock) quantize_block(x + i, *out++);
  }

  static void matmul_group(DType type, const void* group, uint32_t cols, const void* x, size_t x_stride_bytes,
                           uint32_t columns, float* out, size_t out_stride, void* scratch) {
    const Columns to{static_cast<const std::byte*>(x), x_stride_bytes, columns, out, out_stride};
    const auto* g = static_cast<const uint8_t*>(group);
    switch (type) {
      case DType::kF32:
        return tiles<FloatTile<Isa, DType::kF32>>(g, cols, to, false);
      case DType::kF16:
        return tiles<FloatTile<Isa, DType::kF16>>(g, cols, to, false);
      case DType::kBF16:
        return tiles<FloatTile<Isa, DType::kBF16>>(g, cols, to, false);
      case DType::kQ4_0:
        return strips<kFormatQ4_0>(g, cols, to);
      case DType::kQ4_1:
        return strips<kFormatQ4_1>(g, cols, to);
      case DType::kQ5_0:
        return strips<kFormatQ5_0>(g, cols, to);
      case DType::kQ5_1:
        return strips<kFormatQ5_1>(g, cols, to);
      case DType::kQ8_0:
        return strips<kFormatQ8_0>(g, cols, to);
      case DType::kQ2_K:
        return strips<kFormatQ2_K>(g, cols, to);
      case DType::kQ3_K:
        return strips<kFormatQ3_K>(g, cols, to);
      case DType::kQ4_K:
        return strips<kFormatQ4_K>(g, cols, to);
      case DType::kQ5_K:
        return strips<kFormatQ5_K>(g, cols, to);
      case DType::kQ6_K:
        return strips<kFormatQ6_K>(g, cols, to);
      case DType::kIQ4_NL:
        return strips<kFormatIQ4_NL>(g, cols, to);
      case DType::kIQ4_XS:
        return strips<kFormatIQ4_XS>(g, cols, to);
      case DType::kMXFP4:
        return strips<kFormatMXFP4>(g, cols, to);
      default:
        return decoded(type, g, cols, to, scratch);
    }
  }

 private:
  struct Columns {
    const std::byte* x;
    size_t x_stride_bytes;
    uint32_t columns;
    float* out;
    size_t out_stride;
  };

  // All columns in tiles of the widest kind, then of the narrower ones. `size`: what the tile takes.
  template <class Tile>
  static void tiles(const uint8_t* weights, uint32_t size, Columns to, bool resume) {
    uint32_t c = 0;
    if constexpr (Isa::kMaxColumns >= 8) c = tiles_of<Tile, 8>(weights, size, to, resume, c);
    if constexpr (Isa::kMaxColumns >= 4) c = tiles_of<Tile, 4>(weights, size, to, resume, c);
    if constexpr (Isa::kMaxColumns >= 2) c = tiles_of<Tile, 2>(weights, size, to, resume, c);
    tiles_of<Tile, 1>(weights, size, to, resume, c);
  }
  template <class Tile, uint32_t N>
  static INGLE_INLINE uint32_t tiles_of(const uint8_t* weights, uint32_t size, const Columns& to, bool resume,
                                        uint32_t c) {
    for (; c + N <= to.columns; c += N) {
      Tile::template run<N>(weights, size, to.x + c * to.x_stride_bytes, to.x_stride_bytes, to.out + c * to.out_stride,
                            to.out_stride, resume);
    }
    return c;
  }

  template <BlockFormat kFormat>
  static void strips(const uint8_t* group, uint32_t cols, Columns to) {
    const uint32_t blocks = cols / kSubBlock;
    for (uint32_t row = 0; row < kGroupRows; row += kLanes, to.out += kLanes) {
      tiles<BlockTile<Isa, kFormat>>(group, blocks, to, false);
      group += kFormat.strip_bytes(blocks, kLanes);
    }
  }

  // Codebook and ternary types: 256 columns at a time are decoded once for all columns.
  static void decoded(DType type, const uint8_t* group, uint32_t cols, const Columns& all, void* scratch) {
    CHECK(matmul_scratch_bytes(type, cols) != 0);
    constexpr uint32_t kSpan = kRecord * kSubBlock;
    for (uint32_t begin = 0; begin < cols; begin += kSpan) {
      decode_int8_records(type, group, cols, begin, scratch, kTarget);
      const auto* strip = static_cast<const uint8_t*>(scratch);
      Columns to = all;
      to.x += begin / kSubBlock * sizeof(ActivationBlock);
      for (uint32_t row = 0; row < kGroupRows; row += kLanes, to.out += kLanes) {
        tiles<BlockTile<Isa, kFormatInt8>>(strip, kRecord, to, begin != 0);
        strip += kFormatInt8.record_bytes(kRecord, kLanes);
      }
    }
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
