#include "backend/cpu/attention_step.h"

#include <algorithm>

#include "backend/cpu/kernels/activation_block.h"
#include "base/check.h"
#include "base/checked.h"
#include "kv/window.h"

namespace ingle::cpu {
namespace {

constexpr uint32_t kPagesPerPiece = kPieceTokens / kPageTokens;
// Splitting pays only while there are few tiles; beyond this many partial rows they'd outgrow their scratch.
constexpr size_t kMaxSplitRows = 32 * 1024;
constexpr uint32_t kSplitBelowTilesPerThread = 4;

}  // namespace

// A tile as the kernel reads it, with the arrays that it points to.
struct AttentionRunner::TileCall {
  AttentionTile tile;
  const float* q[kMaxTileQueries];
  uint32_t positions[kMaxTileQueries];
};

Result<AttentionRunner> AttentionRunner::create(const KernelTable& table, const Graph& graph, uint32_t threads,
                                                uint32_t max_batch_tokens, uint32_t max_pages) {
  AttentionRunner runner;
  runner.table_ = &table;
  runner.threads_ = threads;
  uint32_t kv_heads = 1;
  for (const Op& op : graph.ops()) {
    if (op.kind != OpKind::kAttention) continue;
    runner.max_head_dim_ = std::max(runner.max_head_dim_, op.attention.head_dim);
    kv_heads = std::max(kv_heads, op.attention.heads);
  }
  if (runner.max_head_dim_ > kMaxHeadDim) {
    return Error{ErrorCode::kUnsupported,
                 "attention heads of " + std::to_string(runner.max_head_dim_) + " channels are not supported",
                 "the most is " + std::to_string(kMaxHeadDim)};
  }
  runner.tiles_.reserve(size_t{max_batch_tokens} * kv_heads);
  runner.scratch_.resize(threads);
  for (ThreadScratch& scratch : runner.scratch_) {
    scratch.pages.resize(max_pages);
    scratch.values.resize(size_t{kMaxTileQueries} * runner.max_head_dim_);
    scratch.next_values.resize(scratch.values.size());
    ASSIGN_OR_RETURN(scratch.kernel, AnonymousMemory::allocate(kAttentionScratchBytes, false));
  }
  ASSIGN_OR_RETURN(runner.split_values_,
                   AnonymousMemory::allocate(kMaxSplitRows * runner.max_head_dim_ * sizeof(float), false));
  runner.split_partials_.resize(kMaxSplitRows);
  runner.remaining_ = std::make_unique<std::atomic<uint32_t>[]>(kSplitBelowTilesPerThread * threads);
  return runner;
}

void AttentionRunner::prepare(const Batch& batch, const AttentionSpec& spec) {
  batch_ = &batch;
  tiles_.clear();
  const uint32_t group = spec.heads / spec.kv_heads;
  const uint32_t heads_per_tile = std::min(group, kMaxTileQueries);
  const uint32_t tokens_per_tile = std::max(1u, kMaxTileQueries / heads_per_tile);
  uint32_t tasks = 0;
  size_t split_rows = 0;
  for (uint32_t s = 0; s < batch.sequences.size(); s++) {
    const BatchSequence& sequence = batch.sequences[s];
    CHECK(spec.causal || sequence.position == 0);
    // Last tokens first: they see the most keys, and long tasks should begin early.
    for (uint32_t end = sequence.tokens; end > 0; end -= std::min(end, tokens_per_tile)) {
      const uint32_t tokens = std::min(end, tokens_per_tile);
      for (uint32_t kv_head = 0; kv_head < spec.kv_heads; kv_head++) {
        for (uint32_t head = 0; head < group; head += heads_per_tile) {
          Tile tile{.sequence = s,
                    .first_token = sequence.first_token + end - tokens,
                    .tokens = tokens,
                    .position = sequence.position + end - tokens,
                    .kv_head = kv_head,
                    .first_head = kv_head * group + head,
                    .heads = std::min(heads_per_tile, group - head),
                    .first_task = tasks};
          tile.last_key = sequence.position + (spec.causal ? end : sequence.tokens) - 1;
          tile.first_piece = first_visible_page(spec.window, tile.position) / kPagesPerPiece;
          tile.pieces = tile.last_key / kPieceTokens + 1 - tile.first_piece;
          tasks += tile.pieces;
          split_rows += size_t{tile.pieces} * tile.queries();
          tiles_.push_back(tile);
        }
      }
    }
  }
  split_ = threads_ > 1 && tiles_.size() < kSplitBelowTilesPerThread * threads_ && tasks > tiles_.size() &&
           split_rows <= kMaxSplitRows;
  tasks_ = split_ ? tasks : static_cast<uint32_t>(tiles_.size());
  if (!split_) return;
  for (size_t i = 0; i < tiles_.size(); i++) remaining_[i].store(tiles_[i].pieces, std::memory_order_relaxed);
  // Rows of a tile's pieces lie one piece after the other.
  float* values = reinterpret_cast<float*>(split_values_.data());
  for (size_t row = 0; row < split_rows; row++) split_partials_[row].values = values + row * max_head_dim_;
}

void AttentionRunner::run(const AttentionCall& call, std::atomic<uint32_t>& counter, uint32_t thread) {
  for (uint32_t task = counter.fetch_add(1, std::memory_order_relaxed); task < tasks_;
       task = counter.fetch_add(1, std::memory_order_relaxed)) {
    if (split_) {
      run_split(call, task, scratch_[thread]);
    } else {
      run_whole(call, tiles_[task], scratch_[thread]);
    }
  }
}

AttentionRunner::TileCall AttentionRunner::describe(const AttentionCall& call, const Tile& tile, ThreadScratch& scratch,
                                                    uint32_t first_piece, uint32_t pieces) const {
  const AttentionSpec& spec = *call.spec;
  const PageTable& table = batch_->sequences[tile.sequence].tables[call.group];
  const uint32_t last_page = tile.last_key / kPageTokens;
  const uint32_t end_page = std::min((first_piece + pieces) * kPagesPerPiece, last_page + 1);
  // Pieces begin before the window does; there the kernel reads nothing.
  const uint32_t first_page = std::max(first_piece * kPagesPerPiece, first_visible_page(spec.window, tile.position));
  for (uint32_t page = first_page; page < end_page; page++) {
    CHECK(table.pages[page] != kNoPage);
    scratch.pages[page] = call.layer_pages + table.pages[page] * call.page_stride;
  }
  TileCall result;
  for (uint32_t t = 0; t < tile.tokens; t++) {
    for (uint32_t h = 0; h < tile.heads; h++) {
      const uint32_t i = t * tile.heads + h;
      result.q[i] = call.q + (tile.first_token + t) * call.q_stride + size_t{tile.first_head + h} * spec.head_dim;
      result.positions[i] = spec.causal ? tile.position + t : tile.last_key;
    }
  }
  result.tile = {.layout = call.layout,
                 .pages = scratch.pages.data(),
                 .kv_head = tile.kv_head,
                 .queries = tile.queries(),
                 .q = nullptr,
                 .positions = nullptr,
                 .window = spec.window,
                 .scale = spec.scale,
                 .softcap = spec.softcap};
  return result;
}

void AttentionRunner::run_whole(const AttentionCall& call, const Tile& tile, ThreadScratch& scratch) const {
  TileCall tile_call = describe(call, tile, scratch, tile.first_piece, tile.pieces);
  tile_call.tile.q = tile_call.q;
  tile_call.tile.positions = tile_call.positions;
  const uint32_t head_dim = call.spec->head_dim;
  AttentionPartial partials[kMaxTileQueries], next[kMaxTileQueries];
  for (uint32_t i = 0; i < tile.queries(); i++) {
    partials[i].values = scratch.values.data() + size_t{i} * head_dim;
    next[i].values = scratch.next_values.data() + size_t{i} * head_dim;
  }
  for (uint32_t p = 0; p < tile.pieces; p++) {
    AttentionPartial* into = p == 0 ? partials : next;
    table_->attention_piece(tile_call.tile, tile.first_piece + p, into, scratch.kernel.data());
    if (p == 0) continue;
    for (uint32_t i = 0; i < tile.queries(); i++) table_->attention_merge(partials[i], next[i], head_dim);
  }
  finish(call, tile, partials);
}

void AttentionRunner::run_split(const AttentionCall& call, uint32_t task, ThreadScratch& scratch) {
  uint32_t index = 0;
  size_t row = 0;  // of the tile's first partial
  while (index + 1 < tiles_.size() && tiles_[index + 1].first_task <= task) {
    row += size_t{tiles_[index].pieces} * tiles_[index].queries();
    index++;
  }
  const Tile& tile = tiles_[index];
  AttentionPartial* first = split_partials_.data() + row;
  const uint32_t piece = task - tile.first_task;
  TileCall tile_call = describe(call, tile, scratch, tile.first_piece + piece, 1);
  tile_call.tile.q = tile_call.q;
  tile_call.tile.positions = tile_call.positions;
  table_->attention_piece(tile_call.tile, tile.first_piece + piece, first + size_t{piece} * tile.queries(),
                          scratch.kernel.data());
  if (remaining_[index].fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  remaining_[index].store(tile.pieces, std::memory_order_relaxed);  // for the next layer
  for (uint32_t p = 1; p < tile.pieces; p++) {
    for (uint32_t i = 0; i < tile.queries(); i++) {
      table_->attention_merge(first[i], first[size_t{p} * tile.queries() + i], call.spec->head_dim);
    }
  }
  finish(call, tile, first);
}

void AttentionRunner::finish(const AttentionCall& call, const Tile& tile, AttentionPartial* partials) const {
  const uint32_t head_dim = call.spec->head_dim;
  for (uint32_t t = 0; t < tile.tokens; t++) {
    const size_t token = tile.first_token + t, channel = size_t{tile.first_head} * head_dim;
    float* out = call.out + token * call.out_stride + channel;
    for (uint32_t h = 0; h < tile.heads; h++) {
      table_->attention_finish(partials[t * tile.heads + h], head_dim, out + size_t{h} * head_dim);
    }
    if (call.quantized == nullptr) continue;
    auto* blocks = reinterpret_cast<ActivationBlock*>(call.quantized + token * call.quantized_stride);
    table_->quantize(out, tile.heads * head_dim, blocks + channel / kActivationBlock);
  }
}

}  // namespace ingle::cpu
