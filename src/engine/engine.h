// The engine of one loaded model: owns the backend, the KV pages and the loop thread that runs batched steps.
// Any thread may submit, read a stream or cancel. A failed request ends one sequence, never the engine.
// The same request gives the same bits whatever else runs, whatever the threads, chunks, cache or instruction set.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "base/result.h"
#include "engine/engine_metrics.h"
#include "engine/request.h"
#include "format/gguf.h"
#include "text/tokenizer.h"

namespace ingle {

struct EngineOptions {
  uint32_t threads = 0;  // 0: the fast physical cores within the cgroup's quota
  std::string isa;       // kernel table; empty: the best this CPU runs
  KvType kv_type = KvType::kF16;
  uint32_t prefill_chunk = 512;  // tokens of prompt per step at most
  // A step with running answers computes no more of others' prompts than fits this time, as far as can be foretold from
  // the steps before; 0: a whole prefill_chunk.
  uint32_t max_step_ms = 100;
  uint32_t context = 0;         // tokens per sequence; 0: the model's, or what memory allows
  uint32_t max_sequences = 32;  // running at once
  uint64_t kv_bytes = 0;        // size of the KV pool; 0: one full context, more for many sequences, as memory allows
  bool prefix_cache = true;
  bool speculate = true;  // compute guesses beside a few answers' tokens, where that costs no time
  std::string dump_ops;
  std::function<void(const std::string& op, std::span<const float> values, uint32_t width)> on_dump;
  std::function<void(double fraction)> on_progress;
};

struct ModelInfo {
  std::string name, architecture, quantization;
  uint64_t file_bytes = 0, parameters = 0;
  uint32_t layers = 0, vocab = 0, trained_context = 0;
  bool generates = true;             // else it is an encoder, which makes embeddings alone
  uint32_t embedding_length = 0;     // of embeddings, channels
  Pooling pooling = Pooling::kLast;  // of embeddings, unless a request says otherwise
  uint32_t context = 0;              // that this engine serves
  std::string context_note;          // why it is not what the model was trained for; empty if it is
  std::string chat_template;         // source; empty if the file has none
  SamplingParams default_sampling;
  std::string backend;  // "cpu avx512, 2 threads"
  uint64_t kv_bytes = 0;
};

// One request's answer. Dropping it cancels the request; once it is gone, on_prompt_logits and on_event are not called
// any more (so those functions must not drop it). It may outlive the engine, whose end cancels it. What is not read yet
// is kept as one event, so a stream's memory is bounded by the context.
class TokenStream {
 public:
  virtual ~TokenStream() = default;
  // Blocks until there is something new; after an event with finish != kNone only the same finish follows.
  virtual TokenEvent next() = 0;
  // The same without blocking: nothing if there is nothing new.
  virtual std::optional<TokenEvent> try_next() = 0;
  // Ends the answer within one step, at any time, from any thread.
  virtual void cancel() = 0;
  // Valid after the last event.
  virtual RequestStats stats() const = 0;
};

class Engine {
 public:
  // Opens the GGUF file, builds the model's graph, repacks the weights and starts the loop.
  // Errors: those of the file, the model and the tokenizer; kInvalidArgument names an option out of range;
  // kResourceExhausted if weights or the wanted context don't fit the memory.
  static Result<std::unique_ptr<Engine>> load(const std::filesystem::path& path, const EngineOptions& options);
  ~Engine();  // cancels what runs

  // Errors: kInvalidArgument (empty prompt, ids outside the vocabulary, parameters out of range, a prompt longer than
  // the context: with both counts), kResourceExhausted (too many requests wait).
  Result<std::unique_ptr<TokenStream>> submit(Request request);

  // Waits for what goes on in the background after a load and makes steps faster: for measurements.
  void settle();

  const Tokenizer& tokenizer() const;
  const ModelInfo& info() const;
  // How long the loop has had something to do and got no step done; 0 while there is nothing to do. A loop that hangs
  // is seen by this.
  std::chrono::milliseconds stalled_for() const;
  const EngineMetrics& metrics() const;

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ingle
