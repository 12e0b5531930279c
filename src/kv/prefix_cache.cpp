#include "kv/prefix_cache.h"

#include <algorithm>

#include "base/check.h"

namespace ingle {
namespace {

std::array<int32_t, kPageTokens> page_tokens(std::span<const int32_t> tokens, size_t page) {
  std::array<int32_t, kPageTokens> result;
  std::copy_n(tokens.begin() + page * kPageTokens, kPageTokens, result.begin());
  return result;
}

}  // namespace

PrefixCache::PrefixCache(PagePool& pool) : pool_(pool), nodes_(pool.size()) {}

template <typename Visit>
void PrefixCache::walk(std::span<const int32_t> tokens, Visit&& visit) const {
  PageId node = kRoot;
  for (size_t j = 0; j < tokens.size() / kPageTokens; j++) {
    const auto edge = edges_.find({node, page_tokens(tokens, j)});
    if (edge == edges_.end()) return;
    node = edge->second;
    visit(node);
  }
}

void PrefixCache::touch(PageId page) {
  Node& node = nodes_[page];
  if (node.children == 0) {
    leaves_.erase({node.last_used, page});
    leaves_.insert({clock_, page});
  }
  node.last_used = clock_;
}

std::vector<PageId> PrefixCache::match(std::span<const int32_t> tokens) {
  clock_++;
  std::vector<PageId> pages;
  walk(tokens, [&](PageId page) { pages.push_back(page); });
  for (const PageId page : pages) {
    pool_.share(page);
    touch(page);
  }
  return pages;
}

PrefixCache::Peek PrefixCache::peek(std::span<const int32_t> tokens) const {
  Peek result;
  walk(tokens, [&](PageId page) {
    result.pages++;
    result.idle += pool_.references(page) == 1;
  });
  return result;
}

void PrefixCache::insert(std::span<const int32_t> tokens, std::span<PageId> pages) {
  clock_++;
  const size_t whole = tokens.size() / kPageTokens;
  CHECK(pages.size() >= whole);
  PageId parent = kRoot;
  for (size_t j = 0; j < whole; j++) {
    const auto [edge, is_new] = edges_.try_emplace({parent, page_tokens(tokens, j)}, pages[j]);
    if (is_new) {
      CHECK(!pool_.cached(pages[j]));
      pool_.share(pages[j]);
      pool_.set_cached(pages[j], true);
      nodes_[pages[j]] = {.edge = edge, .children = 0, .last_used = clock_};
      leaves_.insert({clock_, pages[j]});
      if (parent != kRoot && nodes_[parent].children++ == 0) leaves_.erase({nodes_[parent].last_used, parent});
    } else if (edge->second != pages[j]) {
      pool_.share(edge->second);
      pool_.release(pages[j]);
      pages[j] = edge->second;
    }
    parent = pages[j];
    touch(parent);
  }
}

bool PrefixCache::evict_one() {
  const auto leaf = std::find_if(leaves_.begin(), leaves_.end(),
                                 [&](const auto& entry) { return pool_.references(entry.second) == 1; });
  if (leaf == leaves_.end()) return false;
  const PageId page = leaf->second;
  leaves_.erase(leaf);
  const PageId parent = nodes_[page].edge->first.first;
  edges_.erase(nodes_[page].edge);
  if (parent != kRoot && --nodes_[parent].children == 0) leaves_.insert({nodes_[parent].last_used, parent});
  pool_.set_cached(page, false);
  pool_.release(page);
  return true;
}

}  // namespace ingle
