#include "text/merge_queue.h"

#include <algorithm>
#include <functional>

namespace ingle {
namespace {

constexpr size_t kShortSymbols = 512;

// For heaps whose top is the first candidate.
bool after(const MergeCandidate& a, const MergeCandidate& b) { return b.before(a); }

void push_heap(std::vector<MergeCandidate>& heap, const MergeCandidate& candidate) {
  heap.push_back(candidate);
  std::push_heap(heap.begin(), heap.end(), after);
}

MergeCandidate pop_heap(std::vector<MergeCandidate>& heap) {
  std::pop_heap(heap.begin(), heap.end(), after);
  const MergeCandidate candidate = heap.back();
  heap.pop_back();
  return candidate;
}

}  // namespace

void MergeQueue::start(size_t symbols, uint32_t ranks) {
  bucketed_ = symbols > kShortSymbols;
  if (bucketed_ && bucket_of_rank_.size() < ranks) bucket_of_rank_.resize(ranks, 0);
}

MergeQueue::Bucket& MergeQueue::bucket(uint32_t rank) {
  if (bucket_of_rank_[rank] == 0) {
    buckets_.emplace_back();
    bucket_of_rank_[rank] = static_cast<uint32_t>(buckets_.size());
  }
  return buckets_[bucket_of_rank_[rank] - 1];
}

void MergeQueue::push(const MergeCandidate& candidate) {
  if (!bucketed_) {
    push_heap(heap_, candidate);
    return;
  }
  Bucket& b = bucket(candidate.rank);
  if (!b.queued) {
    b.queued = true;
    ranks_.push_back(candidate.rank);
    std::push_heap(ranks_.begin(), ranks_.end(), std::greater<>());
  }
  const bool in_order = b.run.empty() || b.run.back().left <= candidate.left;
  if (b.popping && !in_order) {
    push_heap(b.late, candidate);
  } else {
    b.sorted &= in_order;
    b.run.push_back(candidate);
  }
}

bool MergeQueue::pop(MergeCandidate& candidate) {
  if (bucketed_) return pop_bucket(candidate);
  if (heap_.empty()) return false;
  candidate = pop_heap(heap_);
  return true;
}

bool MergeQueue::pop_bucket(MergeCandidate& candidate) {
  while (!ranks_.empty()) {
    Bucket& b = bucket(ranks_.front());
    if (pop_from(b, candidate)) return true;
    b = {};
    std::pop_heap(ranks_.begin(), ranks_.end(), std::greater<>());
    ranks_.pop_back();
  }
  return false;
}

bool MergeQueue::pop_from(Bucket& b, MergeCandidate& candidate) {
  if (!b.sorted) std::sort(b.run.begin(), b.run.end(), [](const auto& x, const auto& y) { return x.before(y); });
  b.sorted = b.popping = true;
  const bool run_waits = b.next < b.run.size();
  if (!run_waits && b.late.empty()) return false;
  if (run_waits && (b.late.empty() || b.run[b.next].before(b.late.front()))) {
    candidate = b.run[b.next++];
  } else {
    candidate = pop_heap(b.late);
  }
  return true;
}

}  // namespace ingle
