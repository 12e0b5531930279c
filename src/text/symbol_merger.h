// The loop that byte-pair encoding and SentencePiece share: neighbouring symbols are merged, the most preferred pair
// first, of equals the leftmost, until no pair is left that merges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "text/token.h"

namespace ingle {

struct Symbol {
  uint32_t begin = 0, size_bytes = 0;  // in the text; size 0: merged into the symbol to its left
  int32_t previous = -1, next = -1;
  TokenId id = kNoToken;  // of its text, if that is a token
};

struct Merge {
  uint32_t rank = UINT32_MAX;  // lower is preferred
  TokenId id = kNoToken;       // of the two together; kNoToken: they do not merge
};

class SymbolMerger {
 public:
  // A text as long as this makes its symbols fit the integers above.
  static constexpr size_t kMaxTextBytes = size_t{1} << 30;

  std::vector<Symbol>& symbols() { return symbols_; }  // the first is symbol 0, whatever is merged

  // Appends a symbol to the right of the others.
  void add(uint32_t begin, uint32_t size_bytes, TokenId id) {
    const auto index = static_cast<int32_t>(symbols_.size());
    if (index > 0) symbols_.back().next = index;
    symbols_.push_back({begin, size_bytes, index - 1, -1, id});
  }

  // `lookup(left, right)` gives the Merge of two neighbouring Symbols. O(n log n) lookups and steps.
  template <typename Lookup>
  void merge(Lookup&& lookup) {
    queue_.clear();
    for (size_t i = 0; i + 1 < symbols_.size(); ++i) propose(static_cast<int32_t>(i), lookup);
    while (!queue_.empty()) {
      const Candidate best = queue_.front();
      std::pop_heap(queue_.begin(), queue_.end());
      queue_.pop_back();
      Symbol& left = symbols_[best.left()];
      if (left.size_bytes != best.left_bytes || left.next < 0) continue;  // out of date
      Symbol& right = symbols_[static_cast<size_t>(left.next)];
      if (right.size_bytes != best.right_bytes) continue;
      left.size_bytes += right.size_bytes;
      left.id = best.id;
      left.next = right.next;
      right.size_bytes = 0;
      if (right.next >= 0) symbols_[static_cast<size_t>(right.next)].previous = static_cast<int32_t>(best.left());
      if (left.previous >= 0) propose(left.previous, lookup);
      if (left.next >= 0) propose(static_cast<int32_t>(best.left()), lookup);
    }
  }

  void clear() { symbols_.clear(); }

 private:
  struct Candidate {
    uint64_t order = 0;  // rank << 32 | left symbol
    uint32_t left_bytes = 0, right_bytes = 0;
    TokenId id = kNoToken;

    size_t left() const { return order & UINT32_MAX; }
    bool operator<(const Candidate& other) const { return order > other.order; }  // the heap's top is the lowest order
  };

  template <typename Lookup>
  void propose(int32_t left_index, Lookup&& lookup) {
    const Symbol& left = symbols_[static_cast<size_t>(left_index)];
    const Symbol& right = symbols_[static_cast<size_t>(left.next)];
    const Merge merge = lookup(left, right);
    if (merge.id == kNoToken) return;
    queue_.push_back({static_cast<uint64_t>(merge.rank) << 32 | static_cast<uint32_t>(left_index), left.size_bytes,
                      right.size_bytes, merge.id});
    std::push_heap(queue_.begin(), queue_.end());
  }

  std::vector<Symbol> symbols_;
  std::vector<Candidate> queue_;
};

}  // namespace ingle
