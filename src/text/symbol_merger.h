// The loop that byte-pair encoding and SentencePiece share: neighbouring symbols are merged, the most preferred pair
// first, of equals the leftmost, until no pair is left that merges. Used by one call on one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "text/merge_queue.h"
#include "text/token.h"

namespace ingle {

struct Symbol {
  uint32_t begin = 0, size_bytes = 0;  // in the text; size 0: merged into the symbol to its left
  int32_t previous = -1, next = -1;
  TokenId id = kNoToken;  // of its text, if that is a token
};

struct Merge {
  uint32_t rank = 0;      // lower is preferred
  TokenId id = kNoToken;  // of the two together; kNoToken: they do not merge
};

class SymbolMerger {
 public:
  // What is merged at a time. Texts that have no place for so long where no token would span it are cut all the same:
  // merging takes 60 bytes for each of theirs, and a stranger may send one word of many megabytes.
  static constexpr size_t kMaxPartBytes = size_t{4} << 20;

  // From left to right; those of size 0 have gone.
  const std::vector<Symbol>& symbols() const { return symbols_; }

  void clear() { symbols_.clear(); }

  // Appends a symbol to the right of the others.
  void add(uint32_t begin, uint32_t size_bytes, TokenId id) {
    const auto index = static_cast<int32_t>(symbols_.size());
    if (index > 0) symbols_.back().next = index;
    symbols_.push_back({begin, size_bytes, index - 1, -1, id});
  }

  // `lookup(left, right)` gives the Merge of two neighbouring Symbols, of a rank below `ranks`. At most three lookups
  // for every symbol.
  template <typename Lookup>
  void merge(uint32_t ranks, const Lookup& lookup) {
    if (symbols_.size() < 2) return;
    queue_.start(symbols_.size(), ranks);
    for (size_t i = 0; i + 1 < symbols_.size(); ++i) propose(static_cast<int32_t>(i), lookup);
    MergeCandidate best;
    while (queue_.pop(best)) {
      Symbol& left = symbols_[best.left];
      if (left.size_bytes != best.left_bytes || left.next < 0) continue;  // out of date
      Symbol& right = symbols_[static_cast<size_t>(left.next)];
      if (right.size_bytes != best.right_bytes) continue;
      left.size_bytes += right.size_bytes;
      left.id = best.id;
      left.next = right.next;
      right.size_bytes = 0;
      if (right.next >= 0) symbols_[static_cast<size_t>(right.next)].previous = static_cast<int32_t>(best.left);
      if (left.previous >= 0) propose(left.previous, lookup);
      if (left.next >= 0) propose(static_cast<int32_t>(best.left), lookup);
    }
  }

 private:
  template <typename Lookup>
  void propose(int32_t left_index, const Lookup& lookup) {
    const Symbol& left = symbols_[static_cast<size_t>(left_index)];
    const Symbol& right = symbols_[static_cast<size_t>(left.next)];
    const Merge merge = lookup(left, right);
    if (merge.id == kNoToken) return;
    queue_.push({merge.rank, static_cast<uint32_t>(left_index), left.size_bytes, right.size_bytes, merge.id});
  }

  std::vector<Symbol> symbols_;
  MergeQueue queue_;
};

}  // namespace ingle
