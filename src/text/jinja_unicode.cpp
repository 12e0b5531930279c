#include "text/jinja_unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

namespace ingle::jinja {

namespace {

struct Range {
  uint32_t first, last;
};
struct FullCase {
  uint32_t from;
  uint32_t to[3];
};

#include "text/jinja_unicode_tables.inc"

template <size_t n>
const Range* find_range(const Range (&table)[n], uint32_t c) {
  auto it =
      std::upper_bound(std::begin(table), std::end(table), c, [](uint32_t x, const Range& r) { return x < r.first; });
  return it != std::begin(table) && c <= std::prev(it)->last ? std::prev(it) : nullptr;
}

template <size_t n>
bool in(const Range (&table)[n], uint32_t c) {
  return find_range(table, c) != nullptr;
}

template <size_t n>
void append_mapped(std::string* out, uint32_t c, const FullCase (&table)[n], uint32_t simple) {
  auto it =
      std::lower_bound(std::begin(table), std::end(table), c, [](const FullCase& f, uint32_t x) { return f.from < x; });
  if (it == std::end(table) || it->from != c) return append_utf8(out, simple);
  for (uint32_t to : it->to) {
    if (to) append_utf8(out, to);
  }
}

int category(uint32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }
uint32_t simple_upper(uint32_t c) { return static_cast<uint32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))); }
uint32_t simple_lower(uint32_t c) { return static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))); }
uint32_t simple_title(uint32_t c) { return static_cast<uint32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))); }

void append_upper(std::string* out, uint32_t c) {
  if (c < 0x80) {
    *out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  } else {
    append_mapped(out, c, kFullUpper, simple_upper(c));
  }
}

void append_title(std::string* out, uint32_t c) {
  if (c < 0x80) return append_upper(out, c);
  append_mapped(out, c, kFullTitle, simple_title(c));
}

constexpr uint32_t kSigma = 0x3A3;

// Greek sigma at the end of a word has a form of its own.
bool is_final_sigma(const std::u32string& text, size_t at) {
  size_t i = at;
  while (i > 0 && in(kCaseIgnorable, text[i - 1])) --i;
  if (i == 0 || !is_cased(text[i - 1])) return false;
  i = at + 1;
  while (i < text.size() && in(kCaseIgnorable, text[i])) ++i;
  return i == text.size() || !is_cased(text[i]);
}

void append_lower(std::string* out, const std::u32string& text, size_t at) {
  const uint32_t c = text[at];
  if (c < 0x80) {
    *out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  } else if (c == 0x130) {  // the one character whose lower case is longer
    append_utf8(out, 'i');
    append_utf8(out, 0x307);
  } else if (c == kSigma) {
    append_utf8(out, is_final_sigma(text, at) ? 0x3C2 : 0x3C3);
  } else {
    append_utf8(out, simple_lower(c));
  }
}

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) >= 0x80; });
}

}  // namespace

uint32_t decode_utf8(std::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
  const auto tail = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const size_t i = *at;
  const uint32_t b = byte(i);
  if (b >= 0xC2 && b < 0xE0 && tail(i + 1)) {
    *at = i + 2;
    return (b & 0x1F) << 6 | (byte(i + 1) & 0x3F);
  }
  if (b >= 0xE0 && b < 0xF0 && tail(i + 1) && tail(i + 2)) {
    *at = i + 3;
    return (b & 0x0F) << 12 | (byte(i + 1) & 0x3Fu) << 6 | (byte(i + 2) & 0x3F);
  }
  if (b >= 0xF0 && b < 0xF5 && tail(i + 1) && tail(i + 2) && tail(i + 3)) {
    *at = i + 4;
    return (b & 0x07) << 18 | (byte(i + 1) & 0x3Fu) << 12 | (byte(i + 2) & 0x3Fu) << 6 | (byte(i + 3) & 0x3F);
  }
  *at = i + 1;
  return b;
}

