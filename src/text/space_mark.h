// How vocabularies of SentencePiece's kind spell text: U+2581 for a space, <0xNN> for a byte that no other token has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ingle {

inline constexpr std::string_view kSpaceMark = "\u2581";

// Every space as U+2581, and back.
std::string with_space_marks(std::string_view text);
std::string without_space_marks(std::string_view text);

// <0xNN>, and back; nothing for other texts.
std::string byte_token_text(uint8_t byte);
std::optional<uint8_t> parse_byte_token(std::string_view text);

}  // namespace ingle
