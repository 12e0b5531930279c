// For tests: whether every page of the scheduler's pools is where it should be. Each page is free, or its references
// are exactly those of the sequences' page tables and of the prefix cache.
#pragma once

#include <fmt/format.h>

#include <span>
#include <string>
#include <vector>

#include "engine/scheduler.h"

namespace ingle {

// The first fault; empty if there is none. `sequences`: all that were added and not removed.
inline std::string audit_pages(const Scheduler& scheduler, std::span<const Sequence* const> sequences) {
  for (uint32_t g = 0; g < scheduler.kv().groups(); g++) {
    const PagePool& pool = scheduler.kv().pool(g);
    std::vector<uint32_t> references(pool.size());
    for (const Sequence* sequence : sequences) {
      if (sequence->tables.empty()) continue;
      const PageTable& table = sequence->tables[g];
      for (uint32_t j = 0; j < table.pages.size(); j++) {
        const PageId page = table.pages[j];
        if (j < table.first ? page != kNoPage : page >= pool.size()) {
          return fmt::format("group {}: sequence {} has no page {}", g, sequence->arrival, j);
        }
        if (j >= table.first) references[page]++;
      }
    }
    uint32_t free = 0, cached = 0, idle = 0;
    for (PageId page = 0; page < pool.size(); page++) {
      const bool in_cache = pool.cached(page);
      if (pool.references(page) != references[page] + in_cache) {
        return fmt::format("group {}: page {} has {} references, and {} of sequences and {} of the cache are known", g,
                           page, pool.references(page), references[page], int{in_cache});
      }
      free += pool.references(page) == 0;
      cached += in_cache;
      idle += in_cache && references[page] == 0;
    }
    if (pool.idle() != idle) return fmt::format("group {}: {} pages are idle, the pool says {}", g, idle, pool.idle());
    if (pool.free() != free) return fmt::format("group {}: {} pages are free, the pool says {}", g, free, pool.free());
    if (g == 0 && scheduler.kv().cache().size() != cached) {
      return fmt::format("the cache has {} pages, the pool says {}", scheduler.kv().cache().size(), cached);
    }
  }
  if (scheduler.waiting() + scheduler.running().size() != sequences.size()) {
    return fmt::format("{} sequences wait, {} run, {} were added", scheduler.waiting(), scheduler.running().size(),
                       sequences.size());
  }
  return "";
}

}  // namespace ingle
