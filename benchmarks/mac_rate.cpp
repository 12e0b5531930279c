// See mac_rate.h. Compiled once per instruction set, which CMake names.
#include INGLE_BENCH_VEC_HEADER
// (first: it says for what this file is compiled)
#include "mac_rate.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

template <class Isa>
struct MacRate {
  static constexpr uint32_t kChains = 8;
  static uint64_t int8(uint64_t rounds, const uint8_t* weights, const int8_t* activations, int32_t* sum) {
    if constexpr (requires { Isa::dot_whole_tiles(); }) return int8_tiles(rounds, sum);
    typename Isa::W w[4];
    for (uint32_t i = 0; i < 4; i++) w[i] = Isa::load_w(weights + i * 4 * Isa::kLanes);
    typename Isa::I acc[kChains];
    for (uint32_t c = 0; c < kChains; c++) acc[c] = Isa::set1_i32(0);
    for (uint64_t r = 0; r < rounds; r++) {
      for (uint32_t c = 0; c < kChains; c++) {
        const int8_t* y = activations + (c + r % 16) * 16;
        if constexpr (Isa::kPairsColumns) {
          for (const typename Isa::W& weights_of_pair : w) acc[c] = Isa::dot8_pair(acc[c], weights_of_pair, y);
        } else {
          // Of codes up to 127: AVX2 then widens each pair of products by itself.
          acc[c] = Isa::template dot16_unsigned<127>(acc[c], w, y);
        }
      }
    }
    for (uint32_t c = 1; c < kChains; c++) acc[0] = Isa::add_i32(acc[0], acc[c]);
    int32_t lanes[Isa::kLanes];
    Isa::store_i32(lanes, acc[0]);
    *sum = lanes[0];
    return rounds * kChains * (Isa::kPairsColumns ? 32 : 16) * Isa::kLanes;
  }

  // Of zeros: what is multiplied does not change the time.
  static uint64_t int8_tiles(uint64_t rounds, int32_t* sum) {
    constexpr uint32_t kRows = 16, kDepth = 64;
    Isa::template begin_tiles<kRows, kDepth>();
    for (uint64_t r = 0; r < rounds; r++) Isa::dot_whole_tiles();
    Isa::end_tiles();
    *sum = 0;
    return rounds * 2 * kRows * kRows * kDepth;
  }

  static uint64_t fma(uint64_t rounds, const float* weights, const float* activations, float* sum) {
    const typename Isa::F w = Isa::loadu(weights);
    typename Isa::F acc[kChains];
    for (uint32_t c = 0; c < kChains; c++) acc[c] = Isa::zero();
    for (uint64_t r = 0; r < rounds; r++) {
      for (uint32_t c = 0; c < kChains; c++) acc[c] = Isa::fma(w, Isa::set1(activations[c + r % 32]), acc[c]);
    }
    for (uint32_t c = 1; c < kChains; c++) acc[0] = Isa::add(acc[0], acc[c]);
    float lanes[Isa::kLanes];
    Isa::storeu(lanes, acc[0]);
    *sum = lanes[0];
    return rounds * kChains * Isa::kLanes;
  }
};

extern const MacRates INGLE_BENCH_RATES = {MacRate<INGLE_BENCH_ISA>::int8, MacRate<INGLE_BENCH_ISA>::fma};

}  // namespace ingle::cpu
INGLE_REGION_END
