#include "text/unicode.h"

#include <utf8proc.h>

#include <array>
#include <string_view>

#include "text/utf8.h"

namespace ingle {
namespace {

// In the order of utf8proc_category_t.
constexpr std::array<std::string_view, kUnicodeCategories> kCategoryNames = {
    "Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps",
    "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co"};
static_assert(UTF8PROC_CATEGORY_LU == 1 && UTF8PROC_CATEGORY_ND == 9 && UTF8PROC_CATEGORY_CO == kUnicodeCategories - 1);

}  // namespace

int unicode_category(char32_t codepoint) { return utf8proc_category(static_cast<utf8proc_int32_t>(codepoint)); }

uint32_t unicode_category_bits(std::string_view name) {
  uint32_t bits = 0;
  for (size_t i = 0; i < kCategoryNames.size(); ++i) {
    if (kCategoryNames[i].substr(0, name.size()) == name) bits |= 1u << i;
  }
  return bits;
}

bool is_unicode_space(char32_t codepoint) {
  if (codepoint < 0x80) return codepoint == ' ' || (codepoint >= 0x09 && codepoint <= 0x0D);
  if (codepoint == 0x85) return true;
  const int category = unicode_category(codepoint);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

bool is_unicode_word(char32_t c) {
  static const uint32_t kWord = unicode_category_bits("L") | unicode_category_bits("M") | unicode_category_bits("Nd") |
                                unicode_category_bits("Nl") | unicode_category_bits("Pc");
  if (kWord >> unicode_category(c) & 1) return true;
  // Letters in circles and squares: symbols with the property Other_Alphabetic.
  if ((c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
      (c >= 0x1F170 && c <= 0x1F189)) {
    return true;
  }
  return c == 0xB2 || c == 0xB3 || c == 0xB9 || (c >= 0xBC && c <= 0xBE);
}

void append_lowercase(std::string& out, char32_t codepoint) {
  // The only character whose lower case is two (SpecialCasing.txt); utf8proc maps to one.
  if (codepoint == 0x130) {
    out += "i\u0307";
    return;
  }
  append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(codepoint))));
}

void append_decomposed(std::u32string& out, char32_t codepoint) {
  constexpr int kLongest = 16;  // canonical decompositions have at most 4 characters
  std::array<utf8proc_int32_t, kLongest> parts;
  int boundary = 0;
  const utf8proc_ssize_t n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(codepoint), parts.data(), kLongest,
                                                     UTF8PROC_DECOMPOSE, &boundary);
  if (n <= 0 || n > kLongest) {
    out.push_back(codepoint);
    return;
  }
  for (utf8proc_ssize_t i = 0; i < n; ++i) out.push_back(static_cast<char32_t>(parts[static_cast<size_t>(i)]));
}

}  // namespace ingle
