#include "engine/step_pacer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace ingle {
namespace {

constexpr double kBudgetMs = 100;

// Tokens that cost 1 each.
uint32_t fitting(const StepPacer& pacer, uint32_t decoding) {
  return StepPacer::fill_tiles(static_cast<uint32_t>(pacer.slice(decoding)), decoding);
}

void observe(StepPacer& pacer, uint32_t decoding, uint32_t prompt_tokens, double ms) {
  pacer.observe(decoding, prompt_tokens, prompt_tokens, ms);
}

TEST(StepPacer, WithoutABudgetOrAnybodyToWaitThereIsNoLimit) {
  StepPacer unlimited;
  observe(unlimited, 4, 512, 2000);
  EXPECT_EQ(unlimited.slice(4), StepPacer::kUnlimited);
  StepPacer pacer(kBudgetMs);
  observe(pacer, 0, 512, 2000);
  EXPECT_EQ(pacer.slice(0), StepPacer::kUnlimited);
}

// A machine: reading the weights, and what each token costs at its depth.
struct Machine {
  double weights_ms, token_ms, attention_ms;  // the last per token and token before it
  double step_ms(uint32_t decoding, uint32_t prompt_tokens, uint32_t depth) const {
    return std::max(weights_ms, token_ms * (decoding + prompt_tokens)) + attention_ms * depth * prompt_tokens;
  }
};

// A step of so many answers and no prompts, as often as there were before a newcomer came.
void decode(StepPacer& pacer, const Machine& machine, uint32_t decoding) {
  for (int i = 0; i < 20; i++) observe(pacer, decoding, 0, machine.step_ms(decoding, 0, 0));
}

TEST(StepPacer, ALongPromptKeepsToTheBudgetOnFastAndSlowMachines) {
  // The third is one on which eight tokens at the prompt's end take far more than the budget.
  const Machine machines[] = {{5, 0.3, 1e-5}, {30, 5, 2e-4},  {35, 4, 1e-3},
                              {60, 4, 0},     {90, 20, 1e-3}, {1, 0.02, 1e-6}};
  for (const Machine& machine : machines) {
    for (const uint32_t decoding : {1u, 3u, 6u}) {
      StepPacer pacer(kBudgetMs);
      decode(pacer, machine, decoding);
      std::mt19937 random(decoding);
      std::uniform_real_distribution<double> noise(0.95, 1.05);
      // Where answers, or they and a single token, take most of the budget or more, prompts add a little to it.
      const double answers_ms = machine.step_ms(decoding, 0, 0);
      const double share_ms = StepPacer::least_for_prompts_ms(answers_ms, kBudgetMs);
      const double least_ms = std::max(kBudgetMs, answers_ms + share_ms);
      uint32_t steps = 0, timid = 0;
      for (uint32_t depth = 0; depth < 16384; steps++) {
        const uint32_t slice = std::min(fitting(pacer, decoding), 512u);
        ASSERT_GE(slice, 1u);
        const double ms = machine.step_ms(decoding, slice, depth) * noise(random);
        const double one_ms = machine.step_ms(decoding, 1, depth) * 1.05;
        const double wanted_ms = one_ms > least_ms ? one_ms + share_ms : least_ms;
        // The first slice is a guess.
        if (steps > 0) {
          EXPECT_LE(ms, 1.2 * wanted_ms) << slice << " tokens at " << depth << ", " << machine.token_ms << " ms each";
        }
        observe(pacer, decoding, slice, ms);
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
  observe(pacer, 2, 0, 20);
  const auto step = [&] { observe(pacer, 2, fitting(pacer, 2), 20 + fitting(pacer, 2)); };
  for (int i = 0; i < 60; i++) step();
  const uint32_t usual = fitting(pacer, 2);
  EXPECT_NEAR(usual, 0.9 * kBudgetMs - 20, 8);
  observe(pacer, 2, usual, 4000);
  EXPECT_LE(fitting(pacer, 2), 8u);
  for (int i = 0; i < 60; i++) step();
  EXPECT_NEAR(fitting(pacer, 2), usual, 8);
  // Of a step without prompts, too.
  for (const uint32_t prompt_tokens : {0u, 1u}) {
    observe(pacer, 2, prompt_tokens, 4000);
    for (int i = 0; i < 60; i++) {
      EXPECT_LE(20 + fitting(pacer, 2), 1.2 * kBudgetMs);
      step();
    }
    EXPECT_NEAR(fitting(pacer, 2), usual, 8);
  }
}

// However much the times of equal steps vary, few are long; where they hardly do, the budget is used.
TEST(StepPacer, AimsAsHighAsTheTimesOfEqualStepsAllow) {
  for (const double deviation : {0.02, 0.1, 0.2}) {
    StepPacer pacer(kBudgetMs);
    std::mt19937 random(1);
    std::lognormal_distribution<double> noise(0, deviation);
    observe(pacer, 2, 0, 20);
    constexpr int kSteps = 20'000;
    int slow = 0;
    double sum = 0;
    for (int i = -1000; i < kSteps; i++) {
      const uint32_t slice = fitting(pacer, 2);
      const double ms = (20 + slice) * noise(random);
      observe(pacer, 2, slice, ms);
      if (i < 0) continue;
      slow += ms > StepPacer::kSlow * kBudgetMs;
      sum += ms;
    }
    EXPECT_LE(slow, 1.2 * StepPacer::kSlowSteps * kSteps) << deviation;
    EXPECT_GE(sum / kSteps, kBudgetMs * (0.97 - 2 * deviation)) << deviation;
  }
}

TEST(StepPacer, AimsHighAgainAfterABadTimeWhateverTheAnswersTake) {
  for (const double answers_ms : {20.0, 45.0}) {
    StepPacer pacer(kBudgetMs);
    std::mt19937 random(1);
    std::lognormal_distribution<double> noise(0, 0.3);
    observe(pacer, 2, 0, answers_ms);
    const auto step = [&](double factor) {
      const uint32_t slice = fitting(pacer, 2);
      observe(pacer, 2, slice, (answers_ms + slice) * factor);
      return answers_ms + slice;
    };
    for (int i = 0; i < 1000; i++) step(noise(random));
    EXPECT_LE(step(1), std::max(75.0, answers_ms + 45));
    for (int i = 0; i < 3000; i++) step(1);
    EXPECT_GE(step(1), 95);
  }
}

// Neither prompts that come while nobody answers, nor the ends of prompts.
TEST(StepPacer, WhatItDidNotCutSaysNothingOfWhatToAimAt) {
  StepPacer pacer(kBudgetMs);
  const auto step = [&] {
    const uint32_t slice = fitting(pacer, 2);
    observe(pacer, 2, slice, 30.0 + slice);
    return 30.0 + slice;
  };
  for (int i = 0; i < 40; i++) step();
  const double usual = step();
  for (int i = 0; i < 30; i++) observe(pacer, 2, 256, 30 + 256);
  for (int i = 0; i < 3000; i++) observe(pacer, 2, 3, 33);
  for (int i = 0; i < 40; i++) step();
  EXPECT_NEAR(step(), usual, 8);
}

TEST(StepPacer, TheEndOfAPromptIsNoReasonToTakeLess) {
  StepPacer pacer(kBudgetMs);
  for (int i = 0; i < 40; i++) observe(pacer, 1, 63, 50);
  const uint32_t slice = fitting(pacer, 1);
  EXPECT_EQ(slice, 115u);    // (1 + 63) * 90.8 / 50, in fours less the answer: the aim has risen a little
  observe(pacer, 1, 3, 45);  // reading the weights
  EXPECT_EQ(fitting(pacer, 1), slice);
}

TEST(StepPacer, AnswersThatFillTheBudgetStillLetPromptsMoveOn) {
  // Reading the weights takes more than the budget; a token beside them costs next to nothing, or much.
  for (const Machine& machine : {Machine{150, 1, 0}, Machine{150, 20, 0}}) {
    StepPacer pacer(kBudgetMs);
    decode(pacer, machine, 2);
    uint32_t tokens = 0;
    for (int i = 0; i < 100; i++) {
      const uint32_t slice = fitting(pacer, 2);
      tokens += slice;
      observe(pacer, 2, slice, machine.step_ms(2, slice, 0));
    }
    EXPECT_GE(tokens, 500u);
    EXPECT_LE(machine.step_ms(2, fitting(pacer, 2), 0), 1.2 * (150 + StepPacer::least_for_prompts_ms(150, kBudgetMs)));
  }
}

// While one prompt follows the other, no step tells what the answers alone take.
TEST(StepPacer, AnswersThatBecomeManyOrFewAreNoticed) {
  StepPacer pacer(kBudgetMs);
  const Machine machine{30, 5, 0};
  decode(pacer, machine, 2);
  uint32_t decoding = 2;
  const auto step = [&] {
    const uint32_t slice = fitting(pacer, decoding);
    const double ms = machine.step_ms(decoding, slice, 0);
    observe(pacer, decoding, slice, ms);
    return ms;
  };
  for (int i = 0; i < 30; i++) step();
  decoding = 30;
  for (int i = 0; i < 30; i++) step();
  EXPECT_GE(fitting(pacer, decoding), 6u);
  EXPECT_LE(step(), 1.2 * (150 + StepPacer::least_for_prompts_ms(150, kBudgetMs)));
  decoding = 2;
  for (int i = 0; i < 3; i++) step();
  for (int i = 0; i < 100; i++) EXPECT_LE(step(), 1.2 * kBudgetMs);
}

}  // namespace
}  // namespace ingle
