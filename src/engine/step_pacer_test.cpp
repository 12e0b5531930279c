#include "engine/step_pacer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace ingle {
namespace {

constexpr double kBudgetMs = 100;

TEST(StepPacer, WithoutABudgetOrAnybodyToWaitThereIsNoLimit) {
  StepPacer unlimited;
  unlimited.observe(4, 512, 2000);
  EXPECT_EQ(unlimited.slice(4), StepPacer::kUnlimited);
  StepPacer pacer(kBudgetMs);
  pacer.observe(0, 512, 2000);
  EXPECT_EQ(pacer.slice(0), StepPacer::kUnlimited);
}

// A machine: reading the weights, and what each token costs at its depth.
struct Machine {
  double weights_ms, token_ms, attention_ms;  // the last per token and token before it
  double step_ms(uint32_t decoding, uint32_t prompt_tokens, uint32_t depth) const {
    return std::max(weights_ms, token_ms * (decoding + prompt_tokens)) + attention_ms * depth * prompt_tokens;
  }
};

TEST(StepPacer, ALongPromptKeepsToTheBudgetOnFastAndSlowMachines) {
  const Machine machines[] = {{5, 0.3, 1e-5}, {30, 5, 2e-4}, {60, 4, 0}, {90, 20, 1e-3}, {1, 0.02, 1e-6}};
  for (const Machine& machine : machines) {
    for (const uint32_t decoding : {1u, 3u}) {
      StepPacer pacer(kBudgetMs);
      std::mt19937 random(decoding);
      std::uniform_real_distribution<double> noise(0.95, 1.05);
      const double least_ms = machine.step_ms(decoding, StepPacer::kLeastSlice, 16384) * 1.05;
      uint32_t steps = 0, timid = 0;
      for (uint32_t depth = 0; depth < 16384; steps++) {
        const uint32_t slice = std::min(pacer.slice(decoding), 512u);
        ASSERT_GE(slice, StepPacer::kLeastSlice);
        const double ms = machine.step_ms(decoding, slice, depth) * noise(random);
        // The first slice is a guess.
        if (steps > 0) {
          EXPECT_LE(ms, std::max(1.2 * kBudgetMs, least_ms)) << slice << " tokens at " << depth;
        }
        pacer.observe(decoding, slice, ms);
        depth += slice;
        // The next size up would have been within the budget by far.
        if (slice < 512 && machine.step_ms(decoding, slice + 8, depth) < 0.6 * kBudgetMs) timid++;
      }
      EXPECT_LE(timid, 40u) << machine.token_ms << " ms per token";
    }
  }
}

TEST(StepPacer, AHiccupIsForgotten) {
  StepPacer pacer(kBudgetMs);
  const auto step = [&] { pacer.observe(2, pacer.slice(2), 20 + pacer.slice(2)); };
  for (int i = 0; i < 60; i++) step();
  const uint32_t usual = pacer.slice(2);
  EXPECT_NEAR(usual, 80, 8);
  pacer.observe(2, usual, 4000);
  EXPECT_EQ(pacer.slice(2), StepPacer::kLeastSlice);
  for (int i = 0; i < 60; i++) step();
  EXPECT_NEAR(pacer.slice(2), usual, 8);
}

TEST(StepPacer, TheEndOfAPromptIsNoReasonToTakeLess) {
  StepPacer pacer(kBudgetMs);
  for (int i = 0; i < 40; i++) pacer.observe(1, 63, 50);
  const uint32_t slice = pacer.slice(1);
  EXPECT_EQ(slice, 120u);
  pacer.observe(1, 3, 45);  // reading the weights
  EXPECT_EQ(pacer.slice(1), slice);
}

TEST(StepPacer, AnswersThatFillTheBudgetStillLetPromptsMoveOn) {
  StepPacer pacer(kBudgetMs);
  pacer.observe(1, 32, 400);
  EXPECT_EQ(pacer.slice(1), StepPacer::kLeastSlice);
}

}  // namespace
}  // namespace ingle
