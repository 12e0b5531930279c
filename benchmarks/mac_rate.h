// The limits that matmul_bench compares with, by instruction set: multiply-accumulates per second over weights and
// activations that stay in registers: loading one per product was seen to halve the rate, and kernels need not do that.
#pragma once

#include <cstdint>

namespace ingle::cpu {

// Each runs a number of rounds and returns how many products that were; the sum keeps the compiler honest.
struct MacRates {
  // Int8 dot products, of 256 bytes of codes 0..15 and 32 activations.
  uint64_t (*int8)(uint64_t rounds, const uint8_t* weights, const int8_t* activations, int32_t* sum);
  // Float multiply-adds, of 16 weights and 16 activations.
  uint64_t (*fma)(uint64_t rounds, const float* weights, const float* activations, float* sum);
};

extern const MacRates kMacRatesScalar, kMacRatesAvx2, kMacRatesAvxVnni, kMacRatesAvx512Vl, kMacRatesAvx512,
    kMacRatesAmx, kMacRatesNeon, kMacRatesI8mm;

}  // namespace ingle::cpu
