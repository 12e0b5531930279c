#include "engine/engine_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <future>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/toy_world_test.h"

namespace ingle {
namespace {

TEST(EngineLoop, AnswersAsTheModelSays) {
  World world;
  for (TokenId first = 1; first < 20; first++) {
    const Tokens prompt = {first, 5, 6};
    const TokenEvent answer = world.answer(greedy(prompt, 100));
    const Tokens expected = expected_answer(prompt, 100, false);
    EXPECT_EQ(answer.tokens, expected);
    EXPECT_EQ(answer.text, as_text(expected));
    EXPECT_EQ(answer.finish, expected.back() == kEos ? FinishReason::kStop : FinishReason::kLength);
  }
}

TEST(EngineLoop, MinTokensAndIgnoreEosKeepTheEndAway) {
  World world;
  Request request = greedy({3, 4}, 200);
  request.ignore_eos = true;
  EXPECT_EQ(world.answer(request).tokens, expected_answer({3, 4}, 200, true));
  request.ignore_eos = false;
  request.min_tokens = 150;
  const TokenEvent answer = world.answer(request);
  EXPECT_GE(answer.tokens.size(), 150u);
  EXPECT_EQ(std::count(answer.tokens.begin(), answer.tokens.begin() + 150, kEos), 0);
}

TEST(EngineLoop, StopStringsEndTheAnswerAndAreCutOff) {
  World world;
  Request request = greedy({7}, 50);
  request.ignore_eos = true;
  const std::string full = world.answer(request).text;
  ASSERT_EQ(full.size(), 50u);
  const std::string stop = full.substr(20, 3);
  request.stop = {"", "nothing of the kind", stop};
  const TokenEvent answer = world.answer(request);
  EXPECT_EQ(answer.text, full.substr(0, full.find(stop)));
  EXPECT_EQ(answer.finish, FinishReason::kStop);
  EXPECT_EQ(answer.stop, 2u);
  EXPECT_EQ(answer.tokens.size(), full.find(stop) + 3);
  request.min_tokens = 30;
  request.stop = {stop, full.substr(35, 4)};
  EXPECT_EQ(world.answer(request).text, full.substr(0, full.find(request.stop[1], 30)));
  request.min_tokens = 0;
  // A stop string that has only begun is shown in the end.
  request.stop = {full.substr(47) + "!"};
  EXPECT_EQ(world.answer(request).text, full);
  EXPECT_EQ(world.answer(request).stop, std::nullopt);
}

TEST(EngineLoop, WhatFollowsTheTextMayEndTheAnswer) {
  World world;
  Request request = greedy({7}, 50);
  request.sampling.logit_bias[kEos] = -100;
  const std::string full = world.answer(request).text;
  ASSERT_EQ(full.size(), 50u);
  request.begin_end = [] {
    return [seen = std::make_shared<std::string>()](std::string_view text) {
      *seen += text;
      return seen->size() >= 20;
    };
  };
  for (int i = 0; i < 2; i++) {  // each answer has its own
    const TokenEvent answer = world.answer(request);
    EXPECT_EQ(answer.text, full.substr(0, 20));
    EXPECT_EQ(answer.finish, FinishReason::kStop);
    EXPECT_EQ(answer.stop, std::nullopt);
  }
  request.min_tokens = 30;
  EXPECT_EQ(world.answer(request).text, full.substr(0, 30));
  request.ignore_eos = true;
  EXPECT_EQ(world.answer(request).text, full);
}

TEST(EngineLoop, AnswersEndWhereTheContextDoes) {
  World world({.vocab = kVocab, .context = 100, .scheduler = {.pages = 4}});
  Request request = greedy(Tokens(90, 1), 0);
  request.ignore_eos = true;
  TokenEvent answer = world.answer(request);
  EXPECT_EQ(answer.tokens.size(), 10u);
  EXPECT_EQ(answer.finish, FinishReason::kLength);
  request.prompt.assign(100, 1);
  EXPECT_EQ(world.answer(request).tokens.size(), 1u);
  request.prompt.assign(101, 1);
  EXPECT_THAT(world.refusal(request), testing::HasSubstr("the prompt has 101 tokens, the context holds 100"));
}

TEST(EngineLoop, RefusesWhatItCanNotDo) {
  World world;
  const auto refusal = [&](auto change) {
    Request request = greedy({1, 2}, 5);
    change(request);
    return world.refusal(request);
  };
  EXPECT_EQ(refusal([](Request&) {}), "");
  EXPECT_THAT(refusal([](Request& r) { r.prompt.clear(); }), testing::HasSubstr("no tokens"));
  EXPECT_THAT(refusal([](Request& r) { r.prompt[1] = kVocab; }), testing::HasSubstr("token 1 of the prompt is 27"));
  EXPECT_THAT(refusal([](Request& r) { r.prompt[0] = -1; }), testing::HasSubstr("token 0 of the prompt is -1"));
  EXPECT_THAT(refusal([](Request& r) { r.sampling.top_p = 2; }), testing::HasSubstr("top_p is 2"));
  EXPECT_THAT(refusal([](Request& r) { r.sampling.logit_bias[99] = 1; }), testing::HasSubstr("token 99"));
  EXPECT_THAT(refusal([](Request& r) { r.min_tokens = 6; }), testing::HasSubstr("min_tokens is 6"));
  EXPECT_THAT(refusal([](Request& r) { r.top_logprobs = 1000; }), testing::HasSubstr("1000 alternatives"));
  EXPECT_THAT(refusal([](Request& r) { r.prompt_logprobs = 1000; }), testing::HasSubstr("1000 alternatives"));
  EXPECT_THAT(refusal([](Request& r) { r.stop.resize(1000); }), testing::HasSubstr("1000 stop strings"));
  EXPECT_THAT(refusal([](Request& r) { r.stop = {std::string(100000, 'x')}; }), testing::HasSubstr("100000 bytes"));
  Request request = greedy({1, 2}, 5);
  request.sampling.logit_bias[99] = 1;
  EXPECT_EQ(world.loop->submit(request).error().field, "logit_bias");
  request.sampling.logit_bias = {{1, std::nanf("")}};
  EXPECT_EQ(world.loop->submit(request).error().field, "logit_bias");
}

TEST(EngineLoop, LogprobsComeWithTheTokens) {
  World world;
  Request request = greedy({9, 9}, 20);
  request.ignore_eos = true;
  request.logprobs = true;
  request.top_logprobs = 3;
  const TokenEvent answer = world.answer(request);
  ASSERT_EQ(answer.logprobs.size(), 20u);
  ASSERT_EQ(answer.top_logprobs.size(), 20u);
  Tokens tokens = request.prompt;
  for (size_t i = 0; i < 20; i++) {
    const std::vector<float> logits = toy_logits(toy_state(tokens), kVocab);
    double total = 0;
    for (const float logit : logits) total += std::exp(static_cast<double>(logit));
    EXPECT_FLOAT_EQ(answer.logprobs[i], static_cast<float>(logits[answer.tokens[i]] - std::log(total)));
    ASSERT_EQ(answer.top_logprobs[i].size(), 3u);
    EXPECT_GE(answer.top_logprobs[i][0].second, answer.logprobs[i]);
    tokens.push_back(answer.tokens[i]);
  }
}

TEST(EngineLoop, PromptLogitsComeInOrderAndOnce) {
  World world({.vocab = kVocab, .context = 1024, .scheduler = {.pages = 64, .prefill_chunk = 7}});
  const Tokens prompt = {1, 5, 2, 8, 3, 3, 3, 9, 1, 1, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 1, 1};
  world.answer(greedy(prompt, 1));
  uint32_t next = 0;
  Request request = greedy(prompt, 3);
  request.on_prompt_logits = [&](uint32_t position, std::span<const float> logits) {
    EXPECT_EQ(position, next++);
    EXPECT_THAT(logits, testing::ElementsAreArray(toy_logits(toy_state(std::span(prompt).first(next)), kVocab)));
  };
  const auto stream = world.submit(std::move(request));
  World::read(*stream);
  EXPECT_EQ(next, prompt.size());
  EXPECT_EQ(stream->stats().cached_tokens, 0u);
}

TEST(EngineLoop, PromptScoresAreThoseOfTheTokensAfterEachPrefix) {
  World world({.vocab = kVocab, .context = 1024, .scheduler = {.pages = 64, .prefill_chunk = 7}});
  Tokens prompt;
  for (TokenId i = 0; i < 80; i++) prompt.push_back(1 + i * i % 26);
  world.answer(greedy(prompt, 1));
  Request request = greedy(prompt, 2);
  request.prompt_logprobs = 3;
  const auto stream = world.submit(request);
  const TokenEvent answer = World::read(*stream);
  EXPECT_EQ(stream->stats().cached_tokens, 0u);
  ASSERT_EQ(answer.prompt_scores.size(), prompt.size() - 1);
  for (size_t i = 0; i + 1 < prompt.size(); i++) {
    const std::vector<float> logits = toy_logits(toy_state(std::span(prompt).first(i + 1)), kVocab);
    Sampler sampler(kVocab);
    const Sampler::Logprobs expected = sampler.logprobs(logits, prompt[i + 1], 3);
    EXPECT_EQ(answer.prompt_scores[i].logprob, expected.token);
    EXPECT_EQ(answer.prompt_scores[i].top, expected.top);
    const auto better = std::count_if(logits.begin(), logits.end(), [&](float l) { return l > logits[prompt[i + 1]]; });
    EXPECT_EQ(answer.prompt_scores[i].rank, better + 1);
  }
  request.prompt = {5};
  EXPECT_TRUE(world.answer(request).prompt_scores.empty());
}

TEST(EngineLoop, APromptThatCanNotBeScoredEndsInAnError) {
  World world;
  const uint64_t bad_state = toy_state(Tokens{1, 2});
  world.on_logits = [&](uint64_t state, std::vector<float>& logits) {
    if (state == bad_state) logits[13] = NAN;
  };
  Request request = greedy({1, 2, 3, 4}, 5);
  request.prompt_logprobs = 0;
  const TokenEvent answer = world.answer(request);
  EXPECT_EQ(answer.finish, FinishReason::kError);
  ASSERT_TRUE(answer.error);
  EXPECT_THAT(answer.error->message, testing::HasSubstr("position 1"));
  EXPECT_EQ(world.answer(greedy({4, 5}, 5)).finish, FinishReason::kLength);
}

TEST(EngineLoop, StatsCountWhatHappened) {
  World world;
  Request request = greedy(Tokens(100, 2), 10);
  request.ignore_eos = true;
  auto stream = world.submit(request);
  World::read(*stream);
  EXPECT_EQ(stream->stats().prompt_tokens, 100u);
  EXPECT_EQ(stream->stats().generated_tokens, 10u);
  EXPECT_EQ(stream->stats().cached_tokens, 0u);
  EXPECT_GT(stream->stats().prompt_ms, 0);
  EXPECT_GT(stream->stats().generation_ms, 0);
  const uint64_t computed = world.backend->computed_tokens;
  stream = world.submit(request);
  World::read(*stream);
  EXPECT_EQ(stream->stats().cached_tokens, 99u);
  EXPECT_EQ(world.backend->computed_tokens - computed, 1u + 9u);
  request.cache_owner = 1;
  stream = world.submit(request);
  World::read(*stream);
  EXPECT_EQ(stream->stats().cached_tokens, 0u) << "another's";
}

TEST(EngineLoop, LogitsThatAreNotFiniteEndOneRequestAlone) {
  World world;
  const Tokens bad_prompt = {1, 2, 3};
  const uint64_t bad_state = toy_state(bad_prompt);
  world.on_logits = [&](uint64_t state, std::vector<float>& logits) {
    if (state == bad_state) logits[13] = NAN;
  };
  Request good = greedy({4, 5, 6}, 200);
  good.ignore_eos = true;
  const auto other = world.submit(good);
  const TokenEvent answer = world.answer(greedy(bad_prompt, 20));
  EXPECT_EQ(answer.finish, FinishReason::kError);
  ASSERT_TRUE(answer.error.has_value());
  EXPECT_THAT(answer.error->message, testing::HasSubstr("not finite"));
  EXPECT_EQ(World::read(*other).tokens, expected_answer({4, 5, 6}, 200, true));
}

TEST(EngineLoop, CancellingEndsTheAnswerWithinOneStep) {
  World world;
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::atomic<bool> hold{true};
  world.on_step = [&] {
    if (hold) released.wait();
  };
  const auto stream = world.submit(greedy({1}, 0));
  stream->cancel();
  hold = false;
  release.set_value();
  const TokenEvent answer = World::read(*stream);
  EXPECT_EQ(answer.finish, FinishReason::kCancelled);
  EXPECT_LE(world.backend->steps, 1u);
  EXPECT_EQ(stream->next().finish, FinishReason::kCancelled) << "asking again does not block";
}

TEST(EngineLoop, WaitingRequestsCanBeCancelled) {
  World world({.vocab = kVocab, .context = 64, .scheduler = {.pages = 2, .max_sequences = 1}});
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  world.on_step = [&] { released.wait(); };
  Request request = greedy({1}, 60);
  request.ignore_eos = true;
  const auto first = world.submit(request), second = world.submit(request), third = world.submit(request);
  second->cancel();
  release.set_value();
  EXPECT_EQ(World::read(*second).finish, FinishReason::kCancelled);
  EXPECT_EQ(second->stats().generated_tokens, 0u);
  EXPECT_EQ(World::read(*first).tokens.size(), 60u);
  EXPECT_EQ(World::read(*third).tokens.size(), 60u);
}

TEST(EngineLoop, ADroppedStreamCallsNothingAnyMore) {
  World world;
  for (int round = 0; round < 50; round++) {
    auto alive = std::make_shared<std::atomic<bool>>(true);
    Request request = greedy(Tokens(600, round % 20), 5);
    request.on_prompt_logits = [alive](uint32_t, std::span<const float>) { EXPECT_TRUE(*alive); };
    auto stream = world.submit(std::move(request));
    if (round % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(round * 20));
    stream.reset();
    *alive = false;
  }
}

TEST(EngineLoop, AStreamIsReadWithoutBlockingWhenToldOfNews) {
  World world;
  std::atomic<uint32_t> told{0};
  Request request = greedy({1, 2, 3}, 12);
  request.ignore_eos = true;
  const Tokens wanted = world.answer(request).tokens;
  std::promise<void> go;
  std::shared_future<void> gate = go.get_future().share();
  world.on_step = [gate] { gate.wait(); };
  request.on_event = [&told] { told++; };
  const std::unique_ptr<TokenStream> stream = world.submit(request);
  EXPECT_FALSE(stream->try_next());
  EXPECT_EQ(told, 0u);
  go.set_value();
  Tokens tokens;
  for (uint32_t seen = 0;;) {
    while (told == seen) std::this_thread::yield();
    seen = told;
    const std::optional<TokenEvent> event = stream->try_next();
    if (!event) continue;
    tokens.insert(tokens.end(), event->tokens.begin(), event->tokens.end());
    if (event->finish != FinishReason::kNone) break;
  }
  EXPECT_EQ(tokens, wanted);
  EXPECT_EQ(stream->try_next()->finish, FinishReason::kLength);
}

TEST(EngineLoop, AStepThatHangsIsSeen) {
  World world;
  EXPECT_EQ(world.loop->stalled_for().count(), 0);
  std::promise<void> go;
  world.on_step = [gate = go.get_future().share()] { gate.wait(); };
  const std::unique_ptr<TokenStream> stream = world.submit(greedy({1, 2, 3}, 2));
  while (world.loop->stalled_for() < std::chrono::milliseconds(20)) std::this_thread::yield();
  const std::chrono::milliseconds before = world.loop->stalled_for();
  while (world.loop->stalled_for() <= before) std::this_thread::yield();
  go.set_value();
  World::read(*stream);
  while (world.loop->stalled_for().count() > 0) std::this_thread::yield();
}

// An answer that takes long is no stall, however many steps it takes.
TEST(EngineLoop, ALoopThatGetsOnHasNotStalled) {
  using Clock = std::chrono::steady_clock;
  World world({.vocab = kVocab, .context = 1024, .scheduler = {.pages = 64}, .speculate = false});
  std::vector<Clock::time_point> begun;  // steps
  std::vector<std::chrono::milliseconds> stalls;
  world.on_step = [&] {
    begun.push_back(Clock::now());
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    stalls.push_back(world.loop->stalled_for());
  };
  Request request = greedy({1, 2, 3}, 200);
  request.ignore_eos = true;
  const std::unique_ptr<TokenStream> stream = world.submit(request);
  World::read(*stream);
  ASSERT_EQ(stalls.size(), 200u);
  const auto last_hundred = stalls.begin() + 100;
  EXPECT_GE(std::min_element(stalls.begin(), stalls.end())->count(), 3);
  // The shortest, as a busy machine may leave the loop without a turn for longer than all other steps take.
  EXPECT_LT(*std::min_element(last_hundred, stalls.end()), (begun[100] - begun[0]) / 2);
}

TEST(EngineLoop, TheEndOfACancelledAnswerIsToldUnlessItsStreamIsGone) {
  World world;
  std::atomic<uint32_t> told{0};
  Request request = greedy({1, 2, 3}, 1000);
  request.ignore_eos = true;
  request.on_event = [&told] { told++; };
  std::promise<void> go;
  world.on_step = [gate = go.get_future().share()] { gate.wait(); };  // lest the answer be done first
  std::unique_ptr<TokenStream> stream = world.submit(request);
  stream->cancel();
  go.set_value();
  std::optional<TokenEvent> event;
  for (uint32_t seen = 0; !event || event->finish == FinishReason::kNone;) {
    while (told == seen) std::this_thread::yield();
    seen = told;
    event = stream->try_next();
  }
  EXPECT_EQ(event->finish, FinishReason::kCancelled);
  stream = world.submit(request);
  stream->next();
  stream.reset();
  const uint32_t before = told;
  world.answer(greedy({4}, 20));
  EXPECT_EQ(told, before);
}

TEST(EngineLoop, TheEndOfTheEngineEndsItsStreams) {
  std::vector<std::unique_ptr<TokenStream>> streams;
  {
    World world({.vocab = kVocab, .context = 1024, .scheduler = {.pages = 64, .max_sequences = 2}});
    world.on_step = [] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); };  // lest an answer be done first
    for (TokenId i = 0; i < 8; i++) {
      Request request = greedy(Tokens(500, i), 0);
      request.ignore_eos = true;
      streams.push_back(world.submit(std::move(request)));
    }
    streams[0]->next();
  }
  for (const auto& stream : streams) EXPECT_EQ(World::read(*stream).finish, FinishReason::kCancelled);
}

