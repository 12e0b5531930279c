// Constraints that take long: who waits for them, and who doesn't.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <thread>

#include "engine/engine_loop.h"
#include "engine/toy_constraints_test.h"

namespace ingle {
namespace {

using std::chrono::milliseconds;

Request winding(Tokens prompt, uint32_t max_tokens, OnMask on_mask = nullptr) {
  Request request = greedy(std::move(prompt), max_tokens);
  request.ignore_eos = true;
  request.constraint = std::make_shared<Winding>(std::move(on_mask));
  return request;
}

Request free_running(Tokens prompt, uint32_t max_tokens) {
  Request request = greedy(std::move(prompt), max_tokens);
  request.ignore_eos = true;
  return request;
}

// An answer whose mask of its fourth token is late until the gate opens.
class LateAnswer {
 public:
  LateAnswer(World& world, const Gate& gate, Tokens prompt, uint32_t max_tokens) {
    expected_ = World({.vocab = kVocab, .context = 160, .scheduler = {.pages = 8}}).answer(winding(prompt, max_tokens));
    stream_ = world.submit(winding(prompt, max_tokens, [this, &gate](const Tokens& tokens) {
      if (tokens.size() != 3) return;
      is_late_ = true;
      gate.wait();
    }));
  }

  // Until no step is computed any more.
  void wait_until_late(const World& world) const {
    while (!is_late_) std::this_thread::sleep_for(milliseconds(1));
    // A busy machine may leave the loop without a turn between two looks.
    uint64_t steps = 0;
    for (int equal = 0; equal < 5;) {
      std::this_thread::sleep_for(milliseconds(10));
      const uint64_t now = world.backend->steps;
      equal = now == steps ? equal + 1 : 0;
      steps = now;
    }
  }
  bool is_late() const { return is_late_; }
  TokenStream& stream() { return *stream_; }
  void drop() { stream_.reset(); }
  const Tokens& expected() const { return expected_.tokens; }

