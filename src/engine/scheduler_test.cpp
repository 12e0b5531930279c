#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "engine/scheduler_world_test.h"

namespace ingle {
namespace {

using World = SchedulerWorld;

TEST(Scheduler, AnAnswerWhoseTokenIsLateKeepsItsPlaceAndIsComputedNoFurther) {
  Scheduler scheduler({.pages = 64, .prefill_chunk = 64, .max_sequences = 4});
  StepPacer pacer(100);
  pacer.observe(1, 47, 47, 120);  // 2.5 ms per token
  const auto late = make_sequence(1, {1}), other = make_sequence(2, Tokens(1600, 2));
  scheduler.add(late.get());
  scheduler.next(pacer);
  scheduler.commit();
  scheduler.append(late.get(), 1);
  scheduler.guess(late.get(), Tokens{1, 1});
  EXPECT_EQ(scheduler.next(pacer).batch.tokens.size(), 3u);
  scheduler.commit();
  scheduler.drop_guesses(late.get());
  EXPECT_TRUE(scheduler.next(pacer).batch.tokens.empty());
  EXPECT_FALSE(scheduler.idle());
  scheduler.add(other.get());
  const Step& step = scheduler.next(pacer);
  EXPECT_EQ(step.sequences, std::vector<Sequence*>{other.get()});
  EXPECT_EQ(step.batch.tokens.size(), 32u) << "the late answer does not wait for a whole slice";
  scheduler.commit();
  scheduler.append(late.get(), 2);
  EXPECT_EQ(scheduler.next(pacer).sequences, (std::vector<Sequence*>{late.get(), other.get()}));
  EXPECT_EQ(late->computed, 2u);
  EXPECT_EQ(late->known().back(), 2);
  scheduler.remove(late.get());
  scheduler.remove(other.get());
}

TEST(Scheduler, AWholePromptInTheCacheStillComputesItsLastToken) {
  World world({.pages = 16, .prefill_chunk = 512, .max_sequences = 2});
  world.submit(Tokens(64, 1), 70);
  while (world.step()) {
  }
  for (const auto& [length, cached] : std::map<uint32_t, uint32_t>{{64, 63}, {65, 64}, {63, 62}, {32, 31}, {33, 32}}) {
    world.submit(Tokens(length, 1), length + 1);
    const Step& step = world.scheduler.next();
    EXPECT_EQ(step.batch.sequences[0].position, cached);
    EXPECT_EQ(world.active[0].sequence->cached_tokens, cached);
    while (world.step()) {
    }
  }
}

TEST(Scheduler, RequestsCanGoRoundTheCache) {
  World world({.pages = 16, .prefill_chunk = 512, .max_sequences = 2});
  world.submit(Tokens(64, 1), 70, false);
  while (world.step()) {
  }
  EXPECT_EQ(world.scheduler.kv().cache().size(), 0u);
  EXPECT_EQ(world.scheduler.kv().pool(0).free(), 16u);
}

TEST(Scheduler, OneWithTheSamePromptFindsItOnceItIsComputed) {
  World world({.pages = 16, .prefill_chunk = 512, .max_sequences = 1});
  world.submit(Tokens(100, 1), 101);
  world.submit(Tokens(100, 1), 101);
  ASSERT_TRUE(world.step());
  ASSERT_TRUE(world.step());
  EXPECT_EQ(world.finished, 2u);
  EXPECT_EQ(world.scheduler.kv().cache().size(), 4u) << "three whole ones, and what the last began";
}

TEST(Scheduler, WhatFollowsATurnIsAllThatIsComputed) {
  World world({.pages = 16, .prefill_chunk = 512, .max_sequences = 2});
  Tokens prompt(100, 1);
  world.submit(prompt, 120);
  while (world.active[0].sequence->length() < 119) ASSERT_TRUE(world.step());
  Tokens next = world.active[0].sequence->tokens;
  while (world.step()) {
  }
  next.insert(next.end(), 50, 7);
  world.submit(next, 200);
  EXPECT_EQ(world.scheduler.next().batch.tokens.size(), 50u);
  next[110] = 9;  // edited within a page
  world.submit(next, 200);
  world.step();
  EXPECT_EQ(world.active[1].sequence->cached_tokens, 110u);
  while (world.step()) {
  }
}

TEST(Scheduler, WhoLeavesBeforeItsPagesAreCopiedLeavesNoFalseOnes) {
  World world({.pages = 4, .prefill_chunk = 512, .max_sequences = 2});
  world.submit(Tokens(60, 1), 62);
  while (world.step()) {
  }
  world.submit(Tokens(62, 1), 64);
  world.submit(Tokens(50, 1), 64);
  world.scheduler.next();
  EXPECT_EQ(world.scheduler.running().size(), 2u);
  world.cancel(0);
  world.submit(Tokens(61, 1), 64);
  while (world.step()) {
  }
  EXPECT_EQ(world.finished, 3u);
}

TEST(Scheduler, OneThatHasItsPlaceAlreadyFindsWhatIsComputedMeanwhile) {
  World world({.pages = 16, .prefill_chunk = 512, .max_sequences = 2});
  for (int i = 0; i < 2; i++) world.submit(Tokens(100, 1), 120);
  ASSERT_TRUE(world.step());
  const Sequence& second = *world.active[1].sequence;
  EXPECT_EQ(second.computed, 0u);
  const double served = second.account->served;
  ASSERT_TRUE(world.step());
  EXPECT_EQ(second.cached_tokens, 96u);
  EXPECT_EQ(second.account->served, served - 96 + FairShare::kAnswerWeight) << "its owner pays for what is computed";
}

TEST(Scheduler, WhoGivesItsPromptUpPaysForWhatWasComputed) {
  World world({.pages = 64, .prefill_chunk = 40, .max_sequences = 2});
  for (int i = 0; i < 2; i++) world.submit(Tokens(100, 1), 120);
  const FairShare::Account& account = *world.active[0].sequence->account;
  for (int i = 0; i < 2; i++) ASSERT_TRUE(world.step());
  const double served = account.served;
  EXPECT_EQ(world.active[0].sequence->computed, 80u);
  world.cancel(0);
  EXPECT_EQ(account.served, served - 20);
  world.cancel(0);
}

TEST(Scheduler, TheLatestArrivalWaitsWhenPagesRunOut) {
  World world({.pages = 4, .prefill_chunk = 64, .max_sequences = 4, .prefix_cache = false});
  world.submit(Tokens(32, 1), 100);
  world.submit(Tokens(31, 2), 100);
  while (world.scheduler.preemptions() == 0) ASSERT_TRUE(world.step());
  ASSERT_EQ(world.scheduler.running().size(), 1u);
  EXPECT_EQ(world.scheduler.running()[0]->arrival, 1u);
  EXPECT_GT(world.active[1].sequence->length(), 31u) << "what was generated is kept";
  while (world.step()) {
  }
  EXPECT_EQ(world.finished, 2u);
}

TEST(Scheduler, ASequenceMayFillTheWholePool) {
  World world({.pages = 4, .prefill_chunk = 7, .max_sequences = 4});
  for (TokenId token = 0; token < 3; token++) world.submit(Tokens(100, token), 4 * kPageTokens + 1);
  while (world.step()) {
  }
  EXPECT_EQ(world.finished, 3u);
}

TEST(Scheduler, DeliversEveryPromptPositionOnceDespitePreemption) {
  World world({.pages = 6, .prefill_chunk = 16, .max_sequences = 4});
  world.submit(Tokens(20, 1), 6 * kPageTokens);
  world.submit(Tokens(70, 2), 120, true, true);
  while (world.step()) {
  }
  EXPECT_EQ(world.finished, 2u);
  EXPECT_GT(world.scheduler.preemptions(), 0u);
}

// A sequence of many windows that is preempted over and over, one that is a hit deep in it, one that finds the windows
// gone where the prompts part, and the next of its kind, that finds them again.
TEST(Scheduler, WindowsMoveOn) {
  const std::vector<WindowPool> windows = {{.window = 40, .pages = 12}};
  World world({.pages = 64, .windows = windows, .prefill_chunk = 64, .max_sequences = 4});
  const PagePool& pool = world.scheduler.kv().pool(1);
  Tokens prompt(1000, 1);
  for (size_t i = 0; i < prompt.size(); i += 7) prompt[i] = 2;
  world.submit(prompt, 1200);
  ASSERT_TRUE(world.step());
  while (world.finished == 0) {
    EXPECT_EQ(world.scheduler.kv().pool(0).free(), 64 - world.active[0].sequence->tables[0].pages.size());
    ASSERT_TRUE(world.step());
  }
  EXPECT_GT(pool.idle(), 0u);

  const auto first_position = [&](Tokens tokens) {
    world.submit(std::move(tokens), 0);
    const uint32_t position = world.scheduler.next().batch.sequences[0].position;
    while (world.step()) {
    }
    return position;
  };
  EXPECT_EQ(first_position(prompt), 992u) << "the window has left the page that the prompt ends in";
  Tokens other = prompt;
  other[700] = 3;
  const uint32_t kept = first_position(other);
  EXPECT_EQ(kept, 640u) << "8 windows of 40 tokens are 320, of which two were crossed";
  other[700] = 4;
  EXPECT_EQ(first_position(other), 672u) << "where prompts have parted, the window is kept";

  // Others push the windows out, not the pages of the other layers.
  for (TokenId token = 10; token < 14; token++) first_position(Tokens(100, token));
  EXPECT_EQ(first_position(prompt), 0u);
  EXPECT_EQ(first_position(prompt), 999u);
}

TEST(Scheduler, WindowsThatRunOutPreemptTheLatest) {
  const std::vector<WindowPool> windows = {{.window = 70, .pages = 7}};
  World world({.pages = 100, .windows = windows, .prefill_chunk = 64, .max_sequences = 4});
  for (TokenId token = 1; token < 4; token++) world.submit(Tokens(60, token), 400);
  while (world.step()) {
  }
  EXPECT_EQ(world.finished, 3u);
  EXPECT_GT(world.scheduler.preemptions(), 0u);
  EXPECT_EQ(world.scheduler.kv().pool(1).free() + world.scheduler.kv().pool(1).idle(), 7u);
}

using Order = std::vector<uint64_t>;

TEST(Scheduler, UrgentRequestsGoFirst) {
  World world({.pages = 64, .prefill_chunk = 64, .max_sequences = 1});
  const int32_t priorities[] = {5, 0, -3, 0, 5, -3};
  for (const int32_t priority : priorities) {
    world.submit(Tokens(10, 1), 12);
    world.set_turn(priority, 0);
  }
  while (world.step()) {
  }
  EXPECT_EQ(world.finish_order, (Order{3, 6, 2, 4, 1, 5}));
}

TEST(Scheduler, UsersHaveEqualShares) {
  World world({.pages = 64, .prefill_chunk = 64, .max_sequences = 1, .prefix_cache = false});
  for (uint64_t i = 0; i < 6; i++) {
    world.submit(Tokens(20, 1), 22);
    world.set_turn(0, 1);
  }
  ASSERT_TRUE(world.step());
  for (uint64_t i = 0; i < 3; i++) {
    world.submit(Tokens(20, 1), 22);
    world.set_turn(0, 2);
  }
  while (world.step()) {
  }
  EXPECT_EQ(world.finish_order, (Order{1, 7, 2, 8, 3, 9, 4, 5, 6}));
}

TEST(Scheduler, WhoIsLastInOrderWaitsWhenPagesRunOut) {
  World world({.pages = 4, .prefill_chunk = 64, .max_sequences = 4, .prefix_cache = false});
  world.submit(Tokens(32, 1), 100);
  world.set_turn(1, 0);
  world.submit(Tokens(31, 2), 100);
  while (world.scheduler.preemptions() == 0) ASSERT_TRUE(world.step());
  ASSERT_EQ(world.scheduler.running().size(), 1u);
  EXPECT_EQ(world.scheduler.running()[0]->arrival, 2u);
  while (world.step()) {
  }
  EXPECT_EQ(world.finish_order, (Order{2, 1}));
}

TEST(Scheduler, AStreamOfUrgentRequestsHoldsUpNobodyForEver) {
  World world({.pages = 64, .prefill_chunk = 64, .max_sequences = 1, .prefix_cache = false});
  world.submit(Tokens(10, 1), 12);
  ASSERT_TRUE(world.step());
  world.submit(Tokens(10, 1), 12);
  world.set_turn(7, 0);
  while (std::count(world.finish_order.begin(), world.finish_order.end(), 2u) == 0) {
    ASSERT_LT(world.finished, 100u);
    if (world.active.size() < 3) world.submit(Tokens(10, 1), 12);
    ASSERT_TRUE(world.step());
  }
  EXPECT_EQ(world.finished, kMostPassedOver + 2);
}

// Urgent requests that grow keep taking the pages of one that is not.
TEST(Scheduler, WhoWasPreemptedOftenIsPreemptedNoMore) {
  World world({.pages = 10, .prefill_chunk = 1, .max_sequences = 2, .prefix_cache = false});
  world.submit(Tokens(200, 1), 201);
  world.set_turn(1, 0);
  Sequence* const first = world.active[0].sequence.get();
  uint32_t preempted = 0;
  while (std::count(world.finish_order.begin(), world.finish_order.end(), 1u) == 0) {
    ASSERT_LT(world.finished, 100u);
    if (world.active.size() < 2) world.submit({2}, 110);
    ASSERT_TRUE(world.step());
    if (world.finish_order.empty() || world.finish_order.back() != 1) preempted = first->preempted;
  }
  EXPECT_EQ(preempted, kMostPreempted);
}

// Deterministic small numbers, the same on every machine.
class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed) {}
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(state_() % n); }

 private:
  std::minstd_rand state_;
};

