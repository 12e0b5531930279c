// The matmul kernels of KernelTable as templates over a vector type: lane = output row, walked column block by column
// block.
//
// The definition of block-quantised types is block_tile.inl.h's; of F32, F16 and BF16 weights it is
// acc = fma(w[k], x[k], acc) for k in index order, from 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backend/cpu/kernels/activation_block.h"
#include "backend/cpu/kernels/block_tile.inl.h"
#include "backend/cpu/kernels/isa_region.h"
#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/kernels/packed.h"
#include "base/check.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

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
  // As in BlockTile: what is loaded of the activations serves several groups.
  template <uint32_t N>
  static constexpr uint32_t kStripsAtOnce = Isa::strips_at_once(N);

  template <uint32_t N, uint32_t kStrips = 1>
  static void run(const TileArgs& args) {
    constexpr uint32_t kAll = kVectors * kStrips;
    const float* y[N];
    for (uint32_t c = 0; c < N; c++) {
      y[c] = reinterpret_cast<const float*>(args.x + present(c, args.columns) * args.x_stride_bytes);
    }
    const uint8_t* weights = args.weights;
    F acc[N][kAll];
    for (uint32_t c = 0; c < N; c++) {
      for (uint32_t v = 0; v < kAll; v++) {
        acc[c][v] = args.resume ? Isa::loadu(out_column(args, c) + v * Isa::kLanes) : Isa::zero();
      }
    }
    for (uint32_t k = 0; k < args.cols; k++, weights += kColumnBytes) {
      fetch<FloatTile, N, kStrips>(args, weights, kColumnBytes);
      F w[kAll];
      for (uint32_t v = 0; v < kAll; v++) {
        w[v] = load(weights + v / kVectors * args.group_bytes + v % kVectors * Isa::kLanes * kBytes);
      }
      for (uint32_t c = 0; c < N; c++) {
        const F x = Isa::set1(y[c][k]);
        for (uint32_t v = 0; v < kAll; v++) acc[c][v] = Isa::fma(w[v], x, acc[c][v]);
      }
    }
    for (uint32_t c = 0; c < N; c++) {
      for (uint32_t v = 0; v < kAll; v++) Isa::storeu(out_column(args, c) + v * Isa::kLanes, acc[c][v]);
    }
  }

  static constexpr size_t kColumnBytes = kGroupRows * kBytes;
  // Sums in up to 16 vectors: some CPUs have no more than 32.
  static constexpr uint32_t kMaxColumns = Isa::kMaxColumns < 16 / kVectors ? Isa::kMaxColumns : 16 / kVectors;
  static constexpr uint32_t kRows = kGroupRows;
  static size_t strip_bytes(uint32_t cols) { return cols * kColumnBytes; }
  static size_t input_offset(uint32_t first_col) { return first_col * sizeof(float); }
};

