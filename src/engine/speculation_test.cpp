#include "engine/speculation.h"

#include <gtest/gtest.h>

namespace ingle {
namespace {

// As if every step of n tokens had taken ms[n - 1].
Speculation after(std::initializer_list<double> ms) {
  Speculation speculation;
  uint32_t tokens = 0;
  for (const double step : ms) {
    for (int i = 0; i < 50; i++) speculation.observe(tokens + 1, step);
    tokens++;
  }
  return speculation;
}

GuessRecord record(int rounds, uint32_t guessed, uint32_t right) {
  GuessRecord result;
  for (int i = 0; i < rounds; i++) result.observe(guessed, right);
  return result;
}

TEST(GuessRecord, ExpectsWhatCame) {
  EXPECT_NEAR(GuessRecord().expected(3), 0.5 + 0.25 + 0.125, 1e-9);
  EXPECT_EQ(GuessRecord().expected(0), 0);
  EXPECT_GT(record(100, 3, 3).expected(3), 2.99);
  EXPECT_LT(record(100, 3, 0).expected(3), 0.01);
  GuessRecord old = record(100, 3, 0);
  for (int i = 0; i < 1000; i++) old.forget_some();
  EXPECT_NEAR(old.expected(1), 0.5, 1e-3);
}

TEST(Speculation, TakesAllThatIsFree) {
  const Speculation free = after({30, 30, 30, 30});
  EXPECT_EQ(free.best(1, GuessRecord(), 3), 3u);
  EXPECT_EQ(free.best(2, GuessRecord(), 1), 1u);
  EXPECT_EQ(free.best(1, record(100, 3, 0), 3), 0u) << "nothing for something";
}

TEST(Speculation, WeighsWhatItCosts) {
  const Speculation dear = after({10, 20, 30, 40});
  EXPECT_EQ(dear.best(1, record(100, 3, 3), 3), 0u) << "each token costs what it would cost alone";
  const Speculation some = after({10, 12, 19, 26});
  EXPECT_EQ(some.best(1, GuessRecord(), 3), 1u);
  EXPECT_EQ(some.best(1, record(100, 3, 3), 3), 1u);
  EXPECT_EQ(after({10, 12, 14, 16}).best(1, record(100, 3, 3), 3), 3u);
}

TEST(Speculation, TriesWhatItDoesNotKnow) {
  EXPECT_EQ(Speculation().best(1, GuessRecord(), 3), 0u) << "what a guess costs is known by a step without it";
  EXPECT_EQ(after({10}).best(1, GuessRecord(), 3), 3u);
  EXPECT_EQ(after({10, 15}).best(1, record(100, 3, 3), 3), 3u) << "three may take no longer than two";
}

TEST(Speculation, OneSlowStepIsNoRule) {
  Speculation speculation = after({10, 10, 10, 10});
  speculation.observe(4, 5000);
  EXPECT_EQ(speculation.best(1, record(100, 3, 3), 3), 3u);
  for (int i = 0; i < 50; i++) speculation.observe(4, 50);
  EXPECT_EQ(speculation.best(1, record(100, 3, 3), 3), 2u);
  speculation.observe(5, 1);
  speculation.observe(0, 1);
}

TEST(Speculation, TriesAgainWhatItSawOnABadDay) {
  Speculation speculation = after({10, 10, 10});
  speculation.observe(4, 5000);
  const GuessRecord right = record(100, 3, 3);
  EXPECT_EQ(speculation.best(1, right, 3), 2u);
  uint32_t steps = 0;
  for (; speculation.best(1, right, 3) < 3 && steps < 10'000; steps++) speculation.observe(steps % 2 == 0 ? 1 : 3, 10);
  EXPECT_GT(steps, 100u) << "where it does cost that much, seldom";
  EXPECT_LT(steps, 1000u);
  speculation.observe(4, 10);
  EXPECT_EQ(speculation.best(1, right, 3), 3u);
}

// Else a first slow one would make guesses look free for ever.
TEST(Speculation, TriesAgainWhatAStepWithoutGuessesTakes) {
  Speculation speculation;
  speculation.observe(1, 5000);
  const GuessRecord seldom = record(100, 3, 0);
  uint32_t plain = 0, guesses = 0;
  for (int i = 0; i < 2000; i++) {
    const uint32_t best = speculation.best(1, GuessRecord(), 3);
    plain += best == 0;
    speculation.observe(1 + best, 10 + 10 * best);
  }
  EXPECT_GT(plain, 1000u) << "each guess costs what a token costs";
  for (int i = 0; i < 2000; i++) guesses += speculation.best(1, seldom, 3);
  EXPECT_EQ(guesses, 0u);
}

}  // namespace
}  // namespace ingle
