// How the final hidden states of a text's tokens become one vector. Plain data.
#pragma once

#include <cstdint>

namespace ingle {

enum class Pooling : uint8_t {
  kMean,   // the mean over the tokens
  kFirst,  // the first token's: [CLS] of BERT's kin, whose attention sees all tokens from there
  kLast,   // the last token's
};

}  // namespace ingle
