// The integer that names one entry of a model's vocabulary. Valid ids are 0 .. vocab_size - 1.
#pragma once

#include <cstdint>

namespace ingle {

using TokenId = int32_t;

inline constexpr TokenId kNoToken = -1;

}  // namespace ingle
