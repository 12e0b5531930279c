#include "text/jinja_wrap.h"

#include <algorithm>

#include "text/jinja_unicode.h"

namespace ingle::jinja {

namespace {

bool is_blank(char32_t c) { return (c >= 9 && c <= 13) || c == ' '; }
bool is_letter(char32_t c) { return is_word(c) && !is_decimal(c); }
bool is_word_punctuation(char32_t c) {
  return is_word(c) || (c < 0x80 && std::string_view("!\"'&.,?").find(static_cast<char>(c)) != std::string_view::npos);
}

// Cuts text where a line may be broken: at whitespace, after hyphens inside words, around dashes.
class Chunker {
 public:
  Chunker(const std::u32string& text, bool hyphens) : text_(text), hyphens_(hyphens) {}

  std::vector<std::u32string> run() const {
    std::vector<std::u32string> chunks;
    for (size_t at = 0; at < text_.size();) {
      const size_t end = chunk_end(at);
      chunks.push_back(text_.substr(at, end - at));
      at = end;
    }
    return chunks;
  }

 private:
  char32_t at(size_t i) const { return i < text_.size() ? text_[i] : 0; }
  bool letter(size_t i) const { return i < text_.size() && is_letter(text_[i]); }

  // Where the dashes at `i` end when they are a dash before a word; `i` otherwise.
  size_t dash_end(size_t i) const {
    size_t end = i;
    while (at(end) == '-') ++end;
    return end >= i + 2 && end < text_.size() && is_word(text_[end]) ? end : i;
  }

  bool may_break_after_hyphen(size_t i) const {
    const bool two_letters = i >= 2 && letter(i - 1) && letter(i - 2);
    const bool letter_hyphen_word = i >= 3 && letter(i - 3) && text_[i - 2] == '-' && is_word_punctuation(text_[i - 1]);
    if (!two_letters && !letter_hyphen_word) return false;
    return letter(i + 1) && (letter(i + 2) || (at(i + 2) == '-' && letter(i + 3)));
  }

  size_t chunk_end(size_t from) const {
    size_t i = from;
    if (is_blank(text_[i])) {
      while (i < text_.size() && is_blank(text_[i])) ++i;
      return i;
    }
    if (!hyphens_) {
      while (i < text_.size() && !is_blank(text_[i])) ++i;
      return i;
    }
    const auto after_word = [&](size_t k) { return k > 0 && is_word_punctuation(text_[k - 1]); };
    if (after_word(i) && dash_end(i) > i) return dash_end(i);
    for (++i; i < text_.size() && !is_blank(text_[i]); ++i) {
      if (text_[i] != '-') continue;
      if (may_break_after_hyphen(i)) return i + 1;
      if (after_word(i) && dash_end(i) > i) return i;
    }
    return i;
  }

  const std::u32string& text_;
  bool hyphens_;
};

bool all_blank(const std::u32string& s) {
  return std::all_of(s.begin(), s.end(), [](char32_t c) { return is_space(c); });
}

// How much of a chunk that is longer than the line goes into the `room` that is left.
size_t long_word_cut(const std::u32string& chunk, size_t room, bool on_hyphens) {
  if (!on_hyphens || chunk.size() <= room || room == 0) return room;
  const size_t hyphen = chunk.rfind(U'-', room - 1);
  if (hyphen == std::u32string::npos || hyphen == 0) return room;
  const bool only_hyphens =
      std::all_of(chunk.begin(), chunk.begin() + static_cast<ptrdiff_t>(hyphen), [](char32_t c) { return c == '-'; });
  return only_hyphens ? room : hyphen + 1;
}

}  // namespace

std::vector<std::string> wrap_line(Runtime& rt, std::string_view line, const WrapStyle& style) {
  if (style.width <= 0) fail("invalid width " + std::to_string(style.width) + " (must be > 0)");
  rt.budget.work(24 * line.size());
  rt.budget.expect(48 * line.size());
  const auto width = static_cast<size_t>(style.width);
  const std::u32string text = to_code_points(line);
  std::vector<std::u32string> chunks = Chunker(text, style.break_on_hyphens).run();
  std::reverse(chunks.begin(), chunks.end());
  std::vector<std::string> lines;
  while (!chunks.empty()) {
    std::vector<std::u32string> current;
    size_t length = 0;
    if (!lines.empty() && all_blank(chunks.back())) chunks.pop_back();
    while (!chunks.empty() && length + chunks.back().size() <= width) {
      length += chunks.back().size();
      current.push_back(std::move(chunks.back()));
      chunks.pop_back();
    }
    if (!chunks.empty() && chunks.back().size() > width) {
      rt.budget.work(chunks.back().size());
      if (style.break_long_words) {
        const size_t cut =
            std::min(long_word_cut(chunks.back(), width - length, style.break_on_hyphens), chunks.back().size());
        current.push_back(chunks.back().substr(0, cut));
        chunks.back().erase(0, cut);
      } else if (current.empty()) {
        current.push_back(std::move(chunks.back()));
        chunks.pop_back();
      }
    }
    if (!current.empty() && all_blank(current.back())) current.pop_back();
    if (current.empty()) continue;
    std::u32string joined;
    for (const std::u32string& c : current) joined += c;
    lines.push_back(to_utf8(joined));
  }
  return lines;
}

}  // namespace ingle::jinja
