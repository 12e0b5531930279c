#include "text/pcre2_oracle.h"

#include <gtest/gtest.h>

namespace ingle {

Pcre2Oracle::Pcre2Oracle(const std::string& pattern) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP, &error,
                            &offset, nullptr));
  EXPECT_NE(code_, nullptr) << pattern << ", error " << error << " at " << offset;
  data_.reset(pcre2_match_data_create(1, nullptr));
}

size_t Pcre2Oracle::match(std::string_view text, size_t begin) const {
  const int n = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), begin, PCRE2_ANCHORED,
                            data_.get(), nullptr);
  if (n < 0) return 0;
  return pcre2_get_ovector_pointer(data_.get())[1] - begin;
}

std::vector<std::string> Pcre2Oracle::split_all(const std::vector<std::string>& pieces) const {
  std::vector<std::string> out;
  for (const std::string& piece : pieces) {
    size_t unmatched = 0;
    for (size_t at = 0; at < piece.size();) {
      const size_t size = (piece[at] & 0xC0) == 0x80 ? 0 : match(piece, at);  // not inside a character
      if (size == 0) {
        ++at;
        continue;
      }
      if (at > unmatched) out.push_back(piece.substr(unmatched, at - unmatched));
      out.push_back(piece.substr(at, size));
      unmatched = at += size;
    }
    if (unmatched < piece.size()) out.push_back(piece.substr(unmatched));
  }
  return out;
}

}  // namespace ingle
