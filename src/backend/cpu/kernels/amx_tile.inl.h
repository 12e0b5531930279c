// Matrix multiplication by AMX's tile registers, for block-quantised weights and many columns. The definition is
// block_tile.inl.h's: a tile register's sums are those of one scale's columns, and what is done with them in f32, and
// in which order, is the same.
//
// A group's slice is unpacked to int8 once for all columns; then tiles of 16 columns of activations walk it, the sums
// of the next sub-block under way while the last ones are scaled and added.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backend/cpu/kernels/activation_block.h"
#include "backend/cpu/kernels/block_tile.inl.h"
#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/kernels/packed.h"
#include "base/check.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

// As KernelTable::matmul has them.
struct AmxCall {
  const PackedMatrix& w;
  uint32_t first_group, group_count;
  const std::byte* x;
  size_t x_stride_bytes;
  uint32_t columns;
  float* out;
  size_t out_stride;
};

template <BlockFormat kFormat>
struct AmxTile {
  using Isa = Amx;
  using F = Isa::F;
  using Block = BlockTile<Isa, kFormat>;
  static constexpr uint32_t kColumns = 16;                     // of a tile
  static constexpr uint32_t kBlockColumns = 128;               // per pass over the weights
  static constexpr uint32_t kDots = kFormat.per_16() ? 2 : 1;  // sums per sub-block
  static constexpr uint32_t kDepth = kSubBlock / kDots;        // columns of weights in each
  static constexpr uint32_t kMaxDots = 32 * kDots;             // of a slice
  static constexpr uint32_t kPrefetchDots = 3;                 // ahead: activations come from the L2 cache

  struct alignas(64) Weights {
    int8_t codes[kDepth / 4][64];  // less the zero point, as vectors of packed ones lie
    float scale[kGroupRows], min[kGroupRows];
  };
  struct alignas(64) Activations {
    int8_t quants[kColumns][kDepth];
    float scale[kColumns], scaled_sum[kColumns];
  };
  using Sums = int32_t[kColumns * kGroupRows];
  struct Scratch {
    Weights weights[kMaxDots];
    alignas(64) Sums sums[2];
    Activations activations[kBlockColumns / kColumns][kMaxDots];
  };

  static void matmul(const AmxCall& call, Scratch& scratch) {
    for (uint32_t s = 0; s < slice_count(call.w.type, call.w.cols); s++) {
      const Slice slice = slice_at(call.w, s, {Isa::kLanes, Isa::kSignedBias});
      CHECK(slice.cols / kSubBlock * kDots <= kMaxDots);
      for (uint32_t c = 0; c < call.columns; c += kBlockColumns) {
        AmxCall part = call;
        part.x += c * call.x_stride_bytes + slice.first_col / kSubBlock * sizeof(ActivationBlock);
        part.columns = std::min(call.columns - c, kBlockColumns);
        part.out += c * call.out_stride;
        multiply(part, slice, s != 0, scratch);
      }
    }
  }

 private:
  // A tile's sums in memory, and the weights that come after these, which are fetched meanwhile.
  struct Tile {
    float* out;
    size_t out_stride;
    uint32_t columns;
    bool resume;
    const uint8_t* ahead;
    size_t ahead_bytes;  // per dot
  };

  // `call` from the slice's first column on.
  static void multiply(const AmxCall& call, const Slice& slice, bool resume, Scratch& scratch) {
    const uint32_t blocks = slice.cols / kSubBlock, dots = blocks * kDots;
    const uint32_t tiles = (call.columns + kColumns - 1) / kColumns;
    for (uint32_t t = 0; t < tiles; t++) {
      pack(call.x + t * kColumns * call.x_stride_bytes, call.x_stride_bytes,
           std::min(call.columns - t * kColumns, kColumns), blocks, scratch.activations[t]);
    }
    const auto* group =
        reinterpret_cast<const uint8_t*>(call.w.data) + slice.offset + call.first_group * slice.group_bytes;
    const size_t ahead_bytes = round_up(slice.group_bytes / (dots * tiles), 64);
    Isa::begin_tiles<kColumns, kDepth>();
    for (uint32_t g = 0; g < call.group_count; g++, group += slice.group_bytes) {
      unpack(group, blocks, scratch.weights);
      Isa::finish_writes();
      for (uint32_t t = 0; t < tiles; t++) {
        const Tile tile{.out = call.out + t * kColumns * call.out_stride + g * kGroupRows,
                        .out_stride = call.out_stride,
                        .columns = std::min(call.columns - t * kColumns, kColumns),
                        .resume = resume,
                        .ahead = group + slice.group_bytes + t * dots * ahead_bytes,
                        .ahead_bytes = ahead_bytes};
        run(tile, scratch.weights, scratch.activations[t], dots, scratch.sums);
      }
    }
    Isa::end_tiles();
  }

