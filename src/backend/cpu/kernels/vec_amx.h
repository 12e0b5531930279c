// The vector vocabulary (see vec_scalar.h) for x86-64 with AMX-INT8 beside what vec_avx512.h asks for, and the tile
// registers that amx_tile.inl.h multiplies with.
#pragma once

#include "backend/cpu/kernels/vec_avx512.h"

#undef INGLE_REGION_BEGIN
#define INGLE_REGION_BEGIN \
  INGLE_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,amx-tile,amx-int8")

namespace ingle::cpu {

// What ldtilecfg reads (Intel's Software Developer's Manual, "Tile configuration").
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// Two dot products are on their way at a time, each in registers of its own: sums in 0 or 1, activations in 2 or 3,
// weights in 4 or 5; 6 and 7 are further sums, for the benchmark. Of `columns` columns of activations and `depth`
// products per sum.
constexpr TileShapes tile_shapes(uint8_t columns, uint8_t depth) {
  TileShapes shapes;
  for (uint32_t i = 0; i < 2; i++) {
    shapes.rows[i] = columns, shapes.row_bytes[i] = 64;
    shapes.rows[6 + i] = columns, shapes.row_bytes[6 + i] = 64;
    shapes.rows[2 + i] = columns, shapes.row_bytes[2 + i] = depth;
    shapes.rows[4 + i] = depth / 4, shapes.row_bytes[4 + i] = 64;
  }
  return shapes;
}
template <uint8_t kColumns, uint8_t kDepth>
inline constexpr TileShapes kTileShapes = tile_shapes(kColumns, kDepth);

}  // namespace ingle::cpu

INGLE_REGION_BEGIN
namespace ingle::cpu {

struct Amx : Avx512 {
  static INGLE_INLINE W sub_w(W a, W b) { return _mm512_sub_epi8(a, b); }
  static INGLE_INLINE void store_w(int8_t* p, W a) { _mm512_store_si512(p, a); }

  // Between these two the thread owns the registers, in the shapes of kColumns columns and kDepth products per sum.
  template <uint32_t kColumns, uint32_t kDepth>
  static INGLE_INLINE void begin_tiles() {
    _tile_loadconfig(&kTileShapes<kColumns, kDepth>);
  }
  static INGLE_INLINE void end_tiles() { _tile_release(); }

  // The sums of pair kPair: activations [columns][depth] times weights [depth / 4][16][4], exact.
  template <int kPair, uint32_t kDepth>
  static INGLE_INLINE void dot_tile(const int8_t* activations, const int8_t* weights) {
    if constexpr (kPair == 0) {
      _tile_loadd(2, activations, kDepth);
      _tile_loadd(4, weights, 64);
      _tile_zero(0);
      _tile_dpbssd(0, 2, 4);
    } else {
      _tile_loadd(3, activations, kDepth);
      _tile_loadd(5, weights, 64);
      _tile_zero(1);
      _tile_dpbssd(1, 3, 5);
    }
  }
  // To sums [columns][16]. The registers work in order: this waits for its pair's dot_tile, and what follows for it, so
  // that the other pair's dot_tile goes between.
  template <int kPair>
  static INGLE_INLINE void store_sums(int32_t* sums) {
    if constexpr (kPair == 0) {
      _tile_stored(0, sums, 64);
    } else {
      _tile_stored(1, sums, 64);
    }
  }

  // Bare multiplications, for the benchmark of the machine's limit: as many sums as it takes to have the unit busy.
  static constexpr uint32_t kWholeTiles = 4;
  static INGLE_INLINE void dot_whole_tiles() {
    _tile_dpbssd(0, 2, 4);
    _tile_dpbssd(1, 3, 5);
    _tile_dpbssd(6, 2, 4);
    _tile_dpbssd(7, 3, 5);
  }

  // GCC 12's tile loads do not say that they read memory: what was written before stands there behind this.
  static INGLE_INLINE void finish_writes() { __asm__ volatile("" ::: "memory"); }
};

}  // namespace ingle::cpu
INGLE_REGION_END