 private:
  TokenEvent expected_;
  std::atomic<bool> is_late_{false};
  std::unique_ptr<TokenStream> stream_;
};

TEST(LateMask, KeepsNobodyElseWaiting) {
  Gate gate;
  EngineLoopOptions options = patient();
  options.speculate = false;
  World world(options);
  LateAnswer late(world, gate, {5, 6}, 20);
  late.wait_until_late(world);
  EXPECT_EQ(world.answer(free_running({3, 5}, 100)).tokens, expected_answer({3, 5}, 100, true));
  EXPECT_EQ(world.answer(winding({4, 6}, 30)).tokens.size(), 30u) << "another's masks come, too";
  EXPECT_EQ(late.stream().next().tokens.size(), 3u);
  EXPECT_FALSE(late.stream().try_next());
  gate.open();
  const TokenEvent rest = World::read(late.stream());
  EXPECT_EQ(rest.finish, FinishReason::kLength);
  EXPECT_EQ(rest.tokens, Tokens(late.expected().begin() + 3, late.expected().end()));
  EXPECT_EQ(world.backend->computed_tokens, (2u + 99) + (2 + 29) + (2 + 19)) << "nothing is computed twice";
}

// The loop sleeps while there is nothing but the mask to wait for.
TEST(LateMask, TakesNoTimeOfTheProcessor) {
  Gate gate;
  std::atomic<uint64_t> readings{0};  // two whenever the loop looks for the mask
  EngineLoopOptions options = patient();
  options.step_clock = [&readings] {
    readings++;
    return std::chrono::steady_clock::now();
  };
  World world(options);
  LateAnswer late(world, gate, {5, 6}, 20);
  late.wait_until_late(world);
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t used_before = std::clock();
  const uint64_t readings_before = readings;
  std::this_thread::sleep_for(milliseconds(300));
  const uint64_t looks = (readings - readings_before) / 2;
  const double used = static_cast<double>(std::clock() - used_before) / CLOCKS_PER_SEC;
  const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - start;
  EXPECT_LT(static_cast<double>(looks), waited.count() / 0.005) << "it sleeps for 10 ms at a time";
  EXPECT_LT(used, waited.count() / 2) << "of all threads, a sanitizer's too";
  gate.open();
  EXPECT_EQ(World::read(late.stream()).tokens, late.expected());
}

TEST(LateMask, CanBeCancelled) {
  Gate gate;
  World world(patient({.pages = 5}));
  LateAnswer late(world, gate, {5, 6}, 20);
  late.wait_until_late(world);
  late.stream().cancel();
  EXPECT_EQ(World::read(late.stream()).finish, FinishReason::kCancelled);
  EXPECT_EQ(world.loop->metrics().pages_held, 0u);
  EXPECT_EQ(world.answer(free_running({3}, 150)).tokens, expected_answer({3}, 150, true));
  LateAnswer dropped(world, gate, {5, 6}, 20);
  dropped.wait_until_late(world);
  dropped.drop();
  EXPECT_EQ(world.answer(free_running({4}, 150)).tokens, expected_answer({4}, 150, true));
  gate.open();
}

TEST(LateMask, KeepsNoEngineFromItsEnd) {
  Gate gate;
  std::thread reader;
  std::unique_ptr<LateAnswer> late;
  {
    World world(patient());
    late = std::make_unique<LateAnswer>(world, gate, Tokens{5, 6}, 20);
    late->wait_until_late(world);
    reader = std::thread([&] {
      EXPECT_EQ(World::read(late->stream()).finish, FinishReason::kCancelled);
      gate.open();  // the threads of masks are waited for
    });
  }
  reader.join();
}

TEST(LateMask, MayBePreempted) {
  Gate gate, both_are_there;
  std::unique_ptr<LateAnswer> late;
  EngineLoopOptions options = patient({.pages = 5, .prefix_cache = false});
  options.speculate = false;
  World world(options);
  // The first needs the other's pages after some 90 steps; by then its mask is late.
  world.on_step = [&] {
    both_are_there.wait();
    if (!late->is_late()) std::this_thread::sleep_for(milliseconds(20));
  };
  const auto first = world.submit(free_running({3}, 150));
  late = std::make_unique<LateAnswer>(world, gate, Tokens(40, 5), 60);
  both_are_there.open();
  EXPECT_EQ(World::read(*first).tokens, expected_answer({3}, 150, true));
  EXPECT_EQ(world.loop->metrics().preemptions, 1u);
  late->wait_until_late(world);
  gate.open();
  EXPECT_EQ(World::read(late->stream()).tokens, late->expected());
  EXPECT_EQ(world.backend->computed_tokens, (1u + 149) + (40 + 59) + (40 + 3)) << "twice: what it had when it was late";
}

// The patience counts from the logits on, whatever else is computed meanwhile.
TEST(LateMask, ThatNeverComesEndsItsAnswer) {
  Gate gate;
  EngineLoopOptions options = patient();
  options.mask_patience = milliseconds(1000);
  std::atomic<bool> hurry{false};
  World world(options);
  world.on_step = [&] {
    if (!hurry) std::this_thread::sleep_for(milliseconds(5));
  };
  const auto other = world.submit(free_running({3}, 1000));
  LateAnswer late(world, gate, {5, 6}, 20);
  const TokenEvent answer = World::read(late.stream());
  EXPECT_EQ(answer.finish, FinishReason::kError);
  EXPECT_EQ(answer.tokens.size(), 3u);
  EXPECT_EQ(other->try_next()->finish, FinishReason::kNone) << "it waited for the other's end";
  hurry = true;
  EXPECT_EQ(World::read(*other).finish, FinishReason::kLength);
  gate.open();
}

TEST(LateMask, MayComeWithEveryToken) {
  EngineLoopOptions options = patient();
  options.mask_patience = milliseconds(1500);  // less than all of them take
  World world(options);
  const auto late = [](const Tokens&) { std::this_thread::sleep_for(milliseconds(30)); };
  EXPECT_EQ(world.answer(winding({5, 6}, 52, late)).finish, FinishReason::kLength) << "the patience is for each";
}

// The answer goes round in a circle, so that guesses are right, but for the mask it would be one letter.
TEST(LateMask, OfAGuessLeavesTheTokensBeforeIt) {
  Tokens answers[2];
  for (const bool late : {false, true}) {
    EngineLoopOptions options = patient();
    options.mask_grace = late ? milliseconds(1) : milliseconds(10000);
    World world(options, StepTimes::kEqual);
    world.on_logits = [](uint64_t, std::vector<float>& logits) {
      logits.assign(kVocab, -8.0f);
      for (TokenId id = 1; id <= 3; id++) logits[id] = static_cast<float>(id);
    };
    answers[late] = world
                        .answer(winding({5, 6}, 150,
                                        [&](const Tokens& tokens) {
                                          if (late && tokens.size() % 2 == 1)
                                            std::this_thread::sleep_for(milliseconds(3));
                                        }))
                        .tokens;
    EXPECT_TRUE(late || world.backend->steps < 100) << "there were guesses";
  }
  EXPECT_EQ(answers[1], answers[0]);
  EXPECT_THAT(answers[0], testing::AllOf(testing::Contains(2), testing::Contains(3)));
}

// Some masks are late by more than the grace, some by less, and those of guesses as well as of sure tokens.
TEST(LateMask, ChangesNoAnswer) {
  const auto request_of = [](uint32_t user, const OnMask& on_mask) {
    Request request = winding(Tokens(20 + user, static_cast<TokenId>(1 + user % 3)), 60, on_mask);
    if (user % 3 == 2) request.constraint = nullptr;
    request.sampling.temperature = user % 2 == 0 ? 0.7f : 0;
    request.sampling.seed = user;
    request.min_tokens = user % 4 == 1 ? user : 50;  // most grow until pages run out
    request.ignore_eos = user % 4 == 0;
    request.logprobs = true;
    request.top_logprobs = 2;
    return request;
  };
  const OnMask on_mask = [](const Tokens& tokens) {
    const uint64_t kind = toy_state(tokens) % 16;
    if (kind < 4) std::this_thread::sleep_for(std::chrono::microseconds(500 << kind));
  };
  const auto repeat_few_letters = [](uint64_t state, std::vector<float>& logits) {
    for (TokenId id = 1; id < 3; id++) logits[id] = state % 5 == 0 ? logits[id] : static_cast<float>(4 * id);
  };
  uint64_t preemptions = 0;
  for (const uint32_t users : {1u, 2u, 3u, 9u}) {
    EngineLoopOptions options = patient({.pages = 8, .windows = {{.window = 40, .pages = 10}}, .prefill_chunk = 16});
    options.mask_grace = milliseconds(1);
    World crowded(options);
    crowded.on_logits = repeat_few_letters;
    std::vector<std::unique_ptr<TokenStream>> streams;
    for (uint32_t user = 0; user < users; user++) streams.push_back(crowded.submit(request_of(user, on_mask)));
    for (uint32_t user = 0; user < users; user++) {
      options.speculate = false;
      World alone(options);
      alone.on_logits = repeat_few_letters;
      const TokenEvent expected = alone.answer(request_of(user, nullptr)), answer = World::read(*streams[user]);
      EXPECT_EQ(answer.tokens, expected.tokens) << users << " users, " << user;
      EXPECT_EQ(answer.logprobs, expected.logprobs);
      EXPECT_EQ(answer.top_logprobs, expected.top_logprobs);
      EXPECT_EQ(answer.finish, expected.finish);
    }
    preemptions += crowded.loop->metrics().preemptions;
  }
  EXPECT_GT(preemptions, 0u);
}

}  // namespace
}  // namespace ingle
