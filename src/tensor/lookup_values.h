// The values that the 4-bit codes of IQ4_NL, IQ4_XS and MXFP4 stand for (gguf.quants). Pure constants.
#pragma once

#include <array>
#include <cstdint>

namespace ingle {

inline constexpr std::array<int8_t, 16> kIq4Values = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                      1,    13,   25,  38,  53,  69,  89,  113};
// e2m1, doubled: the block's scale is halved in return.
inline constexpr std::array<int8_t, 16> kMxfp4Values = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace ingle
