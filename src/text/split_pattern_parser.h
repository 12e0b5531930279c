// Turns the text of a SplitPattern into a program for a machine that tries alternatives in order (Pike's): the step
// between the pattern's text and its table of states. Used by split_pattern.cpp only.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "text/unicode.h"

namespace ingle {

// A set of characters: some general categories, some ranges, or everything but those.
struct CharacterSet {
  // U+0085 is the one control character that is a space beyond ASCII, so it counts as a category of its own.
  static constexpr int kNextLineCategory = kUnicodeCategories;
  static constexpr int kCategories = kUnicodeCategories + 1;

  uint32_t categories = 0;                            // bit per category
  std::vector<std::pair<char32_t, char32_t>> ranges;  // inclusive
  bool negated = false;

  bool contains(char32_t codepoint, int category) const;
  bool operator==(const CharacterSet&) const = default;
};

// general category, or kNextLineCategory
int split_category(char32_t codepoint);

struct SplitInstruction {
  enum class Op : uint8_t {
    kTake,     // one character of set `set`, then the next instruction
    kNotNext,  // go on if the next character is not in set `set` (or the text ends)
    kFork,     // try `first`, then `second`
    kMatch,
  };
  Op op = Op::kMatch;
  uint32_t set = 0;
  uint32_t first = 0, second = 0;
};

struct SplitProgram {
  std::vector<CharacterSet> sets;              // distinct
  std::vector<SplitInstruction> instructions;  // begins at 0
};

SplitProgram parse_split_pattern(std::string_view pattern);

}  // namespace ingle
