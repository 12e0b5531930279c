// Characters as Python's str sees them: UTF-8 to code points, the classes behind isalpha() and its kin, case mappings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ingle::jinja {

// The code point at byte `*at`, which moves past it. A byte that begins no character counts as one of its own value.
uint32_t decode_utf8(std::string_view text, size_t* at);
void append_utf8(std::string* out, uint32_t code_point);
// \x.., \u.... or \U........
void append_escape(std::string* out, uint32_t code_point);
std::u32string to_code_points(std::string_view text);
std::string to_utf8(std::u32string_view text);
// Valid UTF-8 without surrogates.
bool is_valid_utf8(std::string_view text);

// The byte offset of code point `index`, which is at most the text's length in code points.
size_t byte_offset(std::string_view text, size_t index);

bool is_space(uint32_t c);
bool is_line_break(uint32_t c);
bool is_printable(uint32_t c);
bool is_alpha(uint32_t c);
bool is_decimal(uint32_t c);
int decimal_value(uint32_t c);  // 0 to 9; -1 when it is no decimal digit
bool is_digit(uint32_t c);
bool is_numeric(uint32_t c);
bool is_alnum(uint32_t c);
bool is_lower(uint32_t c);
bool is_upper(uint32_t c);
bool is_title(uint32_t c);
bool is_cased(uint32_t c);
bool is_word(uint32_t c);  // \w of a regular expression
bool is_identifier(std::string_view text);

std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
std::string to_title(std::string_view text);        // str.title()
std::string to_capitalized(std::string_view text);  // str.capitalize()
std::string to_swapped(std::string_view text);
std::string to_casefolded(std::string_view text);

std::string_view strip_space(std::string_view text, bool left = true, bool right = true);

// Looks for one text in others, in time linear in their length whatever they are.
class Searcher {
 public:
  explicit Searcher(std::string_view needle, bool from_right = false);
  // The byte offset of the first occurrence at or after `from`, or of the last one when searching from the right;
  // npos when there is none. The needle may be empty.
  size_t find(std::string_view text, size_t from) const;

 private:
  std::string_view needle_;
  bool from_right_;
  std::vector<uint32_t> table_;  // of Knuth, Morris and Pratt; empty for short needles
};

size_t find_text(std::string_view text, std::string_view needle);
size_t rfind_text(std::string_view text, std::string_view needle);

}  // namespace ingle::jinja
