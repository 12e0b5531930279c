// The engine on the tiny models, from the file to the answer: the same request gives the same tokens, log-probabilities
// and prompt logits on every instruction set, with any threads and chunks, alone or among others, with its prefix found
// in the cache or not, preempted or not. And what it refuses.
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/kernels/kernels.h"
#include "support/model_runner.h"

namespace ingle::test {
namespace {

namespace fs = std::filesystem;

const fs::path kModels = fs::path(INGLE_TESTS) / "models";

// EngineOptions with some fields set.
template <typename Change>
EngineOptions with(Change change) {
  EngineOptions options;
  change(options);
  return options;
}

std::unique_ptr<Engine> load(const fs::path& path, const EngineOptions& options) {
  Result<std::unique_ptr<Engine>> engine = Engine::load(path, options);
  EXPECT_TRUE(engine.ok()) << engine.error().to_string();
  return engine.ok() ? std::move(engine).value() : nullptr;
}

// Everything an answer says that must not depend on how it was computed.
struct Answer {
  std::vector<TokenId> tokens;
  std::vector<float> logprobs;
  std::vector<std::vector<std::pair<TokenId, float>>> top_logprobs;
  std::string text;
  FinishReason finish = FinishReason::kNone;
  bool operator==(const Answer&) const = default;
};

void PrintTo(const Answer& answer, std::ostream* out) {
  *out << testing::PrintToString(answer.tokens) << " " << testing::PrintToString(answer.logprobs);
}

Answer read(TokenStream& stream) {
  Answer answer;
  while (answer.finish == FinishReason::kNone) {
    const TokenEvent event = stream.next();
    answer.tokens.insert(answer.tokens.end(), event.tokens.begin(), event.tokens.end());
    answer.logprobs.insert(answer.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
    answer.top_logprobs.insert(answer.top_logprobs.end(), event.top_logprobs.begin(), event.top_logprobs.end());
    answer.text += event.text;
    answer.finish = event.finish;
  }
  return answer;
}

std::unique_ptr<TokenStream> submit(Engine& engine, Request request) {
  Result<std::unique_ptr<TokenStream>> stream = engine.submit(std::move(request));
  EXPECT_TRUE(stream.ok()) << stream.error().to_string();
  return std::move(stream).value();
}

constexpr uint32_t kRequests = 4;

// Number 0 is greedy, the others are sampled; all share the first 64 tokens of their prompts.
Request make_request(uint32_t number, uint32_t vocab) {
  Request request;
  request.prompt = random_tokens(64, vocab, 11);
  const std::vector<TokenId> rest = random_tokens(3 + 17 * number, vocab, number + 1);
  request.prompt.insert(request.prompt.end(), rest.begin(), rest.end());
  request.max_tokens = 16;
  request.ignore_eos = true;
  request.logprobs = true;
  request.top_logprobs = 2;
  request.choice = number % 2;
  request.sampling.seed = number;
  request.sampling.temperature = number == 0 ? 0.0f : 1.0f;
  request.sampling.repeat_penalty = number == 2 ? 1.3f : 1.0f;
  return request;
}

std::vector<float> prompt_logits(Engine& engine, Request request) {
  std::vector<float> all;
  request.on_prompt_logits = [&](uint32_t position, std::span<const float> logits) {
    EXPECT_EQ(position * logits.size(), all.size());
    all.insert(all.end(), logits.begin(), logits.end());
  };
  read(*submit(engine, std::move(request)));
  return all;
}

struct Reference {
  std::vector<Answer> answers;
  std::vector<float> logits;  // of the last request's prompt
};

Reference make_reference(const fs::path& model, KvType kv) {
  const auto engine = load(model, with([&](EngineOptions& o) {
                             o.threads = 1;
                             o.isa = "scalar";
                             o.kv_type = kv;
                             o.prefix_cache = false;
                           }));
  const uint32_t vocab = engine->info().vocab;
  Reference reference;
  for (uint32_t i = 0; i < kRequests; i++) {
    reference.answers.push_back(read(*submit(*engine, make_request(i, vocab))));
  }
  reference.logits = prompt_logits(*engine, make_request(kRequests - 1, vocab));
  return reference;
}

// Alone, again (now with the prefix in the cache), all at once, and the prompt's logits among the others.
void expect_reference(Engine& engine, const Reference& reference) {
  const uint32_t vocab = engine.info().vocab;
  EXPECT_EQ(read(*submit(engine, make_request(0, vocab))), reference.answers[0]) << "alone";
  const auto again = submit(engine, make_request(0, vocab));
  EXPECT_EQ(read(*again), reference.answers[0]) << "with its prefix in the cache";
  EXPECT_EQ(again->stats().cached_tokens, 66u) << "all but the last token";
  std::vector<std::unique_ptr<TokenStream>> streams;
  for (uint32_t i = 0; i < kRequests; i++) streams.push_back(submit(engine, make_request(i, vocab)));
  EXPECT_EQ(prompt_logits(engine, make_request(kRequests - 1, vocab)), reference.logits) << "among others";
  for (uint32_t i = 0; i < kRequests; i++) EXPECT_EQ(read(*streams[i]), reference.answers[i]) << "among others, " << i;
}

std::vector<std::string> tiny_models(bool with_encoders = false) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kModels)) {
    if (entry.path().extension() != ".gguf") continue;
    if (with_encoders || !ModelRunner(entry.path()).is_encoder()) names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class EngineBits : public testing::TestWithParam<std::string> {};

// Every table and KV type with one chunk, another for each model, so that over the models every table meets every
// chunk; same_bits_test has the full product below the engine.
TEST_P(EngineBits, OneAnswerToOneRequest) {
  const std::vector<std::string> models = tiny_models();
  const fs::path model = kModels / (GetParam() + ".gguf");
  constexpr std::array<uint32_t, 4> kChunks = {1, 7, 32, 512};
  auto turn = static_cast<uint32_t>(std::find(models.begin(), models.end(), GetParam()) - models.begin());
  for (const KvType kv : {KvType::kF16, KvType::kQ8_0}) {
    const Reference reference = make_reference(model, kv);
    for (const cpu::KernelTable* table : cpu::available_tables()) {
      EngineOptions options;
      options.prefill_chunk = kChunks[turn++ % kChunks.size()];
      // Three where there are few steps: more threads than cores wait long at every barrier.
      options.threads = options.prefill_chunk == 512 ? 3 : 1 + turn / 4 % 2;
      options.isa = table->name;
      options.kv_type = kv;
      const auto engine = load(model, options);
      ASSERT_NE(engine, nullptr);
      expect_reference(*engine, reference);
      ASSERT_FALSE(HasFailure()) << table->name << ", " << options.threads << " threads, chunk "
                                 << options.prefill_chunk;
    }
  }
}

TEST_P(EngineBits, TheSameWithTooFewPages) {
  const fs::path model = kModels / (GetParam() + ".gguf");
  const Reference reference = make_reference(model, KvType::kF16);
  const auto roomy = load(model, with([&](EngineOptions& o) {
                            o.threads = 1;
                            o.context = 256;
                            o.max_sequences = 1;
                          }));
  const uint64_t page_bytes = roomy->info().kv_bytes / (256 / kPageTokens);
  const auto engine = load(model, with([&](EngineOptions& o) {
                             o.threads = 2;
                             o.prefill_chunk = 32;
                             o.context = 256;
                             o.kv_bytes = 9 * page_bytes;
                           }));
  ASSERT_EQ(engine->info().kv_bytes, 9 * page_bytes);
  for (int round = 0; round < 3; round++) {
    std::vector<std::unique_ptr<TokenStream>> streams;
    const uint32_t vocab = engine->info().vocab;
    for (uint32_t i = 0; i < kRequests; i++) streams.push_back(submit(*engine, make_request(i, vocab)));
    for (uint32_t i = 0; i < kRequests; i++) EXPECT_EQ(read(*streams[i]), reference.answers[i]) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EngineBits, testing::ValuesIn(tiny_models()), [](const auto& model) {
  std::string name = model.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TokenEvent embed(Engine& engine, Request request) { return submit(engine, std::move(request))->next(); }

Request embedding_request(uint32_t tokens, uint32_t vocab, const EmbeddingOptions& options) {
  Request request;
  request.prompt = random_tokens(tokens, vocab, tokens);
  request.embedding = options;
  return request;
}

// Embeddings of texts of several lengths, 1 among them, by every pooling that the model has; each asked for alone.
std::vector<std::vector<float>> embeddings(Engine& engine, bool at_once) {
  std::vector<Pooling> poolings = {Pooling::kMean, Pooling::kLast};
  if (!engine.info().generates) poolings.push_back(Pooling::kFirst);
  std::vector<std::unique_ptr<TokenStream>> streams;
  std::vector<std::vector<float>> result;
  const auto read_all = [&] {
    for (const auto& stream : streams) {
      TokenEvent event = stream->next();
      EXPECT_EQ(event.finish, FinishReason::kStop);
      EXPECT_TRUE(event.tokens.empty() && event.text.empty());
      result.push_back(std::move(event.embedding));
    }
    streams.clear();
  };
  for (const Pooling pooling : poolings) {
    for (const uint32_t tokens : {70u, 1u, 33u, 300u}) {
      Request request = embedding_request(tokens, engine.info().vocab, {.pooling = pooling});
      streams.push_back(submit(engine, std::move(request)));
      if (!at_once) read_all();
    }
  }
  read_all();
  return result;
}

class EngineEmbeddings : public testing::TestWithParam<std::string> {};

// Alone, together, found in the cache, among answers, in any chunks, with few pages.
TEST_P(EngineEmbeddings, OneVectorToOneText) {
  const fs::path model = kModels / (GetParam() + ".gguf");
  const auto scalar = load(model, with([&](EngineOptions& o) {
                             o.threads = 1;
                             o.isa = "scalar";
                             o.prefix_cache = false;
                           }));
  const std::vector<std::vector<float>> reference = embeddings(*scalar, false);
  for (const std::vector<float>& vector : reference) {
    double squares = 0;
    for (const float value : vector) squares += double{value} * value;
    EXPECT_EQ(vector.size(), scalar->info().embedding_length);
    EXPECT_NEAR(squares, 1, 1e-6);
  }
  for (const uint32_t chunk : {7u, 64u, 512u}) {
    const auto engine = load(model, with([&](EngineOptions& o) {
                               o.threads = 1 + chunk % 2;
                               o.prefill_chunk = chunk;
                             }));
    for (const bool at_once : {true, false, true}) {
      std::vector<std::unique_ptr<TokenStream>> others;
      for (uint32_t i = 0; i < kRequests && engine->info().generates; i++) {
        others.push_back(submit(*engine, make_request(i, engine->info().vocab)));
      }
      EXPECT_EQ(embeddings(*engine, at_once), reference) << "chunk " << chunk;
    }
  }
  const auto narrow = load(model, with([&](EngineOptions& o) {
                             o.threads = 2;
                             o.prefill_chunk = 64;
                             o.context = 320;
                             o.kv_bytes = scalar->info().kv_bytes;
                           }));
  EXPECT_EQ(embeddings(*narrow, true), reference);
}

TEST_P(EngineEmbeddings, ShortensAndKeepsTheLengthWhenAsked) {
  const auto engine = load(kModels / (GetParam() + ".gguf"), with([&](EngineOptions& o) { o.threads = 1; }));
  const uint32_t vocab = engine->info().vocab;
  const std::vector<float> raw = embed(*engine, embedding_request(40, vocab, {.normalize = false})).embedding;
  for (const uint32_t dimensions : {0u, 1u, 5u, engine->info().embedding_length}) {
    const std::vector<float> cut = embed(*engine, embedding_request(40, vocab, {.dimensions = dimensions})).embedding;
    ASSERT_EQ(cut.size(), dimensions == 0 ? raw.size() : dimensions);
    double squares = 0;
    for (size_t i = 0; i < cut.size(); i++) squares += double{raw[i]} * raw[i];
    for (size_t i = 0; i < cut.size(); i++) EXPECT_NEAR(cut[i], raw[i] / std::sqrt(squares), 1e-6);
  }
  EXPECT_FALSE(engine->submit(embedding_request(4, vocab, {.dimensions = engine->info().embedding_length + 1})).ok());
}

INSTANTIATE_TEST_SUITE_P(Models, EngineEmbeddings, testing::ValuesIn(tiny_models(true)), [](const auto& model) {
  std::string name = model.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(EngineEncoder, MakesEmbeddingsAlone) {
  const auto engine = load(kModels / "tiny-bert.gguf", with([&](EngineOptions& o) { o.threads = 1; }));
  EXPECT_FALSE(engine->info().generates);
  EXPECT_EQ(engine->info().pooling, Pooling::kMean);  // the file says nothing
  Request request;
  request.prompt = {1, 2};
  const auto stream = engine->submit(request);
  ASSERT_FALSE(stream.ok());
  EXPECT_EQ(stream.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(stream.error().message, testing::HasSubstr("embeddings"));
}

TEST(EngineEncoder, HasNoPositionsBeyondThoseItWasTrainedWith) {
  const fs::path model = kModels / "tiny-bert.gguf";
  const auto engine = load(model, with([&](EngineOptions& o) {
                             o.threads = 1;
                             o.context = 100;
                           }));
  EXPECT_TRUE(engine->submit(embedding_request(100, 100, {})).ok());
  const auto refused = engine->submit(embedding_request(101, 100, {}));
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, testing::AllOf(testing::HasSubstr("101"), testing::HasSubstr("100")));
  const auto too_long = Engine::load(model, with([&](EngineOptions& o) { o.context = 641; }));
  ASSERT_FALSE(too_long.ok());
  EXPECT_THAT(too_long.error().to_string(), testing::HasSubstr("640"));
}

std::string refusal(const fs::path& path, const EngineOptions& options = {}) {
  const auto engine = Engine::load(path, options);
  return engine.ok() ? "" : engine.error().to_string();
}

TEST(Engine, TellsWhatItLoaded) {
  const auto engine = load(kModels / "tiny-llama.gguf", with([&](EngineOptions& o) { o.threads = 2; }));
  const ModelInfo& info = engine->info();
  EXPECT_EQ(info.architecture, "llama");
  EXPECT_GT(info.layers, 0u);
  EXPECT_GT(info.parameters, 0u);
  EXPECT_GT(info.file_bytes, 0u);
  EXPECT_GT(info.vocab, 0u);
  EXPECT_EQ(info.context, info.trained_context);
  EXPECT_GT(info.kv_bytes, 0u);
  EXPECT_THAT(info.backend, testing::HasSubstr("2 threads"));
  EXPECT_TRUE(info.default_sampling.validate().ok());
}

TEST(Engine, RefusesFilesItCanNotRun) {
  EXPECT_NE(refusal(kModels / "missing.gguf"), "");
  EXPECT_NE(refusal(kModels), "");
  EXPECT_NE(refusal(kModels / ".." / "CMakeLists.txt"), "");
  // Cut short anywhere, it is refused and nothing worse happens.
  std::ifstream in(kModels / "tiny-llama.gguf", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const fs::path cut = fs::path(testing::TempDir()) / "ingle_engine_cut.gguf";
  for (uint32_t part = 1; part < 40; part++) {
    std::ofstream(cut, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size() * part / 40));
    EXPECT_NE(refusal(cut), "") << part;
  }
  fs::remove(cut);
}

TEST(Engine, RefusesAbsurdOptions) {
  const fs::path model = kModels / "tiny-llama.gguf";
  EXPECT_THAT(refusal(model, with([&](EngineOptions& o) { o.threads = 100000; })),
              testing::HasSubstr("threads is 100000"));
  EXPECT_THAT(refusal(model, with([&](EngineOptions& o) { o.isa = "sse9"; })), testing::HasSubstr("sse9"));
  EXPECT_THAT(refusal(model, with([&](EngineOptions& o) { o.prefill_chunk = 0; })),
              testing::HasSubstr("prefill_chunk is 0"));
  EXPECT_THAT(refusal(model, with([&](EngineOptions& o) { o.max_sequences = 0; })),
              testing::HasSubstr("max_sequences is 0"));
  EXPECT_THAT(refusal(model, with([&](EngineOptions& o) { o.context = UINT32_MAX; })),
              testing::HasSubstr("4294967295"));
  EXPECT_THAT(refusal(model, with([&](EngineOptions& o) { o.kv_bytes = 1; })), testing::HasSubstr("keys and values"));
}

TEST(Engine, RefusesAPromptLongerThanTheContext) {
  const auto engine = load(kModels / "tiny-llama.gguf", with([&](EngineOptions& o) {
                             o.threads = 1;
                             o.context = 50;
                           }));
  Request request;
  request.prompt.assign(51, 1);
  const auto stream = engine->submit(request);
  ASSERT_FALSE(stream.ok());
  EXPECT_THAT(stream.error().message, testing::AllOf(testing::HasSubstr("51"), testing::HasSubstr("50")));
}

}  // namespace
}  // namespace ingle::test
