#include "text/space_mark.h"

#include <algorithm>
#include <charconv>

#include "text/utf8.h"

namespace ingle {

std::string with_space_marks(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == ' ') {
      out += kSpaceMark;
    } else {
      out += c;
    }
  }
  return out;
}

std::string without_space_marks(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t mark = text.find(kSpaceMark);
    out += text.substr(0, mark);
    if (mark == std::string_view::npos) break;
    out += ' ';
    text.remove_prefix(mark + kSpaceMark.size());
  }
  return out;
}

SpaceMarkCuts::SpaceMarkCuts(std::span<const std::string> tokens, const std::vector<bool>& is_text) {
  joined_[static_cast<uint8_t>(kSpaceMark.back())] = true;  // runs of marks stay together
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!is_text[i]) continue;
    const std::string& token = tokens[i];
    for (size_t at = token.find(kSpaceMark, 1); at != std::string::npos; at = token.find(kSpaceMark, at + 1)) {
      joined_[static_cast<uint8_t>(token[at - 1])] = true;
    }
  }
}

size_t SpaceMarkCuts::next(std::string_view text, size_t begin, size_t longest_bytes) const {
  const size_t limit = utf8_boundary(text, begin + longest_bytes);
  for (size_t at = text.find(kSpaceMark, begin + 1); at < limit; at = text.find(kSpaceMark, at + 1)) {
    if (!joined_[static_cast<uint8_t>(text[at - 1])]) return at;
  }
  return limit;
}

std::string byte_token_text(uint8_t byte) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  return std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">";
}

std::optional<uint8_t> parse_byte_token(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>') return std::nullopt;
  uint8_t byte = 0;
  const auto [end, error] = std::from_chars(text.data() + 3, text.data() + 5, byte, 16);
  if (error != std::errc() || end != text.data() + 5) return std::nullopt;
  return byte;
}

}  // namespace ingle
