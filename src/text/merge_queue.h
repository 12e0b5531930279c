// The queue of pairs that wait to be merged, in order of rank and then of place: the inner loop of the tokenizers.
// Used by one call on one thread; kept between the words of a call for its memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "text/token.h"

namespace ingle {

// Two neighbouring symbols that were mergeable when they were put into the queue.
struct MergeCandidate {
  uint32_t rank = 0;                         // lower goes first
  uint32_t left = 0;                         // symbol on the left; of one rank the lowest goes first
  uint32_t left_bytes = 0, right_bytes = 0;  // of the symbols then, to tell whether they still are as they were
  TokenId id = kNoToken;                     // of the two together

  bool before(const MergeCandidate& other) const { return rank != other.rank ? rank < other.rank : left < other.left; }
};

class MergeQueue {
 public:
  // Begins a text. The one before has been popped to its end. `symbols` is the length of the text in symbols, `ranks`
  // is above every rank to come.
  void start(size_t symbols, uint32_t ranks);
  void push(const MergeCandidate& candidate);
  // The first candidate; false when there is none.
  bool pop(MergeCandidate& candidate);

 private:
  // Candidates of one rank. They mostly come from left to right, so keeping them is mostly appending.
  struct Bucket {
    std::vector<MergeCandidate> run;   // sorted from the first pop on, from `next` on still waiting
    std::vector<MergeCandidate> late;  // a heap of those that came after that out of order
    size_t next = 0;
    bool sorted = true;
    bool popping = false;  // has been popped from since it was last empty
    bool queued = false;   // its rank is in ranks_
  };
  Bucket& bucket(uint32_t rank);
  bool pop_from(Bucket& bucket, MergeCandidate& candidate);
  bool pop_bucket(MergeCandidate& candidate);

  // Short words: one heap. Long ones: a bucket per rank, since a heap of a million candidates is slow.
  bool bucketed_ = false;
  std::vector<MergeCandidate> heap_;
  std::vector<uint32_t> bucket_of_rank_;  // index + 1 into buckets_; 0: none
  std::vector<Bucket> buckets_;
  std::vector<uint32_t> ranks_;  // a heap of the ranks whose buckets are not empty
};

}  // namespace ingle
