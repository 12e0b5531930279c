#include "text/jinja_text.h"

#include <algorithm>

#include "text/jinja_unicode.h"

namespace ingle::jinja {

std::string padding(Runtime& rt, std::string_view fill, int64_t n) {
  size_t bytes = 0;
  if (n <= 0) return {};
  if (__builtin_mul_overflow(fill.size(), static_cast<uint64_t>(n), &bytes))
    fail_limit("the template needs more memory than it may use");
  rt.budget.expect(bytes);
  rt.budget.work(bytes);
  std::string out;
  out.reserve(bytes);
  for (int64_t i = 0; i < n; ++i) out += fill;
  return out;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t from = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = at;
    const uint32_t c = decode_utf8(text, &at);
    if (!is_line_break(c)) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(from, (keep_ends ? at : end) - from));
    from = at;
  }
  if (from < text.size()) lines.push_back(text.substr(from));
  return lines;
}

std::string_view strip_chars(Runtime& rt, std::string_view text, std::string_view chars, bool left, bool right) {
  rt.budget.expect(sizeof(char32_t) * chars.size());
  rt.budget.work(8 * chars.size());
  std::u32string set = to_code_points(chars);
  std::sort(set.begin(), set.end());
  const auto has = [&](uint32_t c) { return std::binary_search(set.begin(), set.end(), static_cast<char32_t>(c)); };
  while (left && !text.empty()) {
    size_t next = 0;
    if (!has(decode_utf8(text, &next))) break;
    text.remove_prefix(next);
  }
  while (right && !text.empty()) {
    size_t at = text.size() - 1;
    while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
    size_t next = at;
    if (!has(decode_utf8(text, &next))) break;
    text.remove_suffix(text.size() - at);
  }
  return text;
}

std::string replace_text(Runtime& rt, std::string_view text, std::string_view from, std::string_view to,
                         int64_t count) {
  std::string out;
  const auto put = [&](std::string_view piece) {
    rt.budget.expect(out.size() + piece.size());
    rt.budget.work(piece.size());
    out += piece;
  };
  if (from.empty()) {  // between all characters, and at both ends
    size_t at = 0;
    while (count != 0) {
      put(to);
      --count;
      if (at >= text.size()) break;
      const size_t begin = at;
      decode_utf8(text, &at);
      put(text.substr(begin, at - begin));
    }
    put(text.substr(std::min(at, text.size())));
    return out;
  }
  rt.budget.work(text.size() + from.size());
  const Searcher search(from);
  size_t begin = 0;
  for (size_t at = 0; count != 0 && (at = search.find(text, begin)) != std::string_view::npos; --count) {
    put(text.substr(begin, at - begin));
    put(to);
    begin = at + from.size();
  }
  put(text.substr(begin));
  return out;
}

std::string center_text(Runtime& rt, const StringObj& s, int64_t width, std::string_view fill) {
  const int64_t margin = width - static_cast<int64_t>(s.length);
  if (margin <= 0) return s.text;
  const int64_t left = margin / 2 + (margin & width & 1);  // where CPython puts the odd one
  return padding(rt, fill, left) + s.text + padding(rt, fill, margin - left);
}

}  // namespace ingle::jinja
