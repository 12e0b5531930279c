// Speed of the attention kernels: one thread, every table but the scalar one, decode (one token's heads over a context
// too large for the caches) and prefill (tiles of kMaxTileQueries over one context).
// Usage: attention_bench [TABLE]

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "backend/cpu/kernels/kernels.h"
#include "base/thread_time.h"

namespace ingle::cpu {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};
using Bytes = std::unique_ptr<std::byte, Free>;

Bytes allocate(size_t bytes) { return Bytes(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64))); }

struct Shape {
  uint32_t head_dim, heads_per_kv_head;
};

// Sequences of `context` tokens and one KV head.
struct Pool {
  Pool(const KernelTable& table, const KvLayout& layout, uint32_t context, uint32_t sequences) {
    const uint32_t pages_each = context / kPageTokens;
    memory = allocate(size_t{pages_each} * sequences * layout.page_bytes());
    std::mt19937 rng(1);
    std::normal_distribution<float> normal;
    std::vector<float> k(layout.head_dim), v(layout.head_dim);
    for (float& x : k) x = normal(rng);
    for (float& x : v) x = normal(rng);
    for (uint32_t s = 0; s < sequences; s++) {
      pages.emplace_back();
      for (uint32_t page = 0; page < pages_each; page++) {
        std::byte* p = memory.get() + (size_t{s} * pages_each + page) * layout.page_bytes();
        pages.back().push_back(p);
        for (uint32_t slot = 0; slot < kPageTokens; slot++) {
          k[(page + slot) % layout.head_dim] = normal(rng);
          table.store_keys(layout, p, slot, {0, layout.kv_heads}, k.data());
          table.store_values(layout, p, slot, {0, layout.kv_heads}, v.data());
        }
      }
    }
  }
  Bytes memory;
  std::vector<std::vector<const std::byte*>> pages;
};

// A tile whose queries stand at the end of its context, and room for its results.
struct Work {
  Work(const KvLayout& layout, uint32_t context, uint32_t heads, uint32_t tokens)
      : values(2 * heads * tokens, std::vector<float>(layout.head_dim)), scratch(allocate(kAttentionScratchBytes)) {
    std::mt19937 rng(2);
    std::normal_distribution<float> normal;
    for (uint32_t i = 0; i < heads * tokens; i++) {
      q.emplace_back(layout.head_dim);
      for (float& x : q.back()) x = normal(rng);
      positions.push_back(context - tokens + i / heads);
      merged.push_back({.values = values[2 * i].data()});
      partials.push_back({.values = values[2 * i + 1].data()});
    }
    for (const auto& row : q) rows.push_back(row.data());
    tile = {
        .layout = layout, .queries = heads * tokens, .q = rows.data(), .positions = positions.data(), .scale = 0.125f};
  }
  void run(const KernelTable& table, const std::vector<const std::byte*>& pages) {
    tile.pages = pages.data();
    for (AttentionPartial& partial : merged) partial.empty = true;
    for (uint32_t piece = 0; piece * kPieceTokens < pages.size() * kPageTokens; piece++) {
      table.attention_piece(tile, piece, partials.data(), scratch.get());
      for (uint32_t i = 0; i < tile.queries; i++) table.attention_merge(merged[i], partials[i], tile.layout.head_dim);
    }
  }

  std::vector<std::vector<float>> q, values;
  std::vector<const float*> rows;
  std::vector<uint32_t> positions;
  std::vector<AttentionPartial> merged, partials;
  Bytes scratch;
  AttentionTile tile;
};

// Seconds per run, the median of 7 rounds of at least 30 ms. Of the thread's time, so that other programs on the
// machine count less.
double seconds_per_run(const KernelTable& table, const Pool& pool, Work& work) {
  std::vector<double> rounds;
  size_t next = 0;
  for (int round = 0; round < 7; round++) {
    const ThreadTime time;
    double seconds = 0;
    int runs = 0;
    while (seconds < 0.03) {
      work.run(table, pool.pages[next++ % pool.pages.size()]);
      runs++;
      seconds = std::chrono::duration<double>(time.used()).count();
    }
    rounds.push_back(seconds / runs);
  }
  std::nth_element(rounds.begin(), rounds.begin() + 3, rounds.end());
  return rounds[3];
}

void measure(const KernelTable& table, KvType type, Shape shape, uint32_t context) {
  const KvLayout layout = {type, 1, shape.head_dim};
  const double bytes = static_cast<double>(context / kPageTokens * layout.page_bytes());
  const double products = 2.0 * context * shape.head_dim;  // multiply-adds of one query
  const auto sequences = static_cast<uint32_t>(std::max(1.0, 96e6 / bytes));
  const Pool pool(table, layout, context, sequences);
  Work decode(layout, context, shape.heads_per_kv_head, 1);
  const double decode_s = seconds_per_run(table, pool, decode);
  Pool one(table, layout, context, 1);
  Work prefill(layout, context, shape.heads_per_kv_head, kMaxTileQueries / shape.heads_per_kv_head);
  const double prefill_s = seconds_per_run(table, one, prefill);
  std::printf("%-8s %-4s %8u %5u %7u | %8.1f %6.1f | %8.1f %6.1f\n", std::string(table.name).c_str(),
              type == KvType::kF16 ? "f16" : "q8_0", shape.head_dim, shape.heads_per_kv_head, context,
              products * decode.tile.queries / decode_s * 1e-9, bytes / decode_s * 1e-9,
              products * prefill.tile.queries / prefill_s * 1e-9, bytes / prefill_s * 1e-9);
  std::fflush(stdout);
}

// Some tables differ in their matmul alone: of those with the same attention, the best.
bool is_first_with_its_attention(const KernelTable& table) {
  const auto tables = available_tables();
  return *std::ranges::find(tables, table.attention_piece, &KernelTable::attention_piece) == &table;
}

}  // namespace
}  // namespace ingle::cpu

int main(int argc, char** argv) {
  using namespace ingle;
  using namespace ingle::cpu;
  std::printf("%-8s %-4s %8s %5s %7s | %8s %6s | %8s %6s\n", "table", "kv", "head_dim", "heads", "context", "decode",
              "", "prefill", "");
  std::printf("%-8s %-4s %8s %5s %7s | %8s %6s | %8s %6s\n", "", "", "", "", "", "GFMA/s", "GB/s", "GFMA/s", "GB/s");
  for (const KernelTable* table : available_tables()) {
    const bool asked_for = argc > 1 && table->name == argv[1];
    if (!asked_for && (argc > 1 || table->name == "scalar" || !is_first_with_its_attention(*table))) continue;
    for (const KvType type : {KvType::kF16, KvType::kQ8_0}) {
      for (const Shape shape : {Shape{64, 3}, Shape{128, 6}, Shape{256, 4}}) {
        for (const uint32_t context : {512u, 4096u, 16384u}) measure(*table, type, shape, context);
      }
    }
  }
}
