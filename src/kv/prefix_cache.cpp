#include "kv/prefix_cache.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "kv/window.h"

namespace ingle {
namespace {

constexpr int32_t kNoToken = -1;

// With how many tokens both begin.
template <typename Tokens>
uint32_t common(const Tokens& a, const Tokens& b) {
  uint32_t count = 0;
  while (count < kPageTokens && a[count] == b[count] && a[count] != kNoToken) count++;
  return count;
}

// How many tokens the page has.
template <typename Tokens>
uint32_t filled(const Tokens& tokens) {
  return common(tokens, tokens);
}

// Puts one more reference of the cache on a page that its caller holds.
void keep(PagePool& pool, PageId page) {
  CHECK(!pool.cached(page));
  pool.share(page);
  pool.set_cached(page, true);
}

void let_go(PagePool& pool, PageId page) {
  pool.set_cached(page, false);
  pool.release(page);
}

// The caller's reference moves from its own page to the known one with the same contents.
void exchange(PagePool& pool, PageId& own, PageId known) {
  if (own == known) return;
  pool.share(known);
  pool.release(own);
  own = known;
}

}  // namespace

PrefixCache::PrefixCache(std::span<PagePool> pools, std::span<const uint32_t> windows)
    : pool_(pools[0]), nodes_(pools[0].size()) {
  CHECK(pools.size() == windows.size() && windows[0] == 0);
  for (size_t g = 1; g < pools.size(); g++) {
    CHECK(windows[g] > 0);
    windowed_.push_back({.pool = &pools[g], .window = windows[g], .pages = {}, .by_use = {}});
    windowed_.back().pages.resize(nodes_.size());
  }
}

PrefixCache::Edge PrefixCache::edge_from(PageId parent, uint64_t owner, std::span<const int32_t> tokens, size_t page) {
  Edge edge{.from = parent, .owner = parent == kRoot ? owner : 0, .tokens = {}};
  const auto own = tokens.subspan(page * kPageTokens);
  std::fill(std::copy_n(own.begin(), std::min<size_t>(own.size(), kPageTokens), edge.tokens.begin()), edge.tokens.end(),
            kNoToken);
  return edge;
}

// Of the nodes that are reached from where the edge begins, the one whose page begins with most of the edge's tokens,
// and with how many. Among edges in order it is a neighbour of the place where this one would stand.
std::pair<PageId, uint32_t> PrefixCache::closest(const Edge& way) const {
  std::pair<PageId, uint32_t> best = {kNoPage, 0};
  const auto look_at = [&](const std::pair<const Edge, PageId>& other) {
    if (other.first.from != way.from || other.first.owner != way.owner) return;
    if (const uint32_t tokens = common(other.first.tokens, way.tokens); tokens > best.second) {
      best = {other.second, tokens};
    }
  };
  const auto next = edges_.lower_bound(way);
  if (next != edges_.end()) look_at(*next);
  if (next != edges_.begin()) look_at(*std::prev(next));
  return best;
}

std::vector<PageId> PrefixCache::walk(std::span<const int32_t> tokens, uint64_t owner) const {
  std::vector<PageId> nodes;
  for (size_t j = 0; j < tokens.size() / kPageTokens; j++) {
    const auto edge = edges_.find(edge_from(nodes.empty() ? kRoot : nodes.back(), owner, tokens, j));
    if (edge == edges_.end()) break;
    nodes.push_back(edge->second);
  }
  return nodes;
}

uint32_t PrefixCache::usable(std::span<const PageId> nodes) const {
  if (windowed_.empty()) return static_cast<uint32_t>(nodes.size());
  uint32_t result = 0;
  std::vector<uint32_t> run(windowed_.size(), 0);  // pages without a gap that end here
  for (uint32_t j = 0; j < nodes.size(); j++) {
    const uint32_t end = j + 1;
    bool complete = true;
    for (size_t i = 0; i < windowed_.size(); i++) {
      run[i] = windowed_[i].pages[nodes[j]].id == kNoPage ? 0 : run[i] + 1;
      complete = complete && run[i] >= end - first_visible_page(windowed_[i].window, end * kPageTokens);
    }
    if (complete) result = end;
  }
  return result;
}

void PrefixCache::touch(PageId node) {
  Node& n = nodes_[node];
  if (n.children == 0) {
    leaves_.erase({n.last_used, node});
    leaves_.insert({clock_, node});
  }
  n.last_used = clock_;
}

void PrefixCache::touch(Windowed& group, PageId node) {
  Windowed::Page& page = group.pages[node];
  group.by_use.erase({page.last_used, node});
  group.by_use.insert({clock_, node});
  page.last_used = clock_;
}

PrefixCache::Peek PrefixCache::peek(std::span<const int32_t> tokens, uint64_t owner) const {
  const std::vector<PageId> nodes = walk(tokens, owner);
  Peek result{.known = static_cast<uint32_t>(nodes.size()), .pages = usable(nodes), .idle = 0};
  for (uint32_t j = 0; j < result.pages; j++) result.idle += pool_.references(nodes[j]) == 1;
  return result;
}

PrefixCache::Hit PrefixCache::match(std::span<const int32_t> tokens, std::span<PageTable> tables, uint64_t owner) {
  CHECK(tables.size() == windowed_.size() + 1);
  clock_++;
  std::vector<PageId> nodes = walk(tokens, owner);
  const uint32_t count = usable(nodes);
  const bool is_whole = count == nodes.size();
  nodes.resize(count);
  for (const PageId node : nodes) {
    pool_.share(node);
    touch(node);
  }
  for (size_t i = 0; i < windowed_.size(); i++) {
    Windowed& group = windowed_[i];
    PageTable& table = tables[i + 1];
    table.first = first_visible_page(group.window, count * kPageTokens);
    table.pages.assign(count, kNoPage);
    for (uint32_t j = table.first; j < count; j++) {
      table.pages[j] = group.pages[nodes[j]].id;
      group.pool->share(table.pages[j]);
      touch(group, nodes[j]);
    }
  }
  Hit hit{.pages = count, .tokens = 0, .to_copy = {}};
  if (is_whole) match_rest(edge_from(nodes.empty() ? kRoot : nodes.back(), owner, tokens, count), hit);
  tables[0] = {.pages = std::move(nodes), .first = 0};
  return hit;
}

// What there is of the edge in other pages, after a hit that ends where the edge begins.
void PrefixCache::match_rest(const Edge& way, Hit& hit) {
  const auto [node, tokens] = closest(way);
  if (tokens == 0) return;
  for (const Windowed& group : windowed_) {
    if (group.pages[node].id == kNoPage) return;
  }
  hit.tokens = tokens;
  hit.to_copy.push_back(node);
  touch(node);
  for (Windowed& group : windowed_) {
    hit.to_copy.push_back(group.pages[node].id);
    touch(group, node);
  }
}

void PrefixCache::insert(std::span<const int32_t> tokens, std::span<PageTable> tables, uint64_t owner) {
  clock_++;
  const size_t whole = tokens.size() / kPageTokens;
  insert_pages(0, whole, tokens, tables, owner);
  insert_windows(whole, tokens, tables);
}

void PrefixCache::insert_all(std::span<const int32_t> tokens, std::span<PageTable> tables, uint64_t owner) {
  clock_++;
  const size_t whole = tokens.size() / kPageTokens;
  insert_pages(0, whole, tokens, tables, owner);
  size_t count = whole;
  if (tokens.size() > whole * kPageTokens) {
    const Edge last = edge_from(whole == 0 ? kRoot : tables[0].pages[whole - 1], owner, tokens, whole);
    const auto [node, known] = closest(last);
    const bool has_more = known == filled(last.tokens) && nodes_[node].edge->first.tokens != last.tokens;
    if (!has_more) insert_pages(whole, ++count, tokens, tables, owner);
  }
  insert_windows(count, tokens, tables);
}

// Those of group 0 from `first` to `end`.
void PrefixCache::insert_pages(size_t first, size_t end, std::span<const int32_t> tokens, std::span<PageTable> tables,
                               uint64_t owner) {
  CHECK(tables.size() == windowed_.size() + 1);
  std::vector<PageId>& pages = tables[0].pages;
  CHECK(pages.size() >= end);
  for (size_t j = first; j < end; j++) {
    touch(add_node(edge_from(j == 0 ? kRoot : pages[j - 1], owner, tokens, j), pages[j]));
  }
}

void PrefixCache::insert_windows(size_t count, std::span<const int32_t> tokens, std::span<PageTable> tables) {
  const auto nodes = std::span(tables[0].pages).first(count);
  for (size_t i = 0; i < windowed_.size(); i++) {
    insert_windowed(windowed_[i], nodes, static_cast<uint32_t>(tokens.size()), tables[i + 1]);
  }
}

// The node that the edge leads to; where there is none, `page` becomes it, and a page with only the first of its tokens
// is wanted no more.
PageId PrefixCache::add_node(const Edge& way, PageId& page) {
  const auto [edge, is_new] = edges_.try_emplace(way, page);
  if (!is_new) {
    exchange(pool_, page, edge->second);
    return page;
  }
  keep(pool_, page);
  nodes_[page] = {.edge = edge, .children = 0, .last_used = clock_};
  leaves_.insert({clock_, page});
  if (way.from != kRoot && nodes_[way.from].children++ == 0) leaves_.erase({nodes_[way.from].last_used, way.from});
  if (edge != edges_.begin()) {
    const auto& [before, shorter] = *std::prev(edge);
    const bool is_sibling = before.from == way.from && before.owner == way.owner;
    if (is_sibling && common(before.tokens, way.tokens) == filled(before.tokens)) drop_leaf(shorter);
  }
  return page;
}

void PrefixCache::insert_windowed(Windowed& group, std::span<const PageId> nodes, uint32_t tokens, PageTable& table) {
  if (nodes.empty()) return;
  CHECK(table.pages.size() >= nodes.size());
  for (uint32_t j = std::max(first_kept_page(group.window, tokens), table.first); j < nodes.size(); j++) {
    PageId& known = group.pages[nodes[j]].id;
    if (known == kNoPage) {
      known = table.pages[j];
      keep(*group.pool, known);
    }
    exchange(*group.pool, table.pages[j], known);
    touch(group, nodes[j]);
  }
}

void PrefixCache::drop_windowed(Windowed& group, PageId node) {
  Windowed::Page& page = group.pages[node];
  if (page.id == kNoPage) return;
  group.by_use.erase({page.last_used, node});
  let_go(*group.pool, page.id);
  page = {};
}

bool PrefixCache::evict_one(uint32_t group) {
  if (group > 0) {
    Windowed& g = windowed_[group - 1];
    const auto oldest = std::find_if(g.by_use.begin(), g.by_use.end(), [&](const auto& entry) {
      return g.pool->references(g.pages[entry.second].id) == 1;
    });
    if (oldest == g.by_use.end()) return false;
    drop_windowed(g, oldest->second);
    return true;
  }
  const auto leaf = std::find_if(leaves_.begin(), leaves_.end(),
                                 [&](const auto& entry) { return pool_.references(entry.second) == 1; });
  if (leaf == leaves_.end()) return false;
  drop_leaf(leaf->second);
  return true;
}

void PrefixCache::drop_leaf(PageId node) {
  leaves_.erase({nodes_[node].last_used, node});
  const PageId parent = nodes_[node].edge->first.from;
  edges_.erase(nodes_[node].edge);
  if (parent != kRoot && --nodes_[parent].children == 0) leaves_.insert({nodes_[parent].last_used, parent});
  for (Windowed& g : windowed_) drop_windowed(g, node);
  let_go(pool_, node);
}

}  // namespace ingle
