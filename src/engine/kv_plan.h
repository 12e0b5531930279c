// How many tokens of context an engine serves and how many KV pages it gets, from what memory allows. Pure function.
// The backend commits a page's memory when it is first written and the lowest free page is handed out first, so pages
// that are planned but never needed cost nothing.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "base/result.h"

namespace ingle {

// Rotary angles are exact for positions below it.
inline constexpr uint32_t kMaxContext = 1u << 24;

struct KvPlanRequest {
  uint64_t page_bytes = 0;                                     // of one KV page over all layers
  uint32_t trained_context = 0;                                // tokens; 0: unknown
  uint32_t wanted_context = 0;                                 // tokens; 0: not said
  uint32_t max_sequences = 1;                                  // running at once
  uint64_t wanted_kv_bytes = 0;                                // size of the pool; 0: not said
  uint64_t free_bytes = std::numeric_limits<uint64_t>::max();  // of memory, once the weights are loaded
};

struct KvPlan {
  uint32_t context = 0;
  uint32_t pages = 0;
  std::string note;  // why the context is not the trained one; empty if it is
};

// A context that was asked for is given or refused (kResourceExhausted, with the longest one possible; kInvalidArgument
// above kMaxContext). Otherwise it is the trained one, cut to a multiple of 256 that leaves half of the free memory.
// The pool holds one full context, or kPooledTokens for every sequence if that is more and fits as well.
Result<KvPlan> plan_kv(const KvPlanRequest& request);

inline constexpr uint32_t kPooledTokens = 2048;

}  // namespace ingle