TEST(EngineLoop, TooManyWaitingRequestsAreRefused) {
  World world({.vocab = kVocab, .context = 64, .scheduler = {.pages = 2, .max_sequences = 1}});
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  world.on_step = [&] { released.wait(); };
  std::vector<std::unique_ptr<TokenStream>> streams;
  std::string refusal;
  while (refusal.empty() && streams.size() < 2 * kMaxWaiting) {
    auto stream = world.loop->submit(greedy({1}, 1));
    if (stream.ok()) {
      streams.push_back(std::move(stream).value());
    } else {
      refusal = stream.error().to_string();
    }
  }
  release.set_value();
  EXPECT_THAT(refusal, testing::HasSubstr("requests are waiting"));
  EXPECT_EQ(streams.size(), kMaxWaiting + 1);
  for (const auto& stream : streams) World::read(*stream);
  EXPECT_EQ(world.refusal(greedy({1}, 1)), "");
}

// A kind of request for the comparisons below, by number.
Request varied(uint32_t kind) {
  std::minstd_rand random(kind + 1);
  Request request;
  request.prompt.assign(1 + random() % 150, static_cast<TokenId>(1 + random() % 3));
  if (random() % 2 == 0) request.prompt[random() % request.prompt.size()] = 20;
  request.max_tokens = static_cast<uint32_t>(1 + random() % 80);
  request.ignore_eos = random() % 2 == 0;
  request.sampling.seed = random() % 3;
  request.choice = static_cast<uint32_t>(random() % 3);
  request.sampling.temperature = random() % 3 == 0 ? 0.0f : 1.5f;
  request.sampling.top_k = static_cast<int32_t>(random() % 3 * 10);
  request.sampling.repeat_penalty = random() % 2 == 0 ? 1.0f : 1.2f;
  request.use_prefix_cache = random() % 4 != 0;
  request.logprobs = true;
  request.top_logprobs = static_cast<uint32_t>(random() % 4);
  return request;
}

