// The KV pages of one model as the scheduler sees them: a pool for each layer group, the page tables that sequences
// hold in them, and the cache of prefixes. Owned by the Scheduler, loop thread only. Touches no tensor. Group 0 (the
// layers without a window) keeps all of a sequence's pages. A windowed group keeps those that first_kept_page() names;
// the ones behind it go back to the pool, or stay in the cache where a boundary is remembered. Always: what the cache
// holds alone can be had by evicting it, so a pool is exhausted by running sequences only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kv/kv_types.h"
#include "kv/page_pool.h"
#include "kv/prefix_cache.h"

namespace ingle {

// A windowed group's pool.
struct WindowPool {
  uint32_t window = 0;  // tokens
  uint32_t pages = 0;
};

class KvMemory {
 public:
  // Group 0's pool has `pages`, group i + 1 is windows[i]; each holds the window of one sequence at least.
  KvMemory(uint32_t pages, std::span<const WindowPool> windows);
  KvMemory(const KvMemory&) = delete;
  KvMemory& operator=(const KvMemory&) = delete;

  // A sequence's tables, by group. Empty ones hold nothing.
  using Tables = std::vector<PageTable>;

  // As PrefixCache has it.
  PrefixCache::Peek peek(std::span<const int32_t> tokens, uint64_t owner = 0) const {
    return cache_.peek(tokens, owner);
  }
  // Fills the empty tables with the longest hit and returns how many tokens it holds, those among them that have to be
  // copied into a page of the sequence's own.
  uint32_t begin(std::span<const int32_t> tokens, Tables& tables, uint64_t owner = 0);
  // Gives the tables the pages that hold `known` tokens in group 0, and `next` in windowed ones. False if a pool runs
  // out; what was had until then is kept.
  bool cover(Tables& tables, uint32_t known, uint32_t next);
  // Windowed groups only, as far as their pools go: up to which token, at most `next`.
  uint32_t stretch(Tables& tables, uint32_t next);
  // The first `computed` tokens are computed: lets the windows move on.
  void move_on(Tables& tables, uint32_t computed);
  // Makes the tokens' whole pages known to the cache.
  void remember(std::span<const int32_t> tokens, Tables& tables, uint64_t owner = 0) {
    cache_.insert(tokens, tables, owner);
  }
  // The same, and of the last page the tokens that don't fill it, before all pages are given back.
  void remember_all(std::span<const int32_t> tokens, Tables& tables, uint64_t owner = 0) {
    cache_.insert_all(tokens, tables, owner);
  }
  // Gives all pages back.
  void release(Tables& tables);
  // What has to be copied before the next step writes anything, after the calls of begin() since copies_made(). Pages
  // may be free by then, or others': what counts is the order of the list, since nothing is written between steps.
  const std::vector<PageCopy>& copies() const { return copies_; }
  void copies_made() { copies_.clear(); }

  // Prefixes whose length is a multiple of it are worth remembering; 0 if the ends of turns are enough.
  uint32_t kept_every() const { return kept_every_; }
  // The most pages of the group that a sequence of so many tokens holds between steps. For windowed groups.
  uint32_t resting_pages(uint32_t group, uint32_t tokens) const;

  uint32_t groups() const { return static_cast<uint32_t>(pools_.size()); }
  const PagePool& pool(uint32_t group) const { return pools_[group]; }
  const PrefixCache& cache() const { return cache_; }

 private:
  std::optional<PageId> acquire(uint32_t group);
  bool grow(uint32_t group, PageTable& table, uint32_t tokens);

  const std::vector<uint32_t> windows_;  // by group, 0 for group 0
  const uint32_t kept_every_;
  std::vector<PagePool> pools_;
  PrefixCache cache_;
  std::vector<PageCopy> copies_;
};

}  // namespace ingle
