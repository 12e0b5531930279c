// The codebooks' entries with their elements in bytes, for whoever loads them one by one. Pure constants.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ingle {

// A grid's entries as words: four elements of IQ3, eight of others, the first lowest. `less` is taken from the levels.
template <class Word, size_t kEntries, size_t kCount>
consteval std::array<Word, kEntries> entry_words(const std::array<uint16_t, kEntries>& grid,
                                                 const std::array<int8_t, kCount>& levels, int less) {
  constexpr size_t kWidth = 16 / sizeof(Word);
  std::array<Word, kEntries> out{};
  for (size_t i = 0; i < kEntries; i++) {
    for (size_t e = 0; e < sizeof(Word); e++) {
      const size_t element = grid[i] >> (kWidth * e) & ((1u << kWidth) - 1);
      out[i] |= Word{static_cast<uint8_t>(levels[element] - less)} << (8 * e);
    }
  }
  return out;
}
template <const auto& kGrid, const auto& kLevels, int kLess = 0>
inline constexpr auto kEights = entry_words<uint64_t>(kGrid, kLevels, kLess);
template <const auto& kGrid, const auto& kLevels>
inline constexpr auto kFours = entry_words<uint32_t>(kGrid, kLevels, 0);

}  // namespace ingle
