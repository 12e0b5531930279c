// The part of a tokenizer that differs between kinds of vocabularies: text without special tokens to ids.
// Implementations are immutable and keep all working memory on the stack of the call, so any number of threads may
// encode.
#pragma once

#include <string_view>
#include <vector>

#include "text/token.h"

namespace ingle {

class TextEncoder {
 public:
  virtual ~TextEncoder() = default;

  // Appends the tokens of `text`, any bytes, to `out`. Never one that is control: those come from special tokens only.
  // Time is O(n log n) in the text at worst. `at_start`: nothing or a special token stands before the text.
  virtual void encode(std::string_view text, bool at_start, std::vector<TokenId>& out) const = 0;
};

}  // namespace ingle
