// The limit that matmul_bench compares with: multiply-accumulates per second of the int8 dot product over weights and
// activations that stay in registers and the first-level cache. Compiled once per instruction set, which CMake names.
#include INGLE_BENCH_VEC_HEADER
// (first: it says for what this file is compiled)
#include "mac_rate.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

template <class Isa>
struct MacRate {
  static constexpr uint32_t kChains = 8;
  // Products of `rounds` rounds; the sum keeps the compiler honest.
  static uint64_t run(uint64_t rounds, const uint8_t* weights, const int8_t* activations, int32_t* sum) {
    typename Isa::W w[4];
    for (uint32_t i = 0; i < 4; i++) w[i] = Isa::load_w(weights + i * 4 * Isa::kLanes);
    typename Isa::I acc[kChains];
    for (uint32_t c = 0; c < kChains; c++) acc[c] = Isa::set1_i32(0);
    for (uint64_t r = 0; r < rounds; r++) {
      for (uint32_t c = 0; c < kChains; c++) {
        acc[c] = Isa::template dot16_unsigned<15>(acc[c], w, activations + (c + r % 16) * 16);
      }
    }
    for (uint32_t c = 1; c < kChains; c++) acc[0] = Isa::add_i32(acc[0], acc[c]);
    int32_t lanes[Isa::kLanes];
    Isa::store_i32(lanes, acc[0]);
    *sum = lanes[0];
    return rounds * kChains * 16 * Isa::kLanes;
  }
};

uint64_t INGLE_BENCH_FUNCTION(uint64_t rounds, const uint8_t* weights, const int8_t* activations, int32_t* sum) {
  return MacRate<INGLE_BENCH_ISA>::run(rounds, weights, activations, sum);
}

}  // namespace ingle::cpu
INGLE_REGION_END
