// Sets of Unicode code points, for the classes of regular expressions. Surrogates are never in one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ingle {

class CodePoints {
 public:
  struct Range {
    uint32_t first, last;
  };

  CodePoints() = default;
  explicit CodePoints(std::vector<Range> ranges);  // in any order, overlapping or not

  void add(const CodePoints& others);
  CodePoints complement() const;
  CodePoints intersection(const CodePoints& others) const;
  CodePoints without(const CodePoints& others) const { return intersection(others.complement()); }

  bool empty() const { return ranges_.empty(); }
  const std::vector<Range>& ranges() const { return ranges_; }  // rising, apart
  // As a character class of EBNF. Not for the empty set.
  std::string character_class() const;

 private:
  std::vector<Range> ranges_;
};

}  // namespace ingle
