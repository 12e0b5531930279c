#include "engine/step_pacer.h"

namespace ingle {
namespace {

constexpr double kGrowth = 0.25;

}  // namespace

uint32_t StepPacer::slice(uint32_t decoding) const {
  if (budget_ms_ == 0 || decoding == 0) return kUnlimited;
  const double tokens = tokens_ - decoding;
  if (tokens <= kLeastSlice) return kLeastSlice;
  return tokens < kUnlimited ? static_cast<uint32_t>(tokens) / kLeastSlice * kLeastSlice : kUnlimited;
}

// A step takes longer with more tokens, but at most in proportion to them: weights are read once for all. So what a
// step took tells how many tokens surely fit; a guess that they all cost the same would fit too many.
void StepPacer::observe(uint32_t decoding, uint32_t prompt_tokens, double ms) {
  if (prompt_tokens == 0 || ms <= 0) return;
  const double fitting = (decoding + prompt_tokens) * budget_ms_ / ms;
  // Less at once, more by and by, since the time of equal steps varies. A step within the budget that was smaller than
  // it might have been is no reason to take less.
  if (ms > budget_ms_) {
    tokens_ = fitting;
  } else if (fitting > tokens_) {
    tokens_ += kGrowth * (fitting - tokens_);
  }
}

}  // namespace ingle
