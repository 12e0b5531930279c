// Attention of one layer over a batch, as tasks for the pool: a task is one tile of queries (tokens of one sequence
// times query heads that share a KV head) over all its pieces, or over one piece where there are too few tiles for the
// threads. Pieces merge left to right in either case, so the split never changes a result.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/kernels/kernels.h"
#include "base/anonymous_memory.h"
#include "graph/graph.h"

namespace ingle::cpu {

// One layer's query rows, pages and result rows.
struct AttentionCall {
  const AttentionSpec* spec = nullptr;
  uint32_t group = 0;  // whose page tables
  KvLayout layout;
  const std::byte* layer_pages = nullptr;  // the layer's part of page p lies at layer_pages + p * page_stride
  size_t page_stride = 0;
  const float* q = nullptr;  // [tokens][heads * head_dim], q_stride floats apart
  size_t q_stride = 0;
  float* out = nullptr;  // likewise
  size_t out_stride = 0;
  std::byte* quantized = nullptr;  // if set: the result as ActivationBlocks too, rows quantized_stride bytes apart
  size_t quantized_stride = 0;
};

class AttentionRunner {
 public:
  // max_pages: of one sequence.
  static Result<AttentionRunner> create(const KernelTable& table, const Graph& graph, uint32_t threads,
                                        uint32_t max_batch_tokens, uint32_t max_pages);

  // On the calling thread, before the step: cuts the batch into tiles. All layers have the same heads per KV head or
  // are cut anew.
  void prepare(const Batch& batch, const AttentionSpec& spec);
  // On every thread of the pool; `counter` hands out tasks and was 0 before.
  void run(const AttentionCall& call, std::atomic<uint32_t>& counter, uint32_t thread);

 private:
  struct Tile {
    uint32_t sequence = 0;
    uint32_t first_token = 0, tokens = 0;  // of the batch
    uint32_t position = 0;                 // of the first token
    uint32_t last_key = 0;                 // position of the last key that any of its queries sees
    uint32_t kv_head = 0;
    uint32_t first_head = 0, heads = 0;
    uint32_t first_piece = 0, pieces = 0;  // without window
    uint32_t first_task = 0;               // in split mode
    uint32_t queries() const { return tokens * heads; }
  };
  struct ThreadScratch {
    std::vector<const std::byte*> pages;
    std::vector<float> values, next_values;  // [kMaxTileQueries][head_dim]
    AnonymousMemory kernel;
  };
  struct TileCall;

  void run_whole(const AttentionCall& call, const Tile& tile, ThreadScratch& scratch) const;
  void run_split(const AttentionCall& call, uint32_t task, ThreadScratch& scratch);
  void finish(const AttentionCall& call, const Tile& tile, AttentionPartial* partials) const;
  TileCall describe(const AttentionCall& call, const Tile& tile, ThreadScratch& scratch, uint32_t first_piece,
                    uint32_t pieces) const;

  const KernelTable* table_ = nullptr;
  uint32_t threads_ = 1;
  uint32_t max_head_dim_ = 0;
  const Batch* batch_ = nullptr;
  std::vector<Tile> tiles_;
  std::vector<ThreadScratch> scratch_;
  // Split mode: partials of every task, and how many pieces of a tile are still to come; the last to arrive merges.
  bool split_ = false;
  uint32_t tasks_ = 0;
  std::vector<AttentionPartial> split_partials_;
  AnonymousMemory split_values_;
  std::unique_ptr<std::atomic<uint32_t>[]> remaining_;
};

}  // namespace ingle::cpu
