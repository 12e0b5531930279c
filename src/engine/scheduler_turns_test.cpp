// Whose prompt is computed next, and how much of it.
#include <gtest/gtest.h>

#include <vector>

#include "engine/scheduler_world_test.h"

namespace ingle {
namespace {

using World = SchedulerWorld;

TEST(Scheduler, ComputesAPromptInSlicesAndThenDecodes) {
  World world({.pages = 8, .prefill_chunk = 40, .max_sequences = 2});
  world.submit(Tokens(100, 1), 103);
  const auto expect_step = [&](uint32_t position, uint32_t tokens) {
    const Step& step = world.scheduler.next();
    ASSERT_EQ(step.batch.sequences.size(), 1u);
    EXPECT_EQ(step.batch.sequences[0].position, position);
    EXPECT_EQ(step.batch.sequences[0].tokens, tokens);
    ASSERT_TRUE(world.step());
  };
  expect_step(0, 40);
  expect_step(40, 40);
  expect_step(80, 20);
  expect_step(100, 1);
  expect_step(101, 1);
  EXPECT_EQ(world.finished, 1u);
  EXPECT_FALSE(world.step());
  EXPECT_TRUE(world.scheduler.idle());
}

TEST(Scheduler, DecodesWhileAPromptIsComputed) {
  World world({.pages = 64, .prefill_chunk = 16, .max_sequences = 4});
  world.submit({1}, 60);
  ASSERT_TRUE(world.step());
  world.submit(Tokens(160, 2), 161);
  for (int i = 0; i < 10; i++) {
    const Step& step = world.scheduler.next();
    ASSERT_EQ(step.batch.sequences.size(), 2u);
    EXPECT_EQ(step.batch.sequences[0].tokens, 1u);
    EXPECT_EQ(step.batch.sequences[1].tokens, 16u);
    ASSERT_TRUE(world.step());
  }
  EXPECT_EQ(world.finished, 1u);
}

TEST(Scheduler, ThePacerCutsSlicesBesideAnswersAlone) {
  World world({.pages = 64, .prefill_chunk = 64, .max_sequences = 4});
  StepPacer pacer(100);
  pacer.observe(1, 47, 47, 105);  // 2.2 ms per token
  world.submit(Tokens(1600, 2), 1601);
  EXPECT_EQ(world.scheduler.next(pacer).batch.tokens.size(), 64u);
  ASSERT_TRUE(world.step());
  world.submit({1}, 60);
  ASSERT_TRUE(world.step());
  const Step& step = world.scheduler.next(pacer);
  EXPECT_EQ(step.decoding, 1u);
  ASSERT_EQ(step.batch.sequences.size(), 2u);
  EXPECT_EQ(step.batch.sequences[0].tokens, 39u);  // 90 ms of them, with the answer's in fours
  EXPECT_EQ(step.batch.sequences[1].tokens, 1u);
}

TEST(Scheduler, ASliceDeepInAPromptIsSmallerFromTheStart) {
  World world({.pages = 128, .prefill_chunk = 512, .max_sequences = 4, .prompt_cost = {.doubling = 1000}});
  StepPacer pacer(100);
  world.submit(Tokens(3000, 2), 3001);
  while (world.step()) {
  }
  world.submit({1}, 60);
  ASSERT_TRUE(world.step());
  for (int i = 0; i < 60; i++) pacer.observe(1, 99, 99, 90);
  world.submit(Tokens(3200, 2), 3201);
  const Step& step = world.scheduler.next(pacer);
  EXPECT_EQ(step.batch.sequences[1].position, 3000u);
  EXPECT_EQ(step.batch.sequences[1].tokens, 23u) << "of 99; each costs four times as much as those in front";
  EXPECT_NEAR(step.prompt_cost, 23 * 4.01, 0.5);
}

TEST(Scheduler, ASliceWhoseLogitsAreAskedForIsSmallerFromTheStart) {
  World world({.pages = 64, .prefill_chunk = 512, .max_sequences = 4, .prompt_cost = {.logits = 2}});
  StepPacer pacer(100);
  world.submit({1}, 60);
  ASSERT_TRUE(world.step());
  for (int i = 0; i < 60; i++) pacer.observe(1, 99, 99, 90);
  world.submit(Tokens(300, 2), 301, true, true);
  const Step& step = world.scheduler.next(pacer);
  EXPECT_EQ(step.batch.sequences[1].tokens, 31u) << "of 99; each costs three times as much";
  EXPECT_DOUBLE_EQ(step.prompt_cost, 3 * 31);
}

TEST(Scheduler, PromptsTakeTurns) {
  World world({.pages = 64, .prefill_chunk = 32, .max_sequences = 4, .prefix_cache = false});
  world.submit(Tokens(320, 1), 321);
  ASSERT_TRUE(world.step());
  world.submit(Tokens(10, 2), 11);
  world.submit(Tokens(320, 3), 321);
  ASSERT_TRUE(world.step());
  EXPECT_EQ(world.finished, 1u) << "the short prompt does not wait for the long one";
  EXPECT_EQ(world.active[0].sequence->computed, 54u) << "what it left of the step is used";
  ASSERT_TRUE(world.step());
  EXPECT_EQ(world.active[1].sequence->computed, 32u) << "the one that had none";
  for (int i = 0; i < 4; i++) ASSERT_TRUE(world.step());
  EXPECT_EQ(world.active[0].sequence->computed, 54u + 96u) << "the one with the least left, but for every fourth slice";
  EXPECT_EQ(world.active[1].sequence->computed, 64u);
}

// What a slice that was cut leaves of the budget is too little for anybody.
TEST(Scheduler, ThePacersSlicesGoRoundBetweenOwnersAndPrompts) {
  for (const bool one_owner : {false, true}) {
    World world({.pages = 512, .prefill_chunk = 512, .max_sequences = 8, .prefix_cache = false});
    StepPacer pacer(100);
    for (int i = 0; i < 60; i++) pacer.observe(1, 37, 37.7, 90);
    world.submit({1}, 400);
    ASSERT_TRUE(world.step(pacer));
    for (uint64_t i = 0; i < 2; i++) {
      world.submit(Tokens(4000, static_cast<TokenId>(i)), 4001);
      world.set_turn(0, one_owner ? 1 : 1 + i);
    }
    for (int i = 0; i < 60; i++) ASSERT_TRUE(world.step(pacer));
    const uint32_t first = world.active[1].sequence->computed, second = world.active[2].sequence->computed;
    EXPECT_EQ(first + second, 60 * 35u) << "with the answer's token each step fills its tiles";
    EXPECT_NEAR(second, first / (one_owner ? 3.0 : 1.0), 72) << "every fourth is the one's with more left";
  }
}

// A prompt that is never reached is passed over, until it goes before all.
TEST(Scheduler, MoreUrgentPromptsDoNotKeepOneWaitingForEver) {
  World world({.pages = 512, .prefill_chunk = 512, .max_sequences = 4, .prefix_cache = false});
  StepPacer pacer(100);
  for (int i = 0; i < 60; i++) pacer.observe(1, 37, 37.7, 90);
  world.submit({1}, 800);
  ASSERT_TRUE(world.step(pacer));
  world.submit(Tokens(400, 1), 401);
  const Sequence* const patient = world.active[1].sequence.get();
  int steps = 0;
  for (; patient->computed == 0 && steps < 100; steps++) {
    if (world.active.size() < 3) {
      world.submit(Tokens(6 * 35, 2), 6 * 35 + 1);
      world.set_turn(-1, 0);
    }
    ASSERT_TRUE(world.step(pacer));
  }
  EXPECT_NEAR(steps, kMostPassedOver, 3);
}

TEST(Scheduler, PromptsThatComeTogetherHaveWholeStepsToBeginWith) {
  World world({.pages = 512, .prefill_chunk = 512, .max_sequences = 60, .prefix_cache = false});
  StepPacer pacer(100);
  pacer.observe(1, 47, 47, 480);  // 10 ms per token
  for (TokenId i = 0; i < 50; i++) world.submit(Tokens(100, i), 200);
  world.submit(Tokens(2000, 1), 2001);
  const auto computed = [&] {
    uint32_t sum = 0;
    for (const auto& one : world.active) sum += one.sequence->computed;
    return sum;
  };
  uint32_t whole = 0;
  while (world.active.back().sequence->computed == 0) {
    const uint32_t before = computed();
    ASSERT_TRUE(world.step(pacer));
    const uint32_t tokens = computed() - before;
    EXPECT_TRUE(tokens >= 100 || whole == 41) << tokens;
    whole += tokens >= 100;
  }
  EXPECT_EQ(whole, 41u) << "the first, and forty that fit 4096 tokens; what is long waits for none of them";
}

// Both answers beside a newcomer end, it is alone for a while, and the next two come.
TEST(Scheduler, WhatIsLeftOfALongPromptIsNoBurst) {
  World world({.pages = 256, .prefill_chunk = 512, .max_sequences = 8, .prefix_cache = false});
  StepPacer pacer(100);
  pacer.observe(1, 19, 19, 200);  // 10 ms per token
  world.submit(Tokens(1200, 1), 1210);
  const auto computed = [&] { return world.active[0].sequence->computed; };
  while (computed() < 1024) ASSERT_TRUE(world.step(pacer));
  world.submit(Tokens(40, 2), 400);
  world.submit(Tokens(40, 3), 400);
  while (world.active[2].sequence->pending() > 1) ASSERT_TRUE(world.step(pacer));
  EXPECT_EQ(computed(), 1024u) << "short ones go first";
  for (uint32_t before = computed(); before < 1200; before = computed()) {
    ASSERT_TRUE(world.step(pacer));
    EXPECT_LE(computed() - before, 20u);
  }
}

TEST(Scheduler, AFirstAnswerWaitsForNoOtherPrompt) {
  World world({.pages = 64, .prefill_chunk = 512, .max_sequences = 8, .prefix_cache = false});
  const auto computed = [&](size_t i) { return world.active[i].sequence->computed; };
  for (TokenId i = 0; i < 4; i++) world.submit(Tokens(i < 2 ? 40 : 70, i), 100);
  ASSERT_TRUE(world.step());
  EXPECT_EQ(computed(0) + computed(1), 80u) << "short ones go together";
  EXPECT_EQ(computed(2) + computed(3), 0u);
  ASSERT_TRUE(world.step());
  EXPECT_EQ(computed(2) + computed(3), 140u) << "beside answers there is room for all";
}

TEST(Scheduler, PromptsTakeTurnsOwnerByOwner) {
  World world({.pages = 64, .prefill_chunk = 32, .max_sequences = 4, .prefix_cache = false});
  for (uint64_t i = 0; i < 3; i++) {
    world.submit(Tokens(200, 1), 201);
    world.set_turn(0, 1);
  }
  world.submit(Tokens(200, 1), 201);
  world.set_turn(0, 2);
  for (int i = 0; i < 8; i++) ASSERT_TRUE(world.step());
  EXPECT_EQ(world.active[3].sequence->computed, 128u) << "half of the steps";
  EXPECT_EQ(world.active[0].sequence->computed, 96u);
  EXPECT_EQ(world.active[1].sequence->computed, 32u) << "the fourth slice of their owner";
}

TEST(Scheduler, AnUrgentPromptIsComputedFirst) {
  World world({.pages = 64, .prefill_chunk = 32, .max_sequences = 4, .prefix_cache = false});
  world.submit(Tokens(200, 1), 201);
  ASSERT_TRUE(world.step());
  world.submit(Tokens(64, 1), 65);
  world.set_turn(-1, 0);
  ASSERT_TRUE(world.step());
  ASSERT_TRUE(world.step());
  EXPECT_EQ(world.finish_order, std::vector<uint64_t>{2});
  EXPECT_EQ(world.active[0].sequence->computed, 32u);
}

}  // namespace
}  // namespace ingle
