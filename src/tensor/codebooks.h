// What the codebook types (IQ1, IQ2, IQ3) decode by: grids, levels, signs and small scales. Pure constants. Source:
// gguf.quants, whose grids scripts/make_iq_grids.py writes out.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace ingle {

#include "tensor/iq_grids.inc"

// The values of a grid's elements. IQ1's codes are 8 * grid + 1 or - 1, as the block says; its levels are 8 * grid with
// the bias of 128 that unsigned codes have.
inline constexpr std::array<int8_t, 3> kIq1Levels = {120, -128, -120};
inline constexpr std::array<int8_t, 3> kIq2Levels = {8, 25, 43};
inline constexpr std::array<int8_t, 8> kIq3XxsLevels = {4, 12, 20, 28, 36, 44, 52, 62};
inline constexpr std::array<int8_t, 8> kIq3SLevels = {1, 3, 5, 7, 9, 11, 13, 15};

// By seven stored sign bits all eight: the last makes their number even.
inline constexpr std::array<uint8_t, 128> kEvenSigns = [] {
  std::array<uint8_t, 128> signs{};
  for (uint32_t seven = 0; seven < signs.size(); ++seven)
    signs[seven] = static_cast<uint8_t>(seven | (std::popcount(seven) & 1) << 7);
  return signs;
}();

// The small scales as the blocks hold them, with the type's factors; times d they are exact for finite d.
template <size_t kCount, typename Of>
constexpr std::array<float, kCount> scale_table(Of of) {
  std::array<float, kCount> table{};
  for (size_t s = 0; s < kCount; ++s) table[s] = of(static_cast<float>(s));
  return table;
}
// IQ1's are three bits: the fourth may be anything.
inline constexpr auto kIq1Scales = scale_table<16>([](float s) { return (2 * (s < 8 ? s : s - 8) + 1) * 0.125f; });
inline constexpr auto kIq2Scales = scale_table<16>([](float s) { return (0.5f + s) * 0.25f; });
inline constexpr auto kIq3XxsScales = scale_table<16>([](float s) { return (0.5f + s) * 0.5f; });
inline constexpr auto kIq3SScales = scale_table<16>([](float s) { return 1 + 2 * s; });

}  // namespace ingle
