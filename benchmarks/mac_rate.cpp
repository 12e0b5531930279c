// See mac_rate.h. Compiled once per instruction set, which CMake names.
#include INGLE_BENCH_VEC_HEADER
// (first: it says for what this file is compiled)
#include "mac_rate.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

template <class Isa>
struct MacRate {
  // Makes the compiler believe that v has changed, so that it multiplies anew.
  template <class V>
  static INGLE_INLINE void renew(V& v) {
    if constexpr (Isa::kLanes == 1) {
      asm volatile("" : "+r"(v));
    } else {
#if defined(__x86_64__)
      asm volatile("" : "+x"(v));
#endif
    }
  }

  // Where a dot product takes several instructions, the compiler would compute it once for all chains, and there are
  // few registers. Elsewhere: more chains than products are under way at a time.
  static constexpr bool kInParts = (Isa::kLanes == 8 && Isa::kSignedBias == 0) || Isa::kLanes == 1;
  // Where there are 16 registers for the weights, four activations and the sums.
  static constexpr bool kOneWeight = !kInParts && Isa::kLanes == 8;
  static constexpr uint32_t kChains = kInParts ? 4 : kOneWeight ? 10 : 12;
  static constexpr uint32_t kFloatChains = Isa::kLanes == 4 ? 16 : 12;

  static uint64_t int8(uint64_t rounds, const uint8_t* weights, const int8_t* activations, int32_t* sum) {
    if constexpr (requires { Isa::dot_whole_tiles(); }) return int8_tiles(rounds, sum);
    typename Isa::W w[4];
    for (uint32_t i = 0; i < 4; i++) w[i] = Isa::load_w(weights + (kOneWeight ? 0 : i * 4 * Isa::kLanes));
    typename Isa::I acc[kChains];
    for (uint32_t c = 0; c < kChains; c++) acc[c] = Isa::set1_i32(static_cast<int32_t>(c));  // lest one stands for all
    for (uint64_t r = 0; r < rounds; r++) {
      for (uint32_t c = 0; c < kChains; c++) {
        for (uint32_t k = 0; kInParts && k < 4; k++) renew(w[k]);
        if constexpr (Isa::kPairsColumns) {
          for (const typename Isa::W& weights_of_pair : w)
            acc[c] = Isa::dot8_pair(acc[c], weights_of_pair, activations);
        } else {
          // Of codes up to 127: AVX2 then widens each pair of products by itself.
          acc[c] = Isa::template dot16_unsigned<127>(acc[c], w, activations);
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
    return rounds * Isa::kWholeTiles * kRows * kRows * kDepth;
  }

  static uint64_t fma(uint64_t rounds, const float* weights, const float* activations, float* sum) {
    const typename Isa::F w = Isa::loadu(weights), y = Isa::loadu(activations);
    typename Isa::F acc[kFloatChains];
    for (uint32_t c = 0; c < kFloatChains; c++) acc[c] = Isa::set1(static_cast<float>(c));
    for (uint64_t r = 0; r < rounds; r++) {
      for (uint32_t c = 0; c < kFloatChains; c++) acc[c] = Isa::fma(w, y, acc[c]);
    }
    for (uint32_t c = 1; c < kFloatChains; c++) acc[0] = Isa::add(acc[0], acc[c]);
    float lanes[Isa::kLanes];
    Isa::storeu(lanes, acc[0]);
    *sum = lanes[0];
    return rounds * kFloatChains * Isa::kLanes;
  }
};

extern const MacRates INGLE_BENCH_RATES = {MacRate<INGLE_BENCH_ISA>::int8, MacRate<INGLE_BENCH_ISA>::fma};

}  // namespace ingle::cpu
INGLE_REGION_END
