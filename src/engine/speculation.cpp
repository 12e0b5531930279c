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
// Steps until what others take is tried again, without guesses too: it may have been seen on a bad day only. Where it
// does cost more, once in so many steps is cheap.
constexpr uint32_t kTryAgainAfter = 400;

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
  for (StepTime& time : times_) time.steps_since++;
  StepTime& time = times_[tokens];
  if (time.ms == 0) {
    time.ms = ms;
  } else if (time.is_old()) {
    time.ms = std::min(ms, time.ms);  // one of them may have come on a bad day
  } else {
    time.ms += kNewStep * (std::min(ms, kSlowestStep * time.ms) - time.ms);
  }
  time.steps_since = 0;
}

bool Speculation::StepTime::is_old() const { return steps_since > kTryAgainAfter; }

uint32_t Speculation::best(uint32_t tokens, const GuessRecord& record, uint32_t most) const {
  CHECK(tokens >= 1 && tokens + most <= kMaxTokens);
  double ms = times_[tokens].ms;
  if (ms == 0 || times_[tokens].is_old()) return 0;
  uint32_t best = 0;
  double best_rate = tokens / ms * kLeastGain;
  for (uint32_t guesses = 1; guesses <= most; guesses++) {
    // A step that was never seen, or long ago, is tried; one with more tokens takes no less than one with fewer.
    const StepTime& time = times_[tokens + guesses];
    if (!time.is_old()) ms = std::max(ms, time.ms);
    const double rate = (tokens + record.expected(guesses)) / ms;
    if (rate <= best_rate) continue;
    best = guesses;
    best_rate = rate;
  }
  return best;
}

}  // namespace ingle
