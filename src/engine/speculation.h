// How many guesses beside the sure tokens make answers come faster: by what steps of so many tokens took lately, and
// how often guesses were right. While weights stream from memory a few tokens more are free; with a small model, or
// on another machine, they may not be. Owned by the engine, loop thread only. Changes no bit of an answer.
#pragma once

#include <array>
#include <cstdint>

#include "engine/scheduler.h"

namespace ingle {

// Of one sequence's guesses.
class GuessRecord {
 public:
  // So many were computed, of which the first `right` were what was picked.
  void observe(uint32_t guessed, uint32_t right);
  // A token was generated without a guess: what is known grows old.
  void forget_some();
  // How many tokens more a step with so many guesses brings, on average.
  double expected(uint32_t guesses) const;

 private:
  // Weighed by age. To begin with, as many right as wrong ones.
  double right_ = 1, wrong_ = 1;
};

class Speculation {
 public:
  // A step with `tokens` tokens of answers, and none of prompts, took so long.
  void observe(uint32_t tokens, double ms);
  // How many guesses, at most `most`, bring the most tokens per second in a step that has `tokens` sure ones (and
  // guesses of other sequences). tokens + most <= kMaxTokens.
  uint32_t best(uint32_t tokens, const GuessRecord& record, uint32_t most) const;

  static constexpr uint32_t kMaxTokens = 1 + kMaxGuesses;

 private:
  // What steps of so many tokens take.
  struct StepTime {
    double ms = 0;             // 0: never seen
    uint32_t steps_since = 0;  // it was seen

    bool is_old() const;
  };
  std::array<StepTime, kMaxTokens + 1> times_{};
};

}  // namespace ingle
