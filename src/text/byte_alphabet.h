// The printable alphabet in which byte-level vocabularies spell bytes (GPT-2): bytes that are printable in Latin-1
// stand for themselves, the others take the characters from U+0100 on. Immutable.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace ingle {

// The character (in UTF-8) that spells each byte.
const std::array<std::string, 256>& byte_alphabet();

// The bytes that a token spells; nothing when it has a character outside the alphabet.
std::optional<std::string> spelled_bytes(std::string_view token);

}  // namespace ingle
