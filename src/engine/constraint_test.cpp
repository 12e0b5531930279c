#include "engine/constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "base/thread_time.h"
#include "engine/mask_worker.h"
#include "engine/toy_constraints_test.h"

namespace ingle {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

Request rising(Tokens prompt, size_t shortest = 0) {
  Request request = greedy(std::move(prompt), 100);
  request.constraint = std::make_shared<Rising>(shortest);
  return request;
}

bool is_rising(const Tokens& tokens) {
  const auto end = tokens.end() - (!tokens.empty() && tokens.back() == kEos);
  return std::adjacent_find(tokens.begin(), end, std::greater_equal<>()) == end;
}

TEST(Constraint, AnswersAreWhatItAllows) {
  World world(patient());
  for (TokenId first = 1; first < 20; first++) {
    const TokenEvent answer = world.answer(rising({first, 7}, 4));
    EXPECT_EQ(answer.finish, FinishReason::kStop);
    EXPECT_EQ(answer.tokens.back(), kEos);
    EXPECT_TRUE(answer.tokens.size() >= 5 || answer.tokens[answer.tokens.size() - 2] == kVocab - 1) << answer.text;
    EXPECT_TRUE(is_rising(answer.tokens)) << answer.text;
    // Of what is allowed, the likeliest.
    Tokens tokens = {first, 7};
    for (const TokenId token : answer.tokens) {
      const std::vector<float> logits = toy_logits(toy_state(tokens), kVocab);
      const TokenId last = tokens.size() == 2 ? kEos : tokens.back();
      for (TokenId id = last + 1; token != kEos && id < static_cast<TokenId>(kVocab); id++) {
        EXPECT_GE(logits[token], logits[id]);
      }
      tokens.push_back(token);
    }
  }
}

TEST(Constraint, SampledAnswersKeepToItWithEveryFilter) {
  World world(patient());
  for (uint64_t seed = 0; seed < 40; seed++) {
    Request request = rising({3, 4}, 3);
    request.sampling.temperature = 1.5f;
    request.sampling.seed = seed;
    request.sampling.top_k = seed % 2 == 0 ? 5 : 0;
    request.sampling.typical_p = seed % 3 == 0 ? 0.7f : 1;
    request.sampling.logit_bias = {{9, 50.0f}};
    EXPECT_TRUE(is_rising(world.answer(request).tokens));
  }
}

TEST(Constraint, EndsWhereItMustWhateverElseIsAsked) {
  World world(patient());
  Request request = rising({3, 4});
  request.ignore_eos = true;
  TokenEvent answer = world.answer(request);
  ASSERT_GE(answer.tokens.size(), 2u);
  EXPECT_EQ(answer.tokens[answer.tokens.size() - 2], static_cast<TokenId>(kVocab) - 1);  // nothing comes after z
  EXPECT_EQ(answer.tokens.back(), kEos);
  EXPECT_EQ(answer.finish, FinishReason::kStop);
  request.ignore_eos = false;
  request.min_tokens = 99;
  EXPECT_EQ(world.answer(request).tokens, answer.tokens);
}

TEST(Constraint, LogProbabilitiesAreTheModels) {
  World world(patient());
  Request request = rising({3, 4}, 3);
  request.logprobs = true;
  request.top_logprobs = 2;
  const TokenEvent answer = world.answer(request);
  Tokens tokens = {3, 4};
  Sampler sampler(kVocab);
  for (size_t i = 0; i < answer.tokens.size(); i++) {
    const auto expected = sampler.logprobs(toy_logits(toy_state(tokens), kVocab), answer.tokens[i], 2);
    EXPECT_EQ(answer.logprobs[i], expected.token);
    EXPECT_EQ(answer.top_logprobs[i], expected.top);
    tokens.push_back(answer.tokens[i]);
  }
}

TEST(Constraint, HasTheSameAnswerAmongOthersAndWhenPreempted) {
  World alone(patient());
  std::vector<Request> requests;
  std::vector<Tokens> expected;
  for (TokenId i = 1; i <= 12; i++) {
    Tokens prompt(40, i);
    Request request = i % 3 == 0 ? greedy(prompt, 20) : rising(prompt, 5);
    request.sampling.temperature = 1.0f;
    request.sampling.seed = static_cast<uint64_t>(i);
    expected.push_back(alone.answer(request).tokens);
    requests.push_back(request);
  }
  EngineLoopOptions options = patient({.pages = 6, .prefill_chunk = 16});
  options.context = 128;
  World crowded(options);
  std::vector<std::unique_ptr<TokenStream>> streams;
  for (const Request& request : requests) streams.push_back(crowded.submit(request));
  for (size_t i = 0; i < streams.size(); i++) EXPECT_EQ(World::read(*streams[i]).tokens, expected[i]);
}

// Guesses are followed by the constraint, too, and come to nothing where they are wrong.
TEST(Constraint, GuessesSaveStepsAndChangeNoAnswer) {
  uint64_t steps[2] = {0, 0};
  for (const uint32_t users : {1u, 2u, 3u, 5u}) {
    for (uint64_t seed = 0; seed < 24; seed++) {
      std::vector<TokenEvent> answers[2];
      for (const bool speculate : {false, true}) {
        EngineLoopOptions options = patient({.pages = 10, .prefill_chunk = 16});
        options.speculate = speculate;
        options.mask_grace = milliseconds(10'000);
        World world(options, StepTimes::kEqual);
        world.on_logits = [](uint64_t state, std::vector<float>& logits) {
          for (TokenId id = 1; id < 3; id++) logits[id] = state % 5 == 0 ? logits[id] : static_cast<float>(4 * id);
        };
        std::vector<std::unique_ptr<TokenStream>> streams;
        for (uint32_t user = 0; user < users; user++) {
          Request request = greedy(Tokens(20, static_cast<TokenId>(1 + user)), 90);
          if (user % 3 != 2) request.constraint = std::make_shared<Winding>();
          request.sampling.temperature = seed % 3 == 0 ? 0 : 0.7f;
          request.sampling.seed = seed * 8 + user;
          request.min_tokens = static_cast<uint32_t>(seed);
          request.ignore_eos = seed % 4 == 1;
          request.logprobs = true;
          request.top_logprobs = 2;
          streams.push_back(world.submit(std::move(request)));
        }
        for (const auto& stream : streams) answers[speculate].push_back(World::read(*stream));
        if (users <= 2) steps[speculate] += world.backend->steps;
      }
      for (uint32_t user = 0; user < users; user++) {
        const TokenEvent &without = answers[0][user], &with = answers[1][user];
        EXPECT_NE(with.finish, FinishReason::kError) << with.error->to_string();
        EXPECT_EQ(with.tokens, without.tokens) << users << " users, seed " << seed;
        EXPECT_EQ(with.logprobs, without.logprobs);
        EXPECT_EQ(with.top_logprobs, without.top_logprobs);
        EXPECT_EQ(with.finish, without.finish);
      }
    }
  }
  EXPECT_LT(steps[1], steps[0] * 9 / 10);
}

TEST(Constraint, WithoutATokenEndsTheAnswerWithAnError) {
  class Nothing final : public Constraint {
   public:
    std::unique_ptr<Constraint> clone() const override { return std::make_unique<Nothing>(); }
    Status accept(TokenId) override { return {}; }
    Status rollback(uint32_t) override { return {}; }
    Status allowed(std::span<uint32_t> mask) override {
      std::fill(mask.begin(), mask.end(), 0);
      return {};
    }
  };
  World world(patient());
  Request request = greedy({3}, 10);
  request.constraint = std::make_shared<Nothing>();
  const TokenEvent answer = world.answer(request);
  EXPECT_EQ(answer.finish, FinishReason::kError);
  EXPECT_THAT(answer.error->to_string(), HasSubstr("grammar"));
  EXPECT_EQ(world.answer(greedy({3}, 10)).tokens, expected_answer({3}, 10, false));
}

TEST(Constraint, ThatHangsCostsItsOwnAnswerOnly) {
  std::atomic<bool> release{false};
  {
    World world({.vocab = kVocab, .context = 1024, .scheduler = {.pages = 64}, .mask_patience = milliseconds(1500)});
    Request hanging = greedy({5}, 10);
    hanging.constraint = std::make_shared<Rising>(0, [&release](const Tokens&) {
      while (!release) std::this_thread::sleep_for(milliseconds(1));
    });
    auto hung = world.submit(hanging);
    auto fine = world.submit(rising({3, 4}, 3));
    auto free = world.submit(greedy({3, 5}, 30));
    const TokenEvent answer = World::read(*hung);
    EXPECT_EQ(answer.finish, FinishReason::kError);
    EXPECT_THAT(answer.error->to_string(), HasSubstr("1500 ms"));
    EXPECT_EQ(World::read(*fine).finish, FinishReason::kStop);
    EXPECT_EQ(World::read(*free).tokens, expected_answer({3, 5}, 30, false));
    release = true;
  }
}

// As long as its patience lasts.
Result<MaskWorker::Mask> wait_for(MaskWorker& worker, const std::shared_ptr<MaskWorker::Job>& job,
                                  uint32_t guesses = 0) {
  return *worker.wait(job, guesses, MaskWorker::Clock::time_point::max());
}

TEST(MaskWorker, ManyAnswersAtOnce) {
  MaskWorker worker(kVocab, milliseconds(60'000));
  std::vector<std::shared_ptr<MaskWorker::Job>> jobs;
  for (int i = 0; i < 50; i++) jobs.push_back(worker.begin(std::make_unique<Rising>(2)));
  for (TokenId token = 1; token < 20; token++) {
    for (const auto& job : jobs) {
      const auto mask = wait_for(worker, job);
      ASSERT_TRUE(mask.ok());
      EXPECT_EQ(mask_has(*mask, token), true);
      EXPECT_TRUE(token == 1 || !mask_has(*mask, token - 1));
      EXPECT_EQ(mask_has(*mask, kEos), token > 2);
      worker.advance(job, {&token, 1}, {});
    }
  }
}

TEST(MaskWorker, FollowsGuessesAsFarAsTheyAreAllowed) {
  MaskWorker worker(kVocab, milliseconds(60'000));
  const auto job = worker.begin(std::make_unique<Rising>(0));
  ASSERT_TRUE(wait_for(worker, job).ok());
  const auto first = [&](uint32_t guesses) {
    const auto mask = wait_for(worker, job, guesses);
    EXPECT_TRUE(mask.ok());
    TokenId id = 1;
    while (id < static_cast<TokenId>(kVocab) && !mask_has(*mask, id)) id++;
    return id;
  };
  worker.advance(job, Tokens{2, 3}, Tokens{5, 9, 4});  // 4 is out of order
  EXPECT_EQ(first(2), 10);
  EXPECT_EQ(first(1), 6);
  EXPECT_EQ(first(0), 4);
  worker.advance(job, Tokens{5, 6}, Tokens{7});  // 9 came to nothing
  EXPECT_EQ(first(0), 7);
  EXPECT_EQ(first(1), 8);
  worker.advance(job, Tokens{20}, {});
  EXPECT_EQ(first(0), 21);
}

// The answer goes on while the masks of guesses that came to nothing are still being worked out.
TEST(MaskWorker, LeavesGuessesWhereTheyCameToNothing) {
  std::atomic<int> masks{0};
  std::atomic<bool> release{false};
  MaskWorker worker(kVocab, milliseconds(60'000));
  const auto job = worker.begin(std::make_unique<Rising>(0, [&](const Tokens&) {
    if (++masks != 3) return;  // the first guess's
    while (!release) std::this_thread::sleep_for(milliseconds(1));
  }));
  ASSERT_TRUE(wait_for(worker, job).ok());
  worker.advance(job, Tokens{2}, Tokens{3, 4, 5});
  ASSERT_TRUE(wait_for(worker, job).ok());
  while (masks < 3) std::this_thread::sleep_for(milliseconds(1));
  worker.advance(job, Tokens{7}, {});
  release = true;
  const auto mask = wait_for(worker, job);
  ASSERT_TRUE(mask.ok());
  EXPECT_FALSE(mask_has(*mask, 7));
  EXPECT_TRUE(mask_has(*mask, 8));
  EXPECT_EQ(masks, 4);
}

TEST(MaskWorker, WaitsNoLongerThanItIsTold) {
  constexpr milliseconds kPatience{1000};
  Gate gate;
  MaskWorker worker(kVocab, kPatience);
  const auto job = worker.begin(std::make_unique<Rising>(0, [&](const Tokens&) { gate.wait(); }));
  const auto asked = MaskWorker::Clock::now();
  EXPECT_FALSE(worker.wait(job, 0, asked));
  const bool still_waits = !worker.wait(job, 0, MaskWorker::Clock::now() + milliseconds(5));
  EXPECT_TRUE(still_waits || MaskWorker::Clock::now() >= asked + kPatience) << "unless the test itself had no turn";
  std::this_thread::sleep_for(kPatience);
  const auto late = worker.wait(job, 0, MaskWorker::Clock::now());
  ASSERT_TRUE(late) << "it has been asked for for longer than the patience";
  EXPECT_THAT(late->error().to_string(), HasSubstr("1000 ms"));
  gate.open();
}

// The error of a mask that takes longer than the patience, while its thread computes or waits.
Error error_of_late_mask(bool computes) {
  std::atomic<bool> release{false};
  MaskWorker worker(kVocab, milliseconds(200));
  const auto job = worker.begin(std::make_unique<Rising>(0, [&](const Tokens&) {
    while (!release) {
      if (!computes) std::this_thread::sleep_for(milliseconds(1));
    }
  }));
  std::optional<Result<MaskWorker::Mask>> mask;
  while (!mask) mask = worker.wait(job, 0, MaskWorker::Clock::now() + milliseconds(5));
  release = true;
  EXPECT_FALSE(mask->ok());
  return mask->error();
}

TEST(MaskWorker, TellsASlowConstraintFromABusyMachine) {
  const Error waited = error_of_late_mask(false);
  EXPECT_EQ(waited.code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(waited.to_string(), HasSubstr("200 ms"));
  // More than once, since this machine may be busy, too.
  Error computed = error_of_late_mask(true);
  for (int i = 0; i < 50 && computed.code != ErrorCode::kInvalidArgument; i++) computed = error_of_late_mask(true);
  EXPECT_EQ(computed.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(computed.to_string(), HasSubstr("200 ms"));
}

// A step may take longer than the patience, and nobody asks meanwhile.
TEST(MaskWorker, OneThatHangsKeepsNoThreadFromOthersWhileNobodyAsks) {
  constexpr milliseconds kPatience{300};
  std::atomic<int> told{0};
  Gate gate;
  MaskWorker worker(kVocab, kPatience, [&] { told++; });
  std::promise<void> begun;
  const auto hung = worker.begin(std::make_unique<Rising>(0, [&](const Tokens&) {
    begun.set_value();
    gate.wait();
  }));
  begun.get_future().wait();
  const auto other = worker.begin(std::make_unique<Rising>(0));
  EXPECT_FALSE(worker.wait(other, 0, MaskWorker::Clock::now()));
  std::this_thread::sleep_for(kPatience);
  while (told == 0) std::this_thread::sleep_for(milliseconds(1));
  const auto mask = worker.wait(other, 0, MaskWorker::Clock::now());
  ASSERT_TRUE(mask);
  EXPECT_TRUE(mask->ok());
  gate.open();
}

TEST(MaskWorker, TellsOfEveryMaskUntilItEnds) {
  std::atomic<int> told{0};
  Gate gate;
  std::thread opener;
  {
    MaskWorker worker(kVocab, milliseconds(60'000), [&] { told++; });
    const auto quick = worker.begin(std::make_unique<Rising>(0));
    while (told == 0) std::this_thread::sleep_for(milliseconds(1));
    EXPECT_TRUE(worker.wait(quick, 0, MaskWorker::Clock::now()));
    std::promise<void> begun;
    worker.begin(std::make_unique<Rising>(0, [&](const Tokens&) {
      begun.set_value();
      gate.wait();
    }));
    begun.get_future().wait();
    told = 0;
    // There is no thread for this one; the destructor lets it go once it has begun.
    auto kept = std::make_shared<std::promise<void>>();
    opener = std::thread([&gate, gone = kept->get_future()] {
      gone.wait_for(milliseconds(1500));
      gate.open();
    });
    worker.begin(std::make_unique<Rising>(0, [kept = std::move(kept)](const Tokens&) {}));
  }
  opener.join();
  EXPECT_EQ(told, 0);
}

TEST(MaskWorker, JobsThatTakeLongLeaveThreadsToOthers) {
  Gate gate;
  MaskWorker worker(kVocab, milliseconds(60'000));
  std::vector<std::shared_ptr<MaskWorker::Job>> slow;
  for (int i = 0; i < 20; i++) {
    slow.push_back(worker.begin(std::make_unique<Rising>(0, [&](const Tokens& tokens) {
      const ThreadTime time;
      while (tokens.empty() && time.used() < milliseconds(30)) {
      }
      if (!tokens.empty()) gate.wait();
    })));
  }
  for (const auto& job : slow) {
    ASSERT_TRUE(wait_for(worker, job).ok());
    worker.advance(job, Tokens{1}, {});
  }
  // Asking for masks has threads started.
  for (int i = 0; i < 300; i++) {
    for (const auto& job : slow) EXPECT_FALSE(worker.wait(job, 0, MaskWorker::Clock::now()));
    std::this_thread::sleep_for(milliseconds(1));
  }
  const auto quick = worker.begin(std::make_unique<Rising>(0));
  EXPECT_TRUE(wait_for(worker, quick).ok());
  gate.open();
}

// More answers than there are threads, all stuck in their first mask: those that were quick go on, and new ones wait
// longer than the patience with a grammar of their own, without its being their fault.
TEST(MaskWorker, NewJobsThatHangLeaveThreadsToOthers) {
  Gate gate;
  MaskWorker worker(kVocab, milliseconds(50));
  const auto known = worker.begin(std::make_unique<Rising>(0));
  ASSERT_TRUE(wait_for(worker, known).ok());
  std::vector<std::shared_ptr<MaskWorker::Job>> stuck;
  for (int i = 0; i < 40; i++) {
    stuck.push_back(worker.begin(std::make_unique<Rising>(0, [&](const Tokens&) { gate.wait(); })));
  }
  for (int i = 0; i < 100; i++) {
    for (const auto& job : stuck) worker.wait(job, 0, MaskWorker::Clock::now());
    std::this_thread::sleep_for(milliseconds(1));
  }
  for (TokenId token = 1; token < 5; token++) {
    worker.advance(known, {&token, 1}, {});
    EXPECT_TRUE(wait_for(worker, known).ok());
  }
  const auto fresh = worker.begin(std::make_unique<Rising>(0));
  EXPECT_FALSE(worker.wait(fresh, 0, MaskWorker::Clock::now() + milliseconds(200)));
  for (const auto& job : stuck) worker.end(job);
  gate.open();
  EXPECT_TRUE(wait_for(worker, fresh).ok());
}

}  // namespace
}  // namespace ingle
