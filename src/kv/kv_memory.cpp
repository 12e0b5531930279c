#include "kv/kv_memory.h"

#include <algorithm>

#include "base/check.h"
#include "kv/window.h"

namespace ingle {
namespace {

std::vector<uint32_t> by_group(std::span<const WindowPool> windows) {
  std::vector<uint32_t> result = {0};
  for (const WindowPool& pool : windows) result.push_back(pool.window);
  return result;
}

std::vector<PagePool> make_pools(uint32_t pages, std::span<const WindowPool> windows) {
  std::vector<PagePool> pools;
  pools.emplace_back(pages);
  for (const WindowPool& pool : windows) pools.emplace_back(pool.pages);
  return pools;
}

uint32_t kept_every_of(const std::vector<uint32_t>& windows) {
  return kept_every(*std::max_element(windows.begin(), windows.end()));
}

}  // namespace

KvMemory::KvMemory(uint32_t pages, std::span<const WindowPool> windows)
    : windows_(by_group(windows)),
      kept_every_(kept_every_of(windows_)),
      pools_(make_pools(pages, windows)),
      cache_(pools_, windows_) {
  CHECK(pages >= 1);
  for (const WindowPool& pool : windows) CHECK(pool.pages >= std::min(pages, ingle::resting_pages(pool.window)));
}

std::optional<PageId> KvMemory::acquire(uint32_t group) {
  if (pools_[group].free() == 0) cache_.evict_one(group);
  return pools_[group].acquire();
}

bool KvMemory::grow(uint32_t group, PageTable& table, uint32_t tokens) {
  while (table.pages.size() < pages_for(tokens)) {
    const std::optional<PageId> page = acquire(group);
    if (!page) return false;
    table.pages.push_back(*page);
  }
  return true;
}

uint32_t KvMemory::begin(std::span<const int32_t> tokens, Tables& tables, uint64_t owner) {
  CHECK(tables.empty());
  tables.resize(groups());
  const PrefixCache::Hit hit = cache_.match(tokens, tables, owner);
  const uint32_t whole = hit.pages * kPageTokens;
  if (hit.tokens == 0 || !cover(tables, whole + 1, whole + 1)) return whole;
  for (uint32_t g = 0; g < groups(); g++) {
    // A page that was found may have been evicted to be had.
    const PageId own = tables[g].pages[hit.pages];
    if (own != hit.to_copy[g]) copies_.push_back({.group = g, .from = hit.to_copy[g], .to = own});
  }
  return whole + hit.tokens;
}

bool KvMemory::cover(Tables& tables, uint32_t known, uint32_t next) {
  for (uint32_t g = 0; g < groups(); g++) {
    if (!grow(g, tables[g], g == 0 ? known : next)) return false;
  }
  return true;
}

uint32_t KvMemory::stretch(Tables& tables, uint32_t next) {
  for (uint32_t g = 1; g < groups(); g++) {
    if (!grow(g, tables[g], next)) next = static_cast<uint32_t>(tables[g].pages.size()) * kPageTokens;
  }
  // What one group has, another may lack.
  for (uint32_t g = 1; g < groups(); g++) {
    std::vector<PageId>& pages = tables[g].pages;
    for (; pages.size() > pages_for(next); pages.pop_back()) pools_[g].release(pages.back());
  }
  return next;
}

void KvMemory::move_on(Tables& tables, uint32_t computed) {
  for (uint32_t g = 1; g < groups(); g++) {
    PageTable& table = tables[g];
    for (const uint32_t first = first_kept_page(windows_[g], computed); table.first < first; table.first++) {
      pools_[g].release(table.pages[table.first]);
      table.pages[table.first] = kNoPage;
    }
  }
}

void KvMemory::release(Tables& tables) {
  for (uint32_t g = 0; g < tables.size(); g++) {
    for (uint32_t j = tables[g].first; j < tables[g].pages.size(); j++) pools_[g].release(tables[g].pages[j]);
  }
  tables.clear();
}

uint32_t KvMemory::resting_pages(uint32_t group, uint32_t tokens) const {
  return std::min({pages_for(tokens), ingle::resting_pages(windows_[group]), pools_[group].size()});
}

}  // namespace ingle
