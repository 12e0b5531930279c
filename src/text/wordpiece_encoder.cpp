#include "text/wordpiece_encoder.h"

#include "text/space_mark.h"
#include "text/token_roles.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace ingle {
namespace {

constexpr size_t kMaxWordCharacters = 100;  // longer words are unknown

bool has_category(char32_t codepoint, uint32_t bits) { return bits >> unicode_category(codepoint) & 1; }

// Removed from the text: control and format characters and those for private use. A tab, a line feed and a carriage
// return count as spaces instead.
bool is_removed(char32_t c) {
  static const uint32_t kOther = unicode_category_bits("C") & ~unicode_category_bits("Cn");
  if (c == '\t' || c == '\n' || c == '\r') return false;
  return c == kReplacementCharacter || has_category(c, kOther);
}

bool is_punctuation(char32_t c) {
  static const uint32_t kPunctuation = unicode_category_bits("P");
  static const uint32_t kSymbol = unicode_category_bits("S");
  return has_category(c, kPunctuation) || (c < 0x80 && has_category(c, kSymbol));
}

// Ideographs, which are words by themselves. The ranges are those that the tokenizers have, not all that Unicode has.
bool is_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

}  // namespace

WordPieceEncoder::WordPieceEncoder(const Vocabulary& vocabulary, std::span<const TokenType> types,
                                   const TokenIndex& index)
    : index_(index),
      is_text_(text_tokens(types)),
      unknown_(vocabulary.unknown),
      lowercase_(vocabulary.lowercase),
      strip_accents_(vocabulary.strip_accents.value_or(vocabulary.lowercase)) {}

void WordPieceEncoder::append_normalised(std::string& out, char32_t codepoint) const {
  static const uint32_t kNonSpacingMark = unicode_category_bits("Mn");
  std::u32string parts(1, codepoint);
  if (strip_accents_) {
    parts.clear();
    append_decomposed(parts, codepoint);
  }
  for (const char32_t part : parts) {
    if (strip_accents_ && has_category(part, kNonSpacingMark)) continue;
    if (lowercase_) {
      append_lowercase(out, part);
    } else {
      append_utf8(out, part);
    }
  }
}

void WordPieceEncoder::encode(std::string_view text, bool /*at_start*/, std::vector<TokenId>& out) const {
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) encode_word(word, out);
    word.clear();
  };
  std::string normalised;
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    text.remove_prefix(c.size_bytes);
    if (is_removed(c.codepoint)) continue;
    const bool alone = is_ideograph(c.codepoint);
    if (alone) end_word();
    normalised.clear();
    append_normalised(normalised, c.codepoint);
    for (std::string_view rest = normalised; !rest.empty();) {
      const Utf8Char part = decode_utf8(rest);
      const bool is_space = is_unicode_space(part.codepoint);
      const bool is_mark = !is_space && is_punctuation(part.codepoint);
      if (is_space || is_mark) end_word();
      if (!is_space) word += rest.substr(0, part.size_bytes);
      if (is_mark) end_word();
      rest.remove_prefix(part.size_bytes);
    }
    if (alone) end_word();
  }
  end_word();
}

void WordPieceEncoder::encode_word(std::string_view word, std::vector<TokenId>& out) const {
  const size_t first_out = out.size();
  size_t characters = 0;
  for (const char c : word) characters += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
  const std::string spelling = std::string(kSpaceMark) + std::string(word);
  bool covered = characters <= kMaxWordCharacters;
  for (size_t at = 0; covered && at < spelling.size();) {
    const std::string_view rest = std::string_view(spelling).substr(at);
    // A U+2581 that the text has itself: tokens that begin with one begin words.
    const bool in_text = at > 0 && rest.starts_with(kSpaceMark);
    size_t size = in_text ? 0 : std::min(rest.size(), index_.longest_bytes());
    TokenId id = kNoToken;
    for (; size > 0; --size) {
      id = index_.find(rest.substr(0, size));
      if (id != kNoToken && is_text_[static_cast<size_t>(id)]) break;
    }
    covered = size > 0;
    if (covered) out.push_back(id);
    at += size;
  }
  if (covered) return;
  out.resize(first_out);
  if (unknown_ != kNoToken) out.push_back(unknown_);
}

}  // namespace ingle
