// Which KV pages hold the keys and values of which token prefixes: a radix tree whose edges are whole pages of
// kPageTokens token ids. Owned by the scheduler, loop thread only. Touches no tensor.
// Always: a node is one page, the cache holds one reference to it, and whoever holds a node's page got it together with
// those of all its ancestors. So the pages that nobody else holds are those of whole subtrees, and all of them can be
// evicted, leaves first.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "kv/kv_types.h"
#include "kv/page_pool.h"

namespace ingle {

class PrefixCache {
 public:
  // The pool must outlive the cache.
  explicit PrefixCache(PagePool& pool);

  // The pages of the longest known prefix of `tokens`, whole pages only, each with one reference for the caller.
  std::vector<PageId> match(std::span<const int32_t> tokens);
  // How many pages match() would give, and how many of them nobody but the cache holds now.
  struct Peek {
    uint32_t pages = 0;
    uint32_t idle = 0;
  };
  Peek peek(std::span<const int32_t> tokens) const;

  // Makes whole pages known: pages[j] holds tokens [32 j, 32 j + 32), and its contents never change again. Where the
  // same prefix is known already by another page, the caller's reference moves to that one and pages[j] is overwritten.
  // Pages beyond the last whole one are left alone.
  void insert(std::span<const int32_t> tokens, std::span<PageId> pages);

  // Lets go of the least recently used leaf that nobody else holds, so that its page is free. False if there is none.
  bool evict_one();

  uint32_t size() const { return static_cast<uint32_t>(edges_.size()); }  // pages

 private:
  static constexpr PageId kRoot = UINT32_MAX;
  using PageTokens = std::array<int32_t, kPageTokens>;
  using Edge = std::pair<PageId, PageTokens>;  // from which node, by which tokens
  struct Node {
    std::map<Edge, PageId>::iterator edge;  // that leads here
    uint32_t children = 0;
    uint64_t last_used = 0;
  };

  // Calls visit(node) along the longest known prefix.
  template <typename Visit>
  void walk(std::span<const int32_t> tokens, Visit&& visit) const;
  void touch(PageId page);

  PagePool& pool_;
  std::map<Edge, PageId> edges_;
  std::vector<Node> nodes_;                       // by page; those of cached pages are valid
  std::set<std::pair<uint64_t, PageId>> leaves_;  // by last use
  uint64_t clock_ = 0;
};

}  // namespace ingle
