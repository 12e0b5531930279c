#include "kv/page_pool.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/check.h"

namespace ingle {

PagePool::PagePool(uint32_t pages) : pages_(pages), free_(pages) {
  std::iota(free_.begin(), free_.end(), PageId{0});  // rising, which is a heap with the lowest on top
}

std::optional<PageId> PagePool::acquire() {
  if (free_.empty()) return std::nullopt;
  std::pop_heap(free_.begin(), free_.end(), std::greater<>());
  const PageId page = free_.back();
  free_.pop_back();
  pages_[page].references = 1;
  return page;
}

void PagePool::share(PageId page) {
  CHECK(page < pages_.size() && pages_[page].references > 0);
  idle_ -= pages_[page].idle();
  pages_[page].references++;
}

void PagePool::release(PageId page) {
  CHECK(page < pages_.size() && pages_[page].references > 0);
  Page& p = pages_[page];
  CHECK(!p.idle());  // the cache takes its mark off first
  p.references--;
  idle_ += p.idle();
  if (p.references > 0) return;
  free_.push_back(page);
  std::push_heap(free_.begin(), free_.end(), std::greater<>());
}

void PagePool::set_cached(PageId page, bool cached) {
  CHECK(page < pages_.size() && pages_[page].references > 0);
  Page& p = pages_[page];
  idle_ -= p.idle();
  p.cached = cached;
  idle_ += p.idle();
}

}  // namespace ingle
