// Embeddings through the engine's loop: vectors in place of answers, among answers, with encoders and decoders.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "engine/engine_loop.h"
#include "engine/toy_world_test.h"

namespace ingle {
namespace {

// What the toy model's embedding is, not normalised, computed without an engine.
std::vector<float> expected_embedding(const Tokens& prompt, Pooling pooling) {
  std::vector<double> sum(kToyHidden);
  size_t count = 0;
  for (size_t length = 1; length <= prompt.size(); length++) {
    if (pooling == Pooling::kFirst && length > 1) continue;
    if (pooling == Pooling::kLast && length < prompt.size()) continue;
    const std::vector<float> hidden = toy_logits(toy_state(std::span(prompt).first(length)), kToyHidden);
    for (size_t i = 0; i < hidden.size(); i++) sum[i] += hidden[i];
    count++;
  }
  std::vector<float> result;
  for (const double value : sum) result.push_back(static_cast<float>(value / static_cast<double>(count)));
  return result;
}

Request embedding_of(Tokens prompt, Pooling pooling) {
  Request request;
  request.prompt = std::move(prompt);
  request.embedding = EmbeddingOptions{.pooling = pooling, .normalize = false};
  return request;
}

// Among answers, with few pages, so that both are preempted and computed again.
TEST(EngineLoop, EmbeddingsAmongAnswersUnderPressure) {
  for (const uint32_t chunk : {1u, 5u, 64u}) {
    World world({.vocab = kVocab,
                 .hidden_width = kToyHidden,
                 .context = 320,
                 .scheduler = {.pages = 14, .prefill_chunk = chunk, .max_sequences = 6}});
    std::minstd_rand random(chunk);
    std::vector<std::pair<Request, std::unique_ptr<TokenStream>>> open;
    for (uint32_t i = 0; i < 40; i++) {
      Tokens prompt(1 + random() % 90);
      for (TokenId& token : prompt) token = static_cast<TokenId>(1 + random() % 2);  // prefixes are shared
      Request request =
          i % 3 == 0 ? greedy(prompt, 30) : embedding_of(prompt, i % 3 == 1 ? Pooling::kMean : Pooling::kLast);
      request.ignore_eos = true;
      auto stream = world.submit(request);
      open.emplace_back(std::move(request), std::move(stream));
    }
    for (const auto& [request, stream] : open) {
      if (!request.embedding) {
        EXPECT_EQ(World::read(*stream).tokens, expected_answer(request.prompt, 30, true));
        continue;
      }
      const TokenEvent event = stream->next();
      EXPECT_EQ(event.finish, FinishReason::kStop);
      EXPECT_EQ(event.embedding, expected_embedding(request.prompt, *request.embedding->pooling));
      EXPECT_EQ(stream->stats().prompt_tokens, request.prompt.size());
    }
  }
}

// Every step of an encoder has its sequences whole, at most as many tokens as there is room for, in order of arrival.
TEST(EngineLoop, AnEncodersTextsAreNeverCut) {
  World world(
      {.vocab = kVocab,
       .hidden_width = kToyHidden,
       .generates = false,
       .pooling = Pooling::kFirst,
       .context = 100,
       .scheduler = {
           .pages = 40, .prefill_chunk = 100, .max_sequences = 8, .prefix_cache = false, .whole_prompts = true}});
  world.backend->on_batch = [](const Batch& batch) {
    for (const BatchSequence& sequence : batch.sequences) EXPECT_EQ(sequence.position, 0u);
  };
  std::minstd_rand random(5);
  std::vector<std::pair<Request, std::unique_ptr<TokenStream>>> open;
  for (uint32_t i = 0; i < 60; i++) {
    Tokens prompt(i % 7 == 0 ? 100 : i % 5 == 0 ? 1 : 1 + random() % 99);
    for (TokenId& token : prompt) token = static_cast<TokenId>(random() % kVocab);
    constexpr Pooling kAll[] = {Pooling::kMean, Pooling::kFirst, Pooling::kLast};
    Request request = embedding_of(prompt, kAll[i % 3]);
    if (i % 3 == 1) request.embedding->pooling.reset();  // the model's
    auto stream = world.submit(request);
    if (i % 11 == 3) {
      stream->cancel();
      continue;
    }
    open.emplace_back(embedding_of(prompt, kAll[i % 3]), std::move(stream));
  }
  for (const auto& [request, stream] : open) {
    EXPECT_EQ(stream->next().embedding, expected_embedding(request.prompt, *request.embedding->pooling));
  }
  EXPECT_THAT(world.refusal(greedy({1}, 5)), testing::HasSubstr("embeddings"));
}

TEST(EngineLoop, RefusesEmbeddingsThatCanNotBe) {
  World world({.vocab = kVocab, .hidden_width = kToyHidden, .context = 64, .scheduler = {.pages = 4}});
  EXPECT_THAT(world.refusal(embedding_of({}, Pooling::kMean)), testing::HasSubstr("no tokens"));
  EXPECT_THAT(world.refusal(embedding_of({1, 99}, Pooling::kMean)), testing::HasSubstr("99"));
  EXPECT_THAT(world.refusal(embedding_of(Tokens(65, 1), Pooling::kMean)), testing::HasSubstr("65"));
  EXPECT_THAT(world.refusal(embedding_of({1}, Pooling::kFirst)), testing::HasSubstr("first token"));
  Request wide = embedding_of({1}, Pooling::kMean);
  wide.embedding->dimensions = kToyHidden + 1;
  EXPECT_THAT(world.refusal(wide), testing::HasSubstr("7 dimensions"));
}

}  // namespace
}  // namespace ingle