void append_utf8(std::string* out, uint32_t c) {
  const auto put = [out](uint32_t b) { *out += static_cast<char>(b); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

void append_escape(std::string* out, uint32_t c) {
  static constexpr char kHex[] = "0123456789abcdef";
  *out += c < 0x100 ? "\\x" : c < 0x10000 ? "\\u" : "\\U";
  for (int shift = c < 0x100 ? 4 : c < 0x10000 ? 12 : 28; shift >= 0; shift -= 4) *out += kHex[c >> shift & 15];
}

std::u32string to_code_points(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) out += static_cast<char32_t>(decode_utf8(text, &at));
  return out;
}

std::string to_utf8(std::u32string_view text) {
  std::string out;
  for (char32_t c : text) append_utf8(&out, c);
  return out;
}

bool is_valid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    const uint32_t c = decode_utf8(text, &at);
    if (at == from + 1 && c >= 0x80) return false;
    if (c >= 0xD800 && c < 0xE000) return false;
    if (c > 0x10FFFF || (at == from + 3 && c < 0x800) || (at == from + 4 && c < 0x10000)) return false;
  }
  return true;
}

size_t byte_offset(std::string_view text, size_t index) {
  size_t at = 0;
  for (; index > 0 && at < text.size(); --index) {
    ++at;
    while (at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) ++at;
  }
  return at;
}

bool is_space(uint32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_line_break(uint32_t c) {
  return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool is_printable(uint32_t c) {
  if (c < 0x80) return c >= 0x20 && c < 0x7F;
  const int k = category(c);
  return !(k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CS ||
           k == UTF8PROC_CATEGORY_CO || k == UTF8PROC_CATEGORY_CN || k == UTF8PROC_CATEGORY_ZL ||
           k == UTF8PROC_CATEGORY_ZP || k == UTF8PROC_CATEGORY_ZS);
}

bool is_alpha(uint32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  const int k = category(c);
  return k == UTF8PROC_CATEGORY_LU || k == UTF8PROC_CATEGORY_LL || k == UTF8PROC_CATEGORY_LT ||
         k == UTF8PROC_CATEGORY_LM || k == UTF8PROC_CATEGORY_LO;
}

int decimal_value(uint32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9' ? static_cast<int>(c - '0') : -1;
  const Range* range = find_range(kDecimal, c);
  return range ? static_cast<int>((c - range->first) % 10) : -1;
}

bool is_decimal(uint32_t c) { return decimal_value(c) >= 0; }
bool is_digit(uint32_t c) { return is_decimal(c) || in(kDigitNotDecimal, c); }
bool is_numeric(uint32_t c) { return is_digit(c) || in(kNumericNotDigit, c); }
bool is_alnum(uint32_t c) { return is_alpha(c) || is_numeric(c); }
bool is_lower(uint32_t c) { return c < 0x80 ? c >= 'a' && c <= 'z' : in(kLower, c); }
bool is_upper(uint32_t c) { return c < 0x80 ? c >= 'A' && c <= 'Z' : in(kUpper, c); }
bool is_title(uint32_t c) { return c >= 0x80 && category(c) == UTF8PROC_CATEGORY_LT; }
bool is_cased(uint32_t c) { return is_lower(c) || is_upper(c) || is_title(c); }
bool is_word(uint32_t c) { return c == '_' || is_alnum(c); }

bool is_identifier(std::string_view text) {
  if (text.empty()) return false;
  bool first = true;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = decode_utf8(text, &at);
    const int k = c < 0x80 ? 0 : category(c);
    const bool start = c == '_' || is_alpha(c) || k == UTF8PROC_CATEGORY_NL;
    const bool more = is_decimal(c) || k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC ||
                      k == UTF8PROC_CATEGORY_PC || c == 0xB7;
    if (!start && (first || !more)) return false;
    first = false;
  }
  return true;
}

std::string to_lower(std::string_view text) {
  if (is_ascii(text)) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return out;
  }
  const std::u32string points = to_code_points(text);
  std::string out;
  for (size_t i = 0; i < points.size(); ++i) append_lower(&out, points, i);
  return out;
}

