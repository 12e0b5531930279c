// mac_rate.cpp, by instruction set. Each runs `rounds` rounds of dot products on 256 bytes of codes 0..15 and 384
// activations, and returns how many products that were.
#pragma once

#include <cstdint>

namespace ingle::cpu {

uint64_t mac_rate_scalar(uint64_t rounds, const uint8_t* weights, const int8_t* activations, int32_t* sum);
uint64_t mac_rate_avx2(uint64_t rounds, const uint8_t* weights, const int8_t* activations, int32_t* sum);
uint64_t mac_rate_avx512(uint64_t rounds, const uint8_t* weights, const int8_t* activations, int32_t* sum);
uint64_t mac_rate_neon(uint64_t rounds, const uint8_t* weights, const int8_t* activations, int32_t* sum);

}  // namespace ingle::cpu
