#include "engine/speculation.h"

#include <algorithm>

#include "base/check.h"

namespace ingle {
namespace {

constexpr double kKept = 0.9;        // of what is known of guesses, when one more is judged
constexpr double kForgotten = 0.02;  // of the difference to the beginning, per token without a guess
constexpr double kNewStep = 0.1;     // weight of the last step's time
constexpr double kSlowestStep = 2;   // of the mean: what else the machine did is not the step's cost
constexpr double kLeastGain = 1.02;  // the times are noisy

}  // namespace

void GuessRecord::observe(uint32_t guessed, uint32_t right) {
  CHECK(right <= guessed);
  right_ = right_ * kKept + right;
  wrong_ = wrong_ * kKept + (right < guessed ? 1 : 0);
}

void GuessRecord::forget_some() {
  right_ += (1 - right_) * kForgotten;
  wrong_ += (1 - wrong_) * kForgotten;
}

// A guess counts if it is right and all before it are.
double GuessRecord::expected(uint32_t guesses) const {
  const double chance = right_ / (right_ + wrong_);
  double sum = 0, all_right = 1;
  for (uint32_t i = 0; i < guesses; i++) sum += all_right *= chance;
  return sum;
}

void Speculation::observe(uint32_t tokens, double ms) {
  if (tokens == 0 || tokens > kMaxTokens) return;
  double& mean = ms_[tokens];
  mean = mean == 0 ? ms : mean + kNewStep * (std::min(ms, kSlowestStep * mean) - mean);
}

uint32_t Speculation::best(uint32_t tokens, const GuessRecord& record, uint32_t most) const {
  CHECK(tokens >= 1 && tokens + most <= kMaxTokens);
  uint32_t best = 0;
  double best_rate = 0, ms = 0;
  for (uint32_t guesses = 0; guesses <= most; guesses++) {
    // A step that was never seen is tried; one with more tokens takes no less than one with fewer.
    ms = std::max(ms, ms_[tokens + guesses]);
    if (ms == 0) return most;
    const double rate = (tokens + record.expected(guesses)) / ms;
    if (rate <= best_rate * (best == 0 && guesses > 0 ? kLeastGain : 1)) continue;
    best = guesses;
    best_rate = rate;
  }
  return best;
}

}  // namespace ingle
