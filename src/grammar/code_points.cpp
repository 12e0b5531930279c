#include "grammar/code_points.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "text/utf8.h"

namespace ingle {
namespace {

constexpr uint32_t kFirstSurrogate = 0xd800, kLastSurrogate = 0xdfff, kLast = 0x10ffff;

void append(std::string& out, uint32_t code) {
  if (code < 0x20 || code == 0x7f) {
    out += fmt::format("\\u{:04x}", code);
  } else if (code < 0x7f) {
    if (std::string_view("[]^-\\").find(static_cast<char>(code)) != std::string_view::npos) out += '\\';
    out += static_cast<char>(code);
  } else {
    out += fmt::format("\\U{:08x}", code);
  }
}

}  // namespace

CodePoints::CodePoints(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  const auto put = [this](uint32_t first, uint32_t last) {
    if (first > last) return;
    if (!ranges_.empty() && first <= ranges_.back().last + 1) {
      ranges_.back().last = std::max(ranges_.back().last, last);
    } else {
      ranges_.push_back({first, last});
    }
  };
  for (const Range& range : ranges) {
    put(range.first, std::min(range.last, kFirstSurrogate - 1));
    put(std::max(range.first, kLastSurrogate + 1), std::min(range.last, kLast));
  }
}

void CodePoints::add(const CodePoints& others) {
  std::vector<Range> all = std::move(ranges_);
  ranges_.clear();
  all.insert(all.end(), others.ranges_.begin(), others.ranges_.end());
  *this = CodePoints(std::move(all));
}

CodePoints CodePoints::complement() const {
  std::vector<Range> out;
  uint32_t next = 0;
  for (const Range& range : ranges_) {
    if (range.first > next) out.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) out.push_back({next, kLast});
  return CodePoints(std::move(out));
}

CodePoints CodePoints::intersection(const CodePoints& others) const {
  std::vector<Range> out;
  for (size_t i = 0, k = 0; i < ranges_.size() && k < others.ranges_.size();) {
    const Range &a = ranges_[i], &b = others.ranges_[k];
    if (std::max(a.first, b.first) <= std::min(a.last, b.last)) {
      out.push_back({std::max(a.first, b.first), std::min(a.last, b.last)});
    }
    a.last < b.last ? i++ : k++;
  }
  return CodePoints(std::move(out));
}

std::string CodePoints::character_class() const {
  CHECK(!empty());
  std::string out = "[";
  for (const Range& range : ranges_) {
    append(out, range.first);
    if (range.last == range.first) continue;
    if (range.last > range.first + 1) out += '-';
    append(out, range.last);
  }
  return out + "]";
}

}  // namespace ingle