  // Columns beyond `columns` are zeros.
  static void pack(const std::byte* x, size_t x_stride_bytes, uint32_t columns, uint32_t blocks, Activations* out) {
    if (columns < kColumns) std::memset(out, 0, blocks * kDots * sizeof *out);
    for (uint32_t c = 0; c < columns; c++) {
      const auto* in = reinterpret_cast<const ActivationBlock*>(x + c * x_stride_bytes);
      for (uint32_t dot = 0; dot < blocks * kDots; dot++) {
        const ActivationBlock& from = in[dot / kDots];
        std::memcpy(out[dot].quants[c], from.quants + dot % kDots * kDepth, kDepth);
        out[dot].scale[c] = from.scale;
        out[dot].scaled_sum[c] = kDots == 2 ? from.scaled_half_sum[dot % kDots] : from.scaled_sum;
      }
    }
  }

  static void unpack(const uint8_t* record, uint32_t blocks, Weights* out) {
    for (uint32_t first = 0; first < blocks; first += kRecord) {
      const uint32_t n = std::min(blocks - first, kRecord);
      const uint8_t *scales = record, *codes = record + kFormat.codes_offset(n, Isa::kLanes);
      const auto super = Block::super_scale(scales);
      for (uint32_t j = 0; j < n; j++, codes += kFormat.code_bytes() * Isa::kLanes) {
        unpack_codes<0>(codes, out);
        for (uint32_t h = 0; h < kDots; h++, out++) {
          const auto s = Block::scale_min(scales, j * kDots + h, super);
          Isa::storeu(out->scale, s.scale);
          if constexpr (kFormat.has_min()) Isa::storeu(out->min, s.min);
        }
      }
      record += kFormat.record_bytes(n, Isa::kLanes);
    }
  }

  template <int k>
  static INGLE_INLINE void unpack_codes(const uint8_t* codes, Weights* out) {
    constexpr uint32_t kVectors = kDepth / 4;  // per dot
    Isa::W w = Block::template weights<k>(codes);
    if constexpr (Block::kZeroPoint != 0) w = Isa::sub_w(w, Isa::set1_w(Block::kZeroPoint));
    Isa::store_w(out[k / kVectors].codes[k % kVectors], w);
    if constexpr (k + 1 < 8) unpack_codes<k + 1>(codes, out);
  }

  static void run(const Tile& tile, const Weights* w, const Activations* y, uint32_t dots, Sums* sums) {
    F acc[kColumns];
    load(tile, acc);
    dot<0>(w[0], y[0]);
    uint32_t i = 0;
    for (; i + 2 < dots; i += 2) {
      dot<1>(w[i + 1], y[i + 1]);
      Isa::store_sums<0>(sums[0]);
      if (i > 0) accumulate(w[i - 1], y[i - 1], sums[1], acc);
      fetch(tile, i);
      dot<0>(w[i + 2], y[i + 2]);
      Isa::store_sums<1>(sums[1]);
      accumulate(w[i], y[i], sums[0], acc);
      fetch(tile, i + 1);
    }
    if (i > 0) accumulate(w[i - 1], y[i - 1], sums[1], acc);
    if (i + 1 < dots) dot<1>(w[i + 1], y[i + 1]);
    Isa::store_sums<0>(sums[0]);
    accumulate(w[i], y[i], sums[0], acc);
    if (i + 1 < dots) {
      Isa::store_sums<1>(sums[1]);
      accumulate(w[i + 1], y[i + 1], sums[1], acc);
    }
    store(tile, acc);
  }

  template <int kPair>
  static INGLE_INLINE void dot(const Weights& w, const Activations& y) {
    prefetch<3>(reinterpret_cast<const uint8_t*>(&y + kPrefetchDots), sizeof y);
    Isa::dot_tile<kPair, kDepth>(y.quants[0], w.codes[0]);
  }

  static INGLE_INLINE void fetch(const Tile& tile, uint32_t i) {
    prefetch<2>(tile.ahead + i * tile.ahead_bytes, tile.ahead_bytes);
  }

  // Recursive from column c on, as in BlockTile: acc stays in registers.
  template <uint32_t c = 0>
  static INGLE_INLINE void accumulate(const Weights& w, const Activations& y, const int32_t* sums, F* acc) {
    const F sum = Isa::to_f32(Isa::load_i32(sums + c * kGroupRows));
    acc[c] = Isa::fma(Isa::mul(Isa::loadu(w.scale), Isa::set1(y.scale[c])), sum, acc[c]);
    if constexpr (kFormat.has_min()) acc[c] = Isa::fma(Isa::loadu(w.min), Isa::set1(y.scaled_sum[c]), acc[c]);
    if constexpr (c + 1 < kColumns) accumulate<c + 1>(w, y, sums, acc);
  }
  template <uint32_t c = 0>
  static INGLE_INLINE void load(const Tile& tile, F* acc) {
    acc[c] = tile.resume && c < tile.columns ? Isa::loadu(tile.out + c * tile.out_stride) : Isa::zero();
    if constexpr (c + 1 < kColumns) load<c + 1>(tile, acc);
  }
  template <uint32_t c = 0>
  static INGLE_INLINE void store(const Tile& tile, F* acc) {
    if (c < tile.columns) Isa::storeu(tile.out + c * tile.out_stride, acc[c]);
    if constexpr (c + 1 < kColumns) store<c + 1>(tile, acc);
  }
};

}  // namespace ingle::cpu
INGLE_REGION_END