template <class Isa>
struct MatmulKernels {
  using F = typename Isa::F;
  using I = typename Isa::I;
  static constexpr uint32_t kLanes = Isa::kLanes;
  static constexpr uint32_t kColumnBlock = 64;
  static constexpr size_t kInputBytes = 15 << 10;
  // Groups decoded at a time: they share what is gathered of the activations, and with it fit the first-level cache.
  static constexpr uint32_t kDecodedGroups = 4;
  static constexpr uint32_t kDecodedAhead = 2;  // groups between the one that is decoded and the one asked for
  static constexpr size_t kScratchBytes = kInputBytes + kDecodedGroups * kInt8RecordsBytes;
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
      case DType::kTQ1_0:
      case DType::kTQ2_0:
        return slices<BlockTile<Isa, kFormatTernary>>(w, call);
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
    Tiling tiling;
  };

  template <class Tile>
  static void slices(const PackedMatrix& w, Call call) {
    const std::byte* x = call.x;
    for (uint32_t s = 0; s < slice_count(w.type, w.cols); s++) {
      const Slice slice = slice_at(w, s, kTarget);
      call.x = x + Tile::input_offset(slice.first_col);
      all_columns<Tile>(
          call, {first_group(w, call, slice), call.group_count, slice.cols, slice.group_bytes, s != 0, w.tiling});
    }
  }

  static const uint8_t* first_group(const PackedMatrix& w, const Call& call, const Slice& slice) {
    return reinterpret_cast<const uint8_t*>(w.data) + slice.offset + call.first_group * slice.group_bytes;
  }

  // Of the call's groups, slice by slice; null beyond the last.
  static const uint8_t* nth_group(const PackedMatrix& w, const Call& call, uint32_t n) {
    const uint32_t s = n / call.group_count;
    if (s >= slice_count(w.type, w.cols)) return nullptr;
    const Slice slice = slice_at(w, s, kTarget);
    return first_group(w, call, slice) + n % call.group_count * slice.group_bytes;
  }

  // Codebook types: a few groups of a slice are decoded once for all columns.
  static void decoded_slices(const PackedMatrix& w, Call call) {
    CHECK(is_block_quantized(w.type));
    auto* records = reinterpret_cast<uint8_t*>(call.scratch);
    call.scratch += kDecodedGroups * kInt8RecordsBytes;
    using Tile = BlockTile<Isa, kFormatInt8>;
    const Tiling tiling{.fetch_ahead = FetchAhead::kNever, .several_strips = w.tiling.several_strips};
    const std::byte* x = call.x;
    float* out = call.out;
    for (uint32_t s = 0; s < slice_count(w.type, w.cols); s++) {
      const Slice slice = slice_at(w, s, kTarget);
      call.x = x + Tile::input_offset(slice.first_col);
      const uint8_t* group = first_group(w, call, slice);
      for (uint32_t g = 0; g < call.group_count; g += kDecodedGroups) {
        const uint32_t count = call.group_count - g < kDecodedGroups ? call.group_count - g : kDecodedGroups;
        for (uint32_t i = 0; i < count; i++, group += slice.group_bytes) {
          const uint8_t* ahead = nth_group(w, call, s * call.group_count + g + i + kDecodedAhead);
          decode_int8_records(w.type, group, ahead, records + i * kInt8RecordsBytes, kTarget);
        }
        call.out = out + g * kGroupRows;
        all_columns<Tile>(call, {records, count, slice.cols, kInt8RecordsBytes, s != 0, tiling});
      }
    }
  }

  // In tiles of the widest kind, then of the narrower ones; each kind takes what fills more than half of it.
  template <class Tile>
  static void all_columns(const Call& call, const Groups& groups) {
    uint32_t c = 0;
    if constexpr (Tile::kMaxColumns >= 8) c = tiles_of<Tile, 8>(call, groups, c);
    if constexpr (Tile::kMaxColumns >= 4) c = tiles_of<Tile, 4>(call, groups, c);
    if constexpr (Tile::kMaxColumns >= 2) c = tiles_of<Tile, 2>(call, groups, c);
    tiles_of<Tile, 1>(call, groups, c);
  }

  template <class Tile, uint32_t N>
  static uint32_t tiles_of(const Call& call, const Groups& groups, uint32_t c) {
    constexpr uint32_t kAtOnce = Tile::template kStripsAtOnce<N>;
    constexpr uint32_t kGroups = kAtOnce / strips_per_group<Tile>;  // of as many strips; 0: of a part of a group
    while (call.columns - c > N / 2) {
      const uint32_t columns = call.columns - c < N ? call.columns - c : N;
      TileArgs args{.weights = groups.data,
                    .strip_bytes = Tile::strip_bytes(groups.cols),
                    .group_bytes = groups.bytes,
                    .x = call.x + c * call.x_stride_bytes,
                    .x_stride_bytes = call.x_stride_bytes,
                    .columns = columns,
                    .cols = groups.cols,
                    .out = call.out + c * call.out_stride,
                    .out_stride = call.out_stride,
                    .resume = groups.resume,
                    .fetch_ahead = groups.tiling.fetch_ahead};
      if constexpr (Tile::kPacksInput) {
        CHECK(Tile::template input_bytes<N>(groups.cols) <= kInputBytes);
        Tile::template pack_input<N>(args, call.scratch);
        args.x = call.scratch;
      }
      uint32_t group = 0;
      if constexpr (kGroups > 0) {
        const bool several = (groups.tiling.several_strips & N) != 0;
        for (; several && group + kGroups <= groups.count; group += kGroups) {
          Tile::template run<N, kAtOnce>(args);
          args.weights += kGroups * groups.bytes;
          args.out += kGroups * kGroupRows;
        }
      }
      for (; group < groups.count; group++, args.weights += groups.bytes, args.out += kGroupRows) {
        TileArgs strip = args;
        for (uint32_t s = 0; s < strips_per_group<Tile>; s++, strip.out += Tile::kRows) {
          strip.weights = args.weights + strip_offset<Tile>(args, s);
          Tile::template run<N>(strip);
        }
      }
      c += columns;
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
