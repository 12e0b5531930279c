// For tests: an engine's loop over the toy model, whose vocabulary is the letters.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine_loop.h"
#include "engine/toy_backend_test.h"

namespace ingle {

using Tokens = std::vector<TokenId>;

// 0 is <eos>, the others are letters.
inline constexpr uint32_t kVocab = 27;
inline constexpr TokenId kEos = 0;

inline std::unique_ptr<Tokenizer> letters() {
  Vocabulary vocabulary;
  vocabulary.kind = VocabularyKind::kSentencePiece;
  vocabulary.tokens.push_back("<eos>");
  vocabulary.types.push_back(TokenType::kControl);
  for (char letter = 'a'; letter <= 'z'; letter++) {
    vocabulary.tokens.emplace_back(1, letter);
    vocabulary.types.push_back(TokenType::kNormal);
  }
  vocabulary.scores.assign(vocabulary.tokens.size(), 0.0f);
  vocabulary.eos = kEos;
  vocabulary.add_bos = false;
  Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::create(std::move(vocabulary));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().to_string();
  return std::move(tokenizer).value();
}

// How long steps take by the engine's clock.
enum class StepTimes { kReal, kEqual };

// An engine over the toy model.
class World {
 public:
  explicit World(EngineLoopOptions options = {.vocab = kVocab, .context = 1024, .scheduler = {.pages = 64}},
                 StepTimes times = StepTimes::kReal) {
    auto toy = std::make_unique<ToyBackend>(options.scheduler, kVocab);
    backend = toy.get();
    if (times == StepTimes::kEqual) {
      options.step_clock = [this] {
        return std::chrono::steady_clock::time_point(std::chrono::milliseconds(backend->steps));
      };
    }
    backend->on_logits = [this](uint64_t state, std::vector<float>& logits) {
      if (on_logits) on_logits(state, logits);
    };
    backend->on_step = [this] {
      if (on_step) on_step();
    };
    loop = std::make_unique<EngineLoop>(options, std::move(toy), *tokenizer);
  }

  std::unique_ptr<TokenStream> submit(Request request) {
    Result<std::unique_ptr<TokenStream>> stream = loop->submit(std::move(request));
    EXPECT_TRUE(stream.ok()) << stream.error().to_string();
    return std::move(stream).value();
  }
  TokenEvent answer(Request request) { return read(*submit(std::move(request))); }
  std::string refusal(Request request) {
    const auto result = loop->submit(std::move(request));
    return result.ok() ? "" : result.error().to_string();
  }

  // All events as one.
  static TokenEvent read(TokenStream& stream) {
    TokenEvent all;
    while (all.finish == FinishReason::kNone) {
      TokenEvent event = stream.next();
      all.tokens.insert(all.tokens.end(), event.tokens.begin(), event.tokens.end());
      all.logprobs.insert(all.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
      all.top_logprobs.insert(all.top_logprobs.end(), event.top_logprobs.begin(), event.top_logprobs.end());
      all.prompt_scores.insert(all.prompt_scores.end(), event.prompt_scores.begin(), event.prompt_scores.end());
      all.text += event.text;
      all.finish = event.finish;
      all.stop = event.stop;
      all.error = event.error;
    }
    return all;
  }

  const std::unique_ptr<Tokenizer> tokenizer = letters();
  std::function<void(uint64_t, std::vector<float>&)> on_logits;  // set before the first request
  std::function<void()> on_step;
  ToyBackend* backend = nullptr;
  std::unique_ptr<EngineLoop> loop;
};

inline Request greedy(Tokens prompt, uint32_t max_tokens) {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  return request;
}

// What the toy model answers greedily, computed without an engine.
inline Tokens expected_answer(const Tokens& prompt, size_t count, bool ignore_eos) {
  Tokens tokens = prompt;
  while (tokens.size() < prompt.size() + count) {
    std::vector<float> logits = toy_logits(toy_state(tokens), kVocab);
    if (ignore_eos) logits[kEos] = -1e30f;
    tokens.push_back(static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    if (tokens.back() == kEos) break;
  }
  return {tokens.begin() + prompt.size(), tokens.end()};
}

inline std::string as_text(const Tokens& tokens) {
  std::string text;
  for (const TokenId id : tokens) {
    if (id != kEos) text += static_cast<char>('a' + id - 1);
  }
  return text;
}

}  // namespace ingle
