// Which pages a sliding window needs. Pure functions; a window of 0 is one without an end.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/checked.h"
#include "kv/kv_types.h"

namespace ingle {

constexpr uint32_t pages_for(uint32_t tokens) { return ceil_div(tokens, kPageTokens); }

// The first page with a key that the query at `position` sees: those at positions > position - window.
constexpr uint32_t first_visible_page(uint32_t window, uint32_t position) {
  return window > 0 && position >= window ? (position - window + 1) / kPageTokens : 0;
}

// The first page that a sequence holds on to once `tokens` (at least 1) are computed: enough to go on, and to begin
// again at the last page boundary before the last token. So whenever a sequence ends, what it leaves is a hit for one
// that continues it, and for its own repetition, whose last token is always computed.
constexpr uint32_t first_kept_page(uint32_t window, uint32_t tokens) {
  return first_visible_page(window, (tokens - 1) / kPageTokens * kPageTokens);
}

// The most pages that first_kept_page() leaves, the next token's page among them. For a window, not for 0.
constexpr uint32_t resting_pages(uint32_t window) {
  return static_cast<uint32_t>(ceil_div(uint64_t{window} - 1, uint64_t{kPageTokens})) + 2;
}

// Besides turn ends and where prompts part, the prefix cache keeps a window every so many windows' tokens: an eighth of
// what the windowed layers would take without their window. A hit in between computes at most that many tokens more.
inline constexpr uint32_t kWindowsPerKept = 8;

// In tokens, a multiple of kPageTokens.
constexpr uint32_t kept_every(uint32_t window) {
  constexpr uint64_t kMost = UINT32_MAX / kPageTokens * kPageTokens;
  const uint64_t tokens = ceil_div(uint64_t{window} * kWindowsPerKept, uint64_t{kPageTokens}) * kPageTokens;
  return static_cast<uint32_t>(std::min(tokens, kMost));
}

}  // namespace ingle
