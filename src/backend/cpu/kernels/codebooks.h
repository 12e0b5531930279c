// Decoding of the codebook types (IQ1, IQ2, IQ3) by vectors, for packed.cpp alone. Pure functions, any thread.
#pragma once

#include <cstdint>

#include "backend/cpu/kernels/packed.h"
#include "tensor/dtype.h"

namespace ingle::cpu {

// As decode_int8_records, to the same bytes, for one type and target.
using GroupDecoder = void (*)(const uint8_t* group, const uint8_t* ahead, uint8_t* records);

// The fastest that this CPU has, whose tables (available_tables) have the target; null for other types, and for the one
// lane of the scalar table, whose rows int8_decode.h decodes.
GroupDecoder group_decoder(DType type, PackTarget target);

// By instruction set: 64-bit Arm, for 4 lanes; x86-64 with AVX2, for 8 lanes and for 16 of biased codes, else null;
// with AVX-512 VBMI (from Ice Lake and Zen 4 on), for 16 lanes of biased codes.
GroupDecoder neon_group_decoder(DType type);
GroupDecoder avx2_group_decoder(DType type, PackTarget target);
GroupDecoder vbmi_group_decoder(DType type);

}  // namespace ingle::cpu
