// What the engine asks of the machine: hold a model's weights and KV pages, and run one batch through its graph.
// One Backend per loaded model, owned by the Engine and called from its loop thread alone.
// For given weights, tokens and KV type, the logits have the same bits whatever else is in the batch.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "kv/kv_types.h"

namespace ingle {

// One sequence's part of a batch: tokens [first_token, first_token + tokens) of the batch stand at positions
// [position, position + tokens). Their keys and values are written into the sequence's pages in this step.
struct BatchSequence {
  uint32_t first_token = 0;
  uint32_t tokens = 0;
  uint32_t position = 0;
  // By layer group; they cover all up to the last token here, from the first page on that the first token's window
  // needs.
  std::span<const PageTable> tables;
};

struct Batch {
  std::vector<PageCopy> copies;          // made before anything is written
  std::vector<int32_t> tokens;           // [tokens]
  std::vector<BatchSequence> sequences;  // in the order of their tokens, no gaps
  std::vector<uint32_t> output_rows;     // tokens (indices into `tokens`, rising) whose logits are wanted
  std::vector<uint32_t> hidden_rows;     // likewise, whose final hidden states are wanted
};

// Receives the logits of output_rows[first], ... one block after the other: logits [rows, vocab], valid during the
// call.
using LogitsSink = std::function<void(uint32_t first, uint32_t rows, const float* logits)>;
// The same for hidden_rows: hidden [rows, hidden_width].
using HiddenSink = std::function<void(uint32_t first, uint32_t rows, const float* hidden)>;

struct BackendOptions {
  uint32_t threads = 0;  // 0: the fast physical cores within the cgroup's quota
  std::string isa;       // kernel table; empty: the best this CPU runs
  KvType kv_type = KvType::kF16;
  std::vector<uint32_t> pages;  // size of each layer group's KV pool
  uint32_t max_batch_tokens = 512;
  std::string dump_ops;  // print ops whose name contains this to the sink below (debugging)
  std::function<void(const std::string& op, std::span<const float> values, uint32_t width)> on_dump;
  std::function<void(double fraction)> on_progress;  // while weights are repacked
};

class Backend {
 public:
  virtual ~Backend() = default;
  // Runs the batch. The tokens, pages and rows are the scheduler's responsibility (checked with CHECK): a graph without
  // logits gives none, and one that is not causal wants sequences whole. A sink without rows may be empty.
  virtual void execute(const Batch& batch, const LogitsSink& logits, const HiddenSink& hidden) = 0;
  void execute(const Batch& batch, const LogitsSink& logits) { execute(batch, logits, nullptr); }
  // Waits for what goes on behind the steps and makes later ones faster (never different). Of any thread.
  virtual void settle() {}
  virtual std::string description() const = 0;  // "cpu avx512, 2 threads"
};

// The graph's layer groups and what their pages take: what the context costs, before anything is allocated. Group 0 has
// no window; each window that occurs is one group more, in order of appearance.
std::vector<KvGroup> kv_groups(const Graph& graph, KvType type);

// Repacks the graph's weights for this CPU (releasing the source pages as it goes) and allocates the KV pool.
// Errors: kInvalidArgument (unknown isa), kUnsupported (a weight's type), kResourceExhausted (memory).
Result<std::unique_ptr<Backend>> make_cpu_backend(const Graph& graph, const BackendOptions& options);

}  // namespace ingle
