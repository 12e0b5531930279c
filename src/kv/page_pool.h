// The ids of the KV pool's pages and how many hold each of them; the memory itself is the backend's.
// Owned by the scheduler, loop thread only. A page is free (no reference) or held (one or more); a page held more than
// once is never written. What is free is handed out lowest id first, so that the pool's touched memory stays compact.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kv/kv_types.h"

namespace ingle {

class PagePool {
 public:
  explicit PagePool(uint32_t pages);

  uint32_t size() const { return static_cast<uint32_t>(pages_.size()); }
  uint32_t free() const { return static_cast<uint32_t>(free_.size()); }
  // Held by the prefix cache alone: free as soon as the cache lets go.
  uint32_t idle() const { return idle_; }
  uint32_t references(PageId page) const { return pages_[page].references; }

  // The lowest free page, with one reference; none if all are held.
  std::optional<PageId> acquire();
  // One more reference to a held page.
  void share(PageId page);
  // One reference less; without any the page is free.
  void release(PageId page);

  // Marks the page as one whose first reference is the prefix cache's. For PrefixCache alone.
  void set_cached(PageId page, bool cached);
  bool cached(PageId page) const { return pages_[page].cached; }

 private:
  struct Page {
    uint32_t references = 0;
    bool cached = false;
    bool idle() const { return cached && references == 1; }
  };
  std::vector<Page> pages_;
  std::vector<PageId> free_;  // a heap, the lowest id on top
  uint32_t idle_ = 0;
};

}  // namespace ingle
