// What an engine has done since it was loaded, for those who watch it. Owned by the EngineLoop, whose thread alone
// writes (but for `submitted`), and never waits to do so; any thread may read at any time, and sees each number whole,
// but not all of them of the same moment.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/request.h"

namespace ingle {

// How often a value was observed, by upper bounds.
class MetricHistogram {
 public:
  // `bounds` rise and outlive this object; beyond the last one there is one more bucket.
  explicit MetricHistogram(std::span<const double> bounds);

  void observe(double value);  // of one thread

  struct Snapshot {
    std::vector<uint64_t> counts;  // by bucket, not cumulative; one more than bounds
    double sum = 0;
  };
  Snapshot snapshot() const;
  std::span<const double> bounds() const { return bounds_; }

 private:
  const std::span<const double> bounds_;
  const std::unique_ptr<std::atomic<uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

class EngineMetrics {
 public:
  EngineMetrics();

  std::atomic<uint64_t> submitted{0}, finished{0};                                      // requests
  std::atomic<uint64_t> ended_by_stop{0}, ended_by_length{0}, cancelled{0}, failed{0};  // of those finished
  std::atomic<uint64_t> prompt_tokens{0}, generated_tokens{0};
  std::atomic<uint64_t> cache_queries{0}, cache_hits{0};  // tokens of prompts looked for in the prefix cache; found
  std::atomic<uint64_t> steps{0}, preemptions{0};
  std::atomic<uint32_t> running{0};
  std::atomic<uint32_t> pages{0}, pages_held{0};  // of group 0; by sequences

  // Seconds. Of an answer: its mean time between tokens, and all of its time but for waiting.
  MetricHistogram first_token, between_tokens, mean_between_tokens, request, queue, prefill, decode, inference, step;
  // Tokens.
  MetricHistogram prompt_length, answer_length, answer_limit, step_length;

  void count_end(FinishReason reason);
  uint64_t waiting() const;
};

}  // namespace ingle
