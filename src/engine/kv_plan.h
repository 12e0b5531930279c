// How many tokens of context an engine serves and how many KV pages each layer group gets, from what memory allows.
// Pure function. The backend commits a page's memory when it is first written and the lowest free page is handed out
// first, so pages that are planned but never needed cost nothing.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/result.h"
#include "kv/kv_types.h"

namespace ingle {

// Rotary angles are exact for positions below it.
inline constexpr uint32_t kMaxContext = 1u << 24;

struct KvPlanRequest {
  std::vector<KvGroup> groups;                                 // the model's; the first has no window
  uint32_t prefill_chunk = 512;                                // tokens
  uint32_t trained_context = 0;                                // tokens; 0: unknown
  uint32_t wanted_context = 0;                                 // tokens; 0: not said
  uint32_t max_sequences = 1;                                  // running at once
  uint64_t wanted_kv_bytes = 0;                                // size of all pools; 0: not said
  uint64_t free_bytes = std::numeric_limits<uint64_t>::max();  // of memory, once the weights are loaded
};

struct KvPlan {
  uint32_t context = 0;
  std::vector<uint32_t> pages;  // of each group's pool
  uint64_t bytes = 0;           // of all pools
  std::string note;             // why the context is not the trained one; empty if it is
};

// A context that was asked for is given or refused (kResourceExhausted, with the longest one possible; kInvalidArgument
// above kMaxContext). Otherwise it is the trained one, cut to a multiple of 256 that leaves half of the free memory.
// Group 0's pool holds one full context, or kPooledTokens for every sequence if that is more and fits as well. A
// windowed group's holds the windows of as many sequences of kPooledTokens as group 0's does, or one window for every
// kWindowsPerKept of them that group 0's would fill, if that is more: for the prefix cache; and a step's slice of
// prompt.
Result<KvPlan> plan_kv(const KvPlanRequest& request);

inline constexpr uint32_t kPooledTokens = 2048;

}  // namespace ingle