std::string to_upper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) append_upper(&out, decode_utf8(text, &at));
  return out;
}

std::string to_title(std::string_view text) {
  const std::u32string points = to_code_points(text);
  std::string out;
  bool in_word = false;
  for (size_t i = 0; i < points.size(); ++i) {
    if (in_word) {
      append_lower(&out, points, i);
    } else {
      append_title(&out, points[i]);
    }
    in_word = is_cased(points[i]);
  }
  return out;
}

std::string to_capitalized(std::string_view text) {
  const std::u32string points = to_code_points(text);
  std::string out;
  for (size_t i = 0; i < points.size(); ++i) {
    if (i == 0) {
      append_title(&out, points[i]);
    } else {
      append_lower(&out, points, i);
    }
  }
  return out;
}

std::string to_swapped(std::string_view text) {
  const std::u32string points = to_code_points(text);
  std::string out;
  for (size_t i = 0; i < points.size(); ++i) {
    if (is_upper(points[i])) {
      append_lower(&out, points, i);
    } else if (is_lower(points[i])) {
      append_upper(&out, points[i]);
    } else {
      append_utf8(&out, points[i]);
    }
  }
  return out;
}

std::string to_casefolded(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = decode_utf8(text, &at);
    utf8proc_int32_t folded[4];
    int boundary = 0;
    const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), folded, 4, UTF8PROC_CASEFOLD, &boundary);
    if (n < 1 || n > 4) {
      append_utf8(&out, c);
      continue;
    }
    for (utf8proc_ssize_t i = 0; i < n; ++i) append_utf8(&out, static_cast<uint32_t>(folded[i]));
  }
  return out;
}

std::string_view strip_space(std::string_view text, bool left, bool right) {
  if (left) {
    for (size_t at = 0; at < text.size();) {
      size_t next = at;
      if (!is_space(decode_utf8(text, &next))) {
        text.remove_prefix(at);
        break;
      }
      at = next;
      if (at == text.size()) return {};
    }
  }
  while (right && !text.empty()) {
    size_t at = text.size() - 1;
    while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
    size_t next = at;
    if (!is_space(decode_utf8(text, &next))) break;
    text.remove_suffix(text.size() - at);
  }
  return text;
}

Searcher::Searcher(std::string_view needle, bool from_right) : needle_(needle), from_right_(from_right) {
  // The library's search takes length times length at worst, which is fine while the needle is short.
  if (needle.size() <= 16) return;
  const size_t n = needle.size();
  const auto at = [&](size_t i) { return from_right ? needle[n - 1 - i] : needle[i]; };
  table_.assign(n, 0);
  for (size_t i = 1, k = 0; i < n; ++i) {
    while (k > 0 && at(i) != at(k)) k = table_[k - 1];
    if (at(i) == at(k)) ++k;
    table_[i] = static_cast<uint32_t>(k);
  }
}

size_t Searcher::find(std::string_view text, size_t from) const {
  if (table_.empty()) return from_right_ ? text.rfind(needle_) : text.find(needle_, from);
  const size_t n = needle_.size();
  size_t k = 0;
  if (from_right_) {
    for (size_t i = text.size(); i-- > 0;) {
      while (k > 0 && text[i] != needle_[n - 1 - k]) k = table_[k - 1];
      if (text[i] == needle_[n - 1 - k]) ++k;
      if (k == n) return i;
    }
    return std::string_view::npos;
  }
  for (size_t i = from; i < text.size(); ++i) {
    while (k > 0 && text[i] != needle_[k]) k = table_[k - 1];
    if (text[i] == needle_[k]) ++k;
    if (k == n) return i + 1 - k;
  }
  return std::string_view::npos;
}

size_t find_text(std::string_view text, std::string_view needle) { return Searcher(needle).find(text, 0); }
size_t rfind_text(std::string_view text, std::string_view needle) { return Searcher(needle, true).find(text, 0); }

}  // namespace ingle::jinja
