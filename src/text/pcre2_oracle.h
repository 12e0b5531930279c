// For tests only: PCRE2 as another engine for the patterns of the pre-tokenizers.
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ingle {

class Pcre2Oracle {
 public:
  explicit Pcre2Oracle(const std::string& pattern);

  // Bytes of the match at `begin`; 0 for none and for an empty one.
  size_t match(std::string_view text, size_t begin) const;

  // Each piece cut into matches and what lies between them.
  std::vector<std::string> split_all(const std::vector<std::string>& pieces) const;

 private:
  struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  std::unique_ptr<pcre2_code, Free> code_;
  std::unique_ptr<pcre2_match_data, Free> data_;
};

}  // namespace ingle
