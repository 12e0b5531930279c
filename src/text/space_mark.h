// How vocabularies of SentencePiece's kind spell text: U+2581 for a space, <0xNN> for a byte that no other token has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ingle {

inline constexpr std::string_view kSpaceMark = "\u2581";

// Every space as U+2581, and back.
std::string with_space_marks(std::string_view text);
std::string without_space_marks(std::string_view text);

// Finds places in text with U+2581 for spaces where no merge can reach across, to merge short parts, which stay in the
// cache. That is before a U+2581 behind a character that stands before one in no token.
class SpaceMarkCuts {
 public:
  // `is_text`: of each token, whether text may become it.
  SpaceMarkCuts(std::span<const std::string> tokens, const std::vector<bool>& is_text);

  // The end of the part that begins at `begin` (begin < text.size()); at most `longest_bytes` further on.
  size_t next(std::string_view text, size_t begin, size_t longest_bytes) const;

 private:
  std::array<bool, 256> joined_{};  // by last byte of the character before the U+2581
};

// <0xNN>, and back; nothing for other texts.
std::string byte_token_text(uint8_t byte);
std::optional<uint8_t> parse_byte_token(std::string_view text);

}  // namespace ingle
