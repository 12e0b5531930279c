// Decoding of the codebook types (IQ1, IQ2, IQ3) by the byte permutations of AVX-512 VBMI: x86-64 from Ice Lake and
// Zen 4 on. Pure functions, any thread. For packed.cpp alone.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace ingle::cpu {

// As decode_int8_records, to the same bytes, for 16 lanes of biased codes.
using GroupDecoder = void (*)(const uint8_t* group, const uint8_t* ahead, uint8_t* record);

// Null for other types, and on CPUs without these instructions.
GroupDecoder vbmi_group_decoder(DType type);

}  // namespace ingle::cpu
