// A regular expression of the dialect in which tokenizers publish how they cut text into words, compiled to a table of
// states so that matching takes one step per character whatever the text is: backtracking engines need quadratic time
// or deep stacks on a megabyte of spaces. Immutable after construction; any number of threads may match.
//
// Dialect: literals, [classes] with ranges and \s \d \p{..}, \r \n \t, escaped punctuation, \s \S \d \p{..},
// (?:groups), groups (...), (?i:groups), alternatives, ? * + {n} {n,m} (greedy), (?!x) where x is one character or
// class. \p{..} takes the names of general categories. Preference among matches is that of Perl: earlier alternatives,
// then longer repeats.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ingle {

class SplitPattern {
 public:
  // The patterns are part of the program: one that does not parse is a programmer's mistake (CHECK).
  explicit SplitPattern(std::string_view pattern);

  // Bytes of the match that begins at text[begin] (begin < text.size(), at a character); 0 where there is none.
  // `text` is valid UTF-8; lookahead sees its end, not what may follow in memory.
  size_t match(std::string_view text, size_t begin) const;

  size_t states() const { return transitions_.size() / stride_; }

 private:
  uint32_t character_class(char32_t codepoint) const;

  // Characters that no set of the pattern tells apart share a class. ASCII by table; the rest by segment (between
  // neighbouring ends of the pattern's explicit ranges) and general category.
  std::array<uint8_t, 128> ascii_classes_{};
  std::vector<char32_t> segment_starts_;
  std::vector<uint8_t> segment_classes_;  // [segments, kSegmentStride]

  // [states, classes + 1], the last column for the end of the text. Value: next state << 1 | a match ends before this
  // character. State 0 is dead.
  std::vector<uint16_t> transitions_;
  uint32_t stride_ = 1;
  uint32_t start_state_ = 0;
};

}  // namespace ingle