bool same(const TokenEvent& a, const TokenEvent& b) {
  return a.tokens == b.tokens && a.text == b.text && a.logprobs == b.logprobs && a.top_logprobs == b.top_logprobs &&
         a.finish == b.finish;
}

// Many threads, few pages, cancellations at random: whoever is not cancelled gets what he gets alone.
TEST(EngineLoop, EveryAnswerIsThatOfTheRequestAlone) {
  constexpr uint32_t kThreads = 8, kRequests = 64;
  std::vector<TokenEvent> alone;
  for (uint32_t kind = 0; kind < kRequests; kind++) {
    World world({.vocab = kVocab, .context = 256, .scheduler = {.pages = 8}});
    alone.push_back(world.answer(varied(kind)));
  }
  for (const uint32_t chunk : {1u, 7u, 512u}) {
    World world(
        {.vocab = kVocab,
         .context = 256,
         .scheduler = {
             .pages = 40, .windows = {{.window = 50, .pages = 30}}, .prefill_chunk = chunk, .max_sequences = 24}});
    std::atomic<uint32_t> finished{0}, cancelled{0};
    std::vector<std::thread> threads;
    for (uint32_t thread = 0; thread < kThreads; thread++) {
      threads.emplace_back([&, thread] {
        std::minstd_rand random(thread + 1);
        for (uint32_t round = 0; round < 4; round++) {
          std::vector<std::unique_ptr<TokenStream>> streams;
          for (uint32_t kind = thread; kind < kRequests; kind += kThreads)
            streams.push_back(world.submit(varied(kind)));
          for (uint32_t i = 0; i < streams.size(); i++) {
            const bool cancel = random() % 4 == 0;
            if (cancel && random() % 2 == 0) streams[i]->next();
            if (cancel) {
              if (random() % 2 == 0)
                streams[i].reset();
              else
                streams[i]->cancel();
              cancelled++;
              continue;
            }
            EXPECT_TRUE(same(World::read(*streams[i]), alone[thread + i * kThreads])) << "chunk " << chunk;
            finished++;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(finished + cancelled, 4 * kRequests);
    EXPECT_GT(finished, 100u);
  }
}

// A model that knows two letters repeats itself without end. What is guessed of that saves steps and changes nothing.
TEST(EngineLoop, GuessesSaveStepsAndChangeNoAnswer) {
  uint64_t steps[2] = {0, 0};
  for (const uint32_t users : {1u, 2u, 3u, 5u}) {
    for (uint32_t seed = 0; seed < 24; seed++) {
      std::vector<TokenEvent> answers[2];
      for (const bool speculate : {false, true}) {
        World world({.vocab = kVocab,
                     .context = 160,
                     .scheduler = {.pages = 12, .windows = {{.window = 40, .pages = 12}}, .prefill_chunk = 16},
                     .speculate = speculate},
                    StepTimes::kEqual);
        world.on_logits = [](uint64_t, std::vector<float>& logits) {
          for (TokenId id = 3; id < static_cast<TokenId>(kVocab); id++) logits[id] = -60.0f;
          logits[kEos] -= 10.0f;
        };
        std::vector<std::unique_ptr<TokenStream>> streams;
        for (uint32_t user = 0; user < users; user++) {
          Request request = varied(seed * 8 + user);
          request.min_tokens = std::min(request.max_tokens, seed % 40);
          streams.push_back(world.submit(std::move(request)));
        }
        for (const auto& stream : streams) answers[speculate].push_back(World::read(*stream));
        if (users <= 2) steps[speculate] += world.backend->steps;
      }
      for (uint32_t user = 0; user < users; user++) {
        EXPECT_TRUE(same(answers[0][user], answers[1][user])) << users << " users, seed " << seed;
      }
    }
  }
  EXPECT_LT(steps[1], steps[0] * 9 / 10);
}

}  // namespace
}  // namespace ingle
