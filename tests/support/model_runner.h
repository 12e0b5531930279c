// Runs token sequences straight through a backend, without engine or scheduler: for the tests that compare logits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "backend/backend.h"
#include "format/gguf.h"
#include "models/model.h"

namespace ingle::test {

struct RunSettings {
  std::string isa;
  uint32_t threads = 1;
  uint32_t chunk = 512;  // tokens of a sequence per step
  KvType kv_type = KvType::kF16;
  bool fuse = true;
  // Sequences that run in the same steps: their tokens differ from the tested one's, and their chunks don't line up.
  uint32_t companions = 0;
  // Tokens at the start whose pages another sequence has computed before, as a prefix cache hands them over; a multiple
  // of kPageTokens.
  uint32_t shared_prefix = 0;
};

// A model file opened once, and a backend for every table, thread count and KV type that runs ask for: a run finds the
// KV pages as earlier runs left them. One thread.
class ModelRunner {
 public:
  explicit ModelRunner(const std::filesystem::path& path);

  // Logits of all positions that the run computes, [tokens - shared_prefix][vocab]; of an encoder, the final hidden
  // states. An encoder's sequences run whole, without a shared prefix.
  std::vector<float> outputs(const std::vector<int32_t>& tokens, const RunSettings& settings);
  uint32_t output_width() const { return is_encoder() ? model_->graph.hidden_width() : vocab(); }
  uint32_t vocab() const { return model_->vocab; }
  bool is_encoder() const { return !model_->graph.causal(); }
  const Graph& graph() const { return model_->graph; }

 private:
  Backend& backend(const RunSettings& settings);

  std::unique_ptr<GgufFile> file_;
  std::unique_ptr<Model> model_;
  std::map<std::tuple<std::string, uint32_t, KvType, bool>, std::unique_ptr<Backend>> backends_;
};

// SHA-256 would need a library; the tests only compare digests with each other: FNV-1a over the bytes.
uint64_t digest(const std::vector<float>& values);

// Pseudo-random token ids below `vocab`.
std::vector<int32_t> random_tokens(uint32_t count, uint32_t vocab, uint32_t seed);

}  // namespace ingle::test