// Random arrivals and cancellations on pools that are too small for what is asked.
class SchedulerProperty : public testing::TestWithParam<uint32_t> {};

TEST_P(SchedulerProperty, ConservesPagesAndFinishesEverybody) {
  Random random(GetParam() * 7919 + 1);
  const uint32_t pages = 3 + random.below(30);
  const uint32_t chunks[] = {1, 7, 32, 100, 512};
  const uint32_t window_sizes[] = {1, 17, 32, 40, 100, 1000};
  std::vector<WindowPool> windows(random.below(3));
  for (WindowPool& pool : windows) {
    pool.window = window_sizes[random.below(6)];
    pool.pages = std::min(pages, resting_pages(pool.window)) + random.below(3) * random.below(10);
  }
  World world({.pages = pages,
               .windows = windows,
               .prefill_chunk = chunks[random.below(5)],
               .max_sequences = 1 + random.below(12),
               .prefix_cache = random.below(4) != 0});
  uint32_t submitted = 0, cancelled = 0;
  while (submitted < 60 || !world.active.empty()) {
    if (submitted < 60 && random.below(4) == 0) {
      const uint32_t capacity = pages * kPageTokens;
      Tokens prompt(1 + random.below(random.below(3) == 0 ? capacity : std::min(capacity, 90u)), 0);
      if (random.below(2) == 0) prompt[random.below(static_cast<uint32_t>(prompt.size()))] = 1;
      const auto used = static_cast<uint32_t>(prompt.size());
      const uint32_t length = used + 1 + random.below(capacity - used + 1);
      world.submit(std::move(prompt), std::min(length, used + 150), random.below(5) != 0, random.below(8) == 0);
      submitted++;
      if (random.below(2) == 0) world.set_turn(static_cast<int32_t>(random.below(3)) - 1, random.below(3));
    }
    if (!world.active.empty() && random.below(20) == 0) {
      world.cancel(random.below(static_cast<uint32_t>(world.active.size())));
      cancelled++;
    }
    const size_t before = world.active.size();
    ASSERT_EQ(world.step(), before > 0);
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_EQ(world.finished + cancelled, submitted);
  for (uint32_t g = 0; g < world.scheduler.kv().groups(); g++) {
    const PagePool& pool = world.scheduler.kv().pool(g);
    EXPECT_EQ(pool.free() + pool.idle(), pool.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerProperty, testing::Range(0u, 150u));

}  // namespace
}  // namespace ingle
