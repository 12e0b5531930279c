// How much of the waiting prompts a step may compute beside running answers, so that a long prompt never stops their
// streams: as many tokens as fit a budget of time, by what the last steps took. Loop thread only. A slice's size
// changes no bit of any answer. Costs are those of prompt_cost.h.
#pragma once

#include <cstdint>
#include <limits>

namespace ingle {

class StepPacer {
 public:
  static constexpr double kUnlimited = std::numeric_limits<double>::infinity();
  // What prompts may add to a step where the answers alone take most of the budget or more: prompts always move on.
  // A part of the budget, and more once the answers alone take longer than that.
  static double least_for_prompts_ms(double answers_ms, double budget_ms);

  // A step may take a little more than the budget; about one of a hundred more than that, where the answers' own time
  // and how much equal steps vary allow it.
  static constexpr double kSlow = 1.1, kSlowSteps = 0.01;

  // budget_ms: of a step with running answers; 0: no limit.
  explicit StepPacer(double budget_ms = 0) : budget_ms_(budget_ms) {}

  // What prompts may cost in a step that computes the next token of `decoding` answers; 1 or more, and a token of them
  // is always allowed.
  double slice(uint32_t decoding) const;
  // So many prompt tokens, or a few less, so that together with those beside them they fill the kernels' tiles; fewer
  // than two tiles stay as they are.
  static uint32_t fill_tiles(uint32_t tokens, uint32_t beside);
  // What a step took, with prompt tokens of that cost.
  void observe(uint32_t decoding, uint32_t prompt_tokens, double cost, double ms);

 private:
  // Of a step without prompts, and of one as long as it may be; no more than the first really takes.
  double answers_ms(uint32_t decoding) const;
  double least_ms(uint32_t decoding) const;  // of a step with prompts, as they always may move on
  double target_ms(uint32_t decoding) const;
  void set_answers(uint32_t decoding, double ms);
  void adjust_aim(uint32_t decoding, double cost, double ms);

  const double budget_ms_;
  double aim_ = 0.9;  // what steps aim at, of the budget: equal ones vary, on shared machines by a fifth and more
  double cost_ = 16;  // of answers (1 each) and prompts in a step; to begin with, two tiles of columns
  // What so many answers take without prompts, as far as is known; 0: nothing is.
  uint32_t answers_ = 0;
  double answers_ms_ = 0;
};

}  // namespace ingle
