// The facts about KV memory that scheduler, backend and kernels share.
#pragma once

#include <cstdint>
#include <vector>

namespace ingle {

using PageId = uint32_t;
inline constexpr uint32_t kPageTokens = 32;  // tokens per KV page
inline constexpr PageId kNoPage = UINT32_MAX;

enum class KvType : uint8_t { kF32, kF16, kQ8_0 };

// The layers that see equally far back: they share page tables and a pool. Group 0 is always the layers without a
// window; where there are none, its pages take no bytes.
struct KvGroup {
  uint32_t window = 0;      // tokens, the query's own among them; 0: all
  uint64_t page_bytes = 0;  // of one page over the group's layers
};

// What has to be copied before a step writes anything, in the order of the list: to begin with what another page begins
// with. All of the page, since more of it does no harm: positions are written before they are read.
struct PageCopy {
  uint32_t group = 0;
  PageId from = kNoPage, to = kNoPage;
};

// Which pages of one group hold a sequence's keys and values.
struct PageTable {
  std::vector<PageId> pages;  // pages[j] holds positions [32 j, 32 j + 32)
  uint32_t first = 0;         // the pages before are kNoPage: the window has left them behind
};

}  // namespace ingle
