#include "engine/step_pacer.h"

#include <algorithm>

namespace ingle {
namespace {

constexpr double kGrowth = 0.25;
// What prompts may always add: of the budget, and of what the answers alone take beyond it.
constexpr double kLeastOfBudget = 0.3, kLeastOfAnswers = 0.4;
constexpr double kNewStep = 0.3;    // weight of the last step's time among those without prompts
constexpr double kSlowestStep = 2;  // of their mean: what else the machine did is not the step's cost
constexpr double kLeastAim = 0.6, kMostAim = 1;
constexpr double kAimStep = 0.02;   // less after a slow step
constexpr double kLeastFull = 0.5;  // of what its prompts may cost: tiles and tokens are not cut
constexpr uint32_t kColumns = 4;    // of the narrowest tile of columns that costs each hardly more than the widest

}  // namespace

double StepPacer::slice(uint32_t decoding) const {
  return budget_ms_ == 0 || decoding == 0 ? kUnlimited : std::max(cost_ - decoding, 1.0);
}

// Deep in a long prompt a token costs as much as a tile elsewhere, so that there are slices of less than one.
uint32_t StepPacer::fill_tiles(uint32_t tokens, uint32_t beside) {
  return tokens < 2 * kColumns ? tokens : (tokens + beside) / kColumns * kColumns - beside;
}

// Fewer take less, but not less than their part.
double StepPacer::answers_ms(uint32_t decoding) const {
  return decoding < answers_ ? answers_ms_ * decoding / answers_ : answers_ms_;
}

double StepPacer::least_for_prompts_ms(double answers_ms, double budget_ms) {
  return kLeastOfBudget * budget_ms + kLeastOfAnswers * std::max(answers_ms - budget_ms, 0.0);
}

double StepPacer::least_ms(uint32_t decoding) const {
  const double answers = answers_ms(decoding);
  return answers + least_for_prompts_ms(answers, budget_ms_);
}

double StepPacer::target_ms(uint32_t decoding) const { return std::max(aim_ * budget_ms_, least_ms(decoding)); }

// As many slow steps as are allowed leave the aim as it is. Only steps about as large as they may be count: bursts are
// larger, and the ends of prompts, or slices without a limit, smaller. Below what prompts have anyway the aim would
// decide nothing.
void StepPacer::adjust_aim(uint32_t decoding, double cost, double ms) {
  const double most = slice(decoding);
  if (cost > most || cost < kLeastFull * most) return;
  if (ms <= kSlow * budget_ms_) {
    aim_ = std::min(aim_ + kAimStep * kSlowSteps / (1 - kSlowSteps), kMostAim);
  } else {
    const double least = std::max(kLeastAim, least_ms(decoding) / budget_ms_);
    aim_ = std::max(aim_ - kAimStep, std::min(aim_, least));
  }
}

void StepPacer::set_answers(uint32_t decoding, double ms) {
  answers_ = decoding;
  answers_ms_ = ms;
}

// The time of a step over its cost of prompts is convex: it begins with what the answers take, stays near that while
// reading the weights hides the arithmetic, and rises by attention and multiplications. So below a step that was seen,
// the straight line from the answers' time to it says too much rather than too little; above it, a step grows at most
// in proportion to all of it.
void StepPacer::observe(uint32_t decoding, uint32_t prompt_tokens, double cost, double ms) {
  if (ms <= 0) return;
  const double known = answers_ms(decoding);
  if (prompt_tokens == 0) {
    const double usual = known == 0 ? ms : known;
    return set_answers(decoding, usual + kNewStep * (std::min(ms, kSlowestStep * usual) - usual));
  }
  if (ms < known) set_answers(decoding, ms);
  adjust_aim(decoding, cost, ms);
  const double target = target_ms(decoding);
  if (ms <= target) {
    // More by and by, since the time of equal steps varies. A step that was smaller than it might have been is no
    // reason to take less.
    const double fitting = (decoding + cost) * target / ms;
    if (fitting > cost_) cost_ += kGrowth * (fitting - cost_);
  } else if (decoding > 0 && prompt_tokens == 1) {
    // It can't be less, so this is what the answers take by now, as far as can be told.
    set_answers(decoding, ms);
    cost_ = decoding + cost;
  } else {
    const double answers = answers_ms(decoding);
    cost_ = decoding + cost * (target - answers) / (ms - answers);
  }
}

}  // namespace ingle
