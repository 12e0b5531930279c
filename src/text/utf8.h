// UTF-8, read and written one character at a time. Stateless; used by the tokenizers, the detokenizer and the
// templates. Well-formed means Table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above
// U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ingle {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

enum class Utf8Kind : uint8_t {
  kValid,
  kInvalid,     // no continuation could make these bytes a character
  kIncomplete,  // the text ends inside what may be a character
};

struct Utf8Char {
  char32_t codepoint = kReplacementCharacter;  // U+FFFD unless valid
  // Bytes of the character; when not valid, bytes of the longest prefix that a well-formed character could have (at
  // least 1), which is what one U+FFFD stands for in the practice recommended by the Unicode standard (section 3.9).
  uint32_t size_bytes = 1;
  Utf8Kind kind = Utf8Kind::kInvalid;
};

// The character at the start of `text`, which must not be empty.
Utf8Char decode_utf8(std::string_view text);

bool is_valid_utf8(std::string_view text);

// Where `text` may be cut: the last place up to `at` that isn't amid a character; its end, if that comes first.
size_t utf8_boundary(std::string_view text, size_t at);

// Appends the encoding of `codepoint`, or U+FFFD where it is not a Unicode scalar value.
void append_utf8(std::string& out, char32_t codepoint);

// A U+FFFD in place of every byte that is not part of a well-formed character: how text enters the tokenizers.
std::string replace_each_invalid_byte(std::string_view text);

}  // namespace ingle
