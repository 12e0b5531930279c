// Which KV pages hold the keys and values of which token prefixes: a radix tree whose edges are whole pages of
// kPageTokens token ids, and whose leaves may be pages that were not filled. Owned by KvMemory, loop thread only.
// Touches no tensor.
// Always: a node is one page of group 0, the cache holds one reference to it, and whoever holds a node's page got it
// together with those of all its ancestors. So the pages that nobody else holds are those of whole subtrees, and all of
// them can be evicted, leaves first. A node may have a page of each windowed group besides: those come and go one by
// one, and a prefix is a hit only where all the pages are left that the token after it sees. What one owner's requests
// left is never a hit for another's: who has asked what before can't be told from the time an answer takes.
// Whole pages are shared. Where a page has some of the tokens that follow, these can be had by copying it.
#pragma once

#include <array>
#include <compare>
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
  // pools[g] is group g's, with the window windows[g]; windows[0] is 0. The pools must outlive the cache.
  PrefixCache(std::span<PagePool> pools, std::span<const uint32_t> windows);

  // What is known of a prefix, in whole pages.
  struct Peek {
    uint32_t known = 0;  // pages of group 0
    uint32_t pages = 0;  // of these, up to the last boundary with all that its windows need: what match() gives
    uint32_t idle = 0;   // of `pages`, those of group 0 that nobody but the cache holds now
  };
  Peek peek(std::span<const int32_t> tokens, uint64_t owner = 0) const;
  struct Hit {
    uint32_t pages = 0;           // whole ones
    uint32_t tokens = 0;          // that follow them, fewer than kPageTokens, and with which these pages begin:
    std::vector<PageId> to_copy;  // by group; none if there are no such tokens. Without a reference
  };
  // Fills the tables [group] with the whole pages of the longest hit, each with one reference for the caller.
  Hit match(std::span<const int32_t> tokens, std::span<PageTable> tables, uint64_t owner = 0);

  // Makes the whole pages of `tokens` known, of windowed groups those from first_kept_page() on, as far as the tables
  // still have them. Their contents never change again. Where the same prefix is known already by another page, the
  // caller's reference moves to that one and the table's entry is overwritten.
  void insert(std::span<const int32_t> tokens, std::span<PageTable> tables, uint64_t owner = 0);
  // The same, and of the last page the tokens that don't fill it: the caller writes no more of that page and lets go.
  void insert_all(std::span<const int32_t> tokens, std::span<PageTable> tables, uint64_t owner = 0);

  // Lets go of the group's least recently used page that nobody else holds, so that it is free; in group 0 it is a
  // leaf's, and takes the leaf's other pages with it. False if there is none.
  bool evict_one(uint32_t group);

  uint32_t size() const { return static_cast<uint32_t>(edges_.size()); }  // pages of group 0

 private:
  static constexpr PageId kRoot = kNoPage;
  using PageTokens = std::array<int32_t, kPageTokens>;  // after the last one of a page that was not filled: kNoToken
  struct Edge {
    PageId from = kRoot;
    uint64_t owner = 0;  // from the root; 0 further on, where the node says whose it is
    PageTokens tokens;
    auto operator<=>(const Edge&) const = default;
  };
  using ByUse = std::set<std::pair<uint64_t, PageId>>;  // nodes by last use
  struct Node {
    std::map<Edge, PageId>::iterator edge;  // that leads here
    uint32_t children = 0;
    uint64_t last_used = 0;
  };
  // The pages of one windowed group, by node.
  struct Windowed {
    PagePool* pool = nullptr;
    uint32_t window = 0;
    struct Page {
      PageId id = kNoPage;
      uint64_t last_used = 0;
    };
    std::vector<Page> pages;
    ByUse by_use;  // the nodes that have a page
  };

  // The nodes of the longest known prefix.
  std::vector<PageId> walk(std::span<const int32_t> tokens, uint64_t owner) const;
  // How many of these nodes are a hit.
  uint32_t usable(std::span<const PageId> nodes) const;
  static Edge edge_from(PageId parent, uint64_t owner, std::span<const int32_t> tokens, size_t page);
  std::pair<PageId, uint32_t> closest(const Edge& way) const;
  void match_rest(const Edge& way, Hit& hit);
  void insert_pages(size_t first, size_t end, std::span<const int32_t> tokens, std::span<PageTable> tables,
                    uint64_t owner);
  void insert_windows(size_t count, std::span<const int32_t> tokens, std::span<PageTable> tables);
  PageId add_node(const Edge& way, PageId& page);
  void drop_leaf(PageId node);
  void touch(PageId node);
  void touch(Windowed& group, PageId node);
  void insert_windowed(Windowed& group, std::span<const PageId> nodes, uint32_t tokens, PageTable& table);
  void drop_windowed(Windowed& group, PageId node);

  PagePool& pool_;  // group 0's
  std::map<Edge, PageId> edges_;
  std::vector<Node> nodes_;  // by page of group 0; those of cached pages are valid
  ByUse leaves_;
  std::vector<Windowed> windowed_;  // of groups 1, 2, ...
  uint64_t clock_ = 0;
};

}  // namespace ingle
