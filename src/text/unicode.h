// Facts about single characters that tokenizers need, from utf8proc's tables. Stateless.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ingle {

// General category as utf8proc numbers it (UTF8PROC_CATEGORY_*): 0 .. kUnicodeCategories - 1.
inline constexpr int kUnicodeCategories = 30;
int unicode_category(char32_t codepoint);

// The categories whose two-letter names begin with `major` ('L', 'N', 'P', 'S', 'M', 'Z', 'C'), or the one that `name`
// spells ("Lu", "Nd", ...), as a set of bits 1 << category. 0: no such category.
uint32_t unicode_category_bits(std::string_view name);

// Has the property White_Space.
bool is_unicode_space(char32_t codepoint);

// Is a word character (\w) to Oniguruma, the engine of Hugging Face's `tokenizers`: alphabetic, mark, decimal digit or
// connector, and the superscript digits and fractions of Latin-1.
bool is_unicode_word(char32_t codepoint);

// Appends the lower case of one character taken alone (so no final sigma).
void append_lowercase(std::string& out, char32_t codepoint);

// Appends the canonical decomposition of one character. Marks are not put into canonical order across characters: that
// takes quadratic time on hostile text, and the callers drop the marks.
void append_decomposed(std::u32string& out, char32_t codepoint);

}  // namespace ingle
