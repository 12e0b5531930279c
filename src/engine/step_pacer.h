// How much of the waiting prompts a step may compute beside running answers, so that a long prompt never stops their
// streams: as many tokens as fit a budget of time, by what the last steps took. Loop thread only. A slice's size
// changes no bit of any answer.
#pragma once

#include <cstdint>
#include <limits>

namespace ingle {

class StepPacer {
 public:
  static constexpr uint32_t kUnlimited = std::numeric_limits<uint32_t>::max();
  // One tile of columns: beside the tokens of answers it costs next to nothing, and prompts always move on.
  static constexpr uint32_t kLeastSlice = 8;

  // budget_ms: of a step with running answers; 0: no limit.
  explicit StepPacer(double budget_ms = 0) : budget_ms_(budget_ms) {}

  // Prompt tokens at most, in a step that computes the next token of `decoding` answers.
  uint32_t slice(uint32_t decoding) const;
  // What a step took.
  void observe(uint32_t decoding, uint32_t prompt_tokens, double ms);

 private:
  const double budget_ms_;
  double tokens_ = 16;  // of answers and prompts in a step; to begin with, two tiles
};

}  // namespace ingle
