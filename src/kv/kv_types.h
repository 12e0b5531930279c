// The facts about KV memory that scheduler, backend and kernels share.
#pragma once

#include <cstdint>

namespace ingle {

using PageId = uint32_t;
inline constexpr uint32_t kPageTokens = 32;  // tokens per KV page

enum class KvType : uint8_t { kF32, kF16, kQ8_0 };

}  // namespace ingle
