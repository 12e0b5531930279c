// Attention over KV pages, as templates over a vector type (see math.inl.h on how bits stay the same).
// In the scores a lane is a key, in the values a channel; reductions walk the channels, and the keys, in order. The
// definition of each step is beside the function that takes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backend/cpu/kernels/kv_pages.inl.h"
#include "backend/cpu/kernels/math.inl.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

// The kernels for one element type of KV memory.
template <class Isa, KvType kType>
struct AttentionOf {
  using F = typename Isa::F;
  using Functions = Math<Isa>;
  using Pages = KvPages<Isa, kType>;
  using Elements = KvElements<Isa, kType>;
  using Element = typename Elements::Element;
  static constexpr uint32_t kLanes = Isa::kLanes;
  static constexpr bool kScaled = Pages::kScaled;
  static constexpr uint32_t kRegisters = kLanes == 8 ? 16 : 32;
  // Queries that go through the keys together: two vectors of sums for each fit the registers.
  static constexpr uint32_t kBlock = kRegisters == 16 ? 6 : 8;

  struct Scratch {
    alignas(64) float scores[kBlock][kPieceTokens];  // of a block's queries: dots, scores, then exponentials
    alignas(64) float q[kMaxHeadDim][kBlock];        // a block's queries, by channel
    alignas(64) float v_scales[kPieceTokens * kMaxScaleChunks];  // q8_0: of the piece's values, [keys][chunks]
  };
  static_assert(sizeof(Scratch) <= kAttentionScratchBytes);

  // Keys [begin, end) of a piece.
  struct Range {
    uint32_t begin = 0, end = 0;
    bool empty() const { return begin >= end; }
  };

  static const Element* keys(const AttentionTile& tile, uint32_t page) {
    return reinterpret_cast<const Element*>(tile.pages[page] + Pages::keys_offset(tile.layout, tile.kv_head));
  }
  static const Element* values(const AttentionTile& tile, uint32_t page) {
    return reinterpret_cast<const Element*>(tile.pages[page] + Pages::values_offset(tile.layout, tile.kv_head));
  }
  static const uint16_t* scales(const AttentionTile& tile, const Element* head) {
    return reinterpret_cast<const uint16_t*>(reinterpret_cast<const std::byte*>(head) +
                                             Pages::scales_offset(tile.layout));
  }

  // ---- One piece.

  // The keys of the piece that query i sees.
  static Range visible(const AttentionTile& tile, uint32_t i, uint32_t piece) {
    const uint64_t start = uint64_t{piece} * kPieceTokens, end = start + kPieceTokens;
    const uint64_t seen_end = uint64_t{tile.positions[i]} + 1;
    const uint64_t seen = tile.window != 0 && seen_end > tile.window ? seen_end - tile.window : 0;
    const uint64_t from = seen > start ? seen : start, to = seen_end < end ? seen_end : end;
    if (from >= to) return {};
    return {static_cast<uint32_t>(from - start), static_cast<uint32_t>(to - start)};
  }

  // One query of a block: its channels, its keys and its partial.
  struct Query {
    const float* q;
    Range range;
    AttentionPartial* partial;
  };

  // Queries that go through a piece together.
  struct Block {
    const AttentionTile& tile;
    Scratch& scratch;
    uint32_t first_page;  // of the piece
    uint32_t lead;        // how many pages ahead are fetched
    Query queries[kBlock] = {};
    uint32_t count = 0;
    Range any = {}, common = {};  // keys that any, and that every query sees
  };

  static void piece(const AttentionTile& tile, uint32_t piece, AttentionPartial* partials, void* memory) {
    Block block = {.tile = tile,
                   .scratch = *static_cast<Scratch*>(memory),
                   .first_page = piece * (kPieceTokens / kPageTokens),
                   .lead = static_cast<uint32_t>((kLeadBytes - 1) / tile.layout.head_bytes()) + 1};
    for (uint32_t i = 0; i < tile.queries; i++) {
      const Range range = visible(tile, i, piece);
      partials[i].empty = range.empty();
      if (!range.empty()) block.queries[block.count++] = {tile.q[i], range, &partials[i]};
      if (block.count == kBlock || (block.count > 0 && i + 1 == tile.queries)) {
        attend(block);
        block.count = 0;
        block.lead = 0;  // the next block finds the piece in the cache
      }
    }
  }

  static void attend(Block& block) {
    block.any = block.common = block.queries[0].range;
    for (uint32_t i = 1; i < block.count; i++) {
      const Range range = block.queries[i].range;
      block.any = {min(block.any.begin, range.begin), max(block.any.end, range.end)};
      block.common = {max(block.common.begin, range.begin), min(block.common.end, range.end)};
    }
    if (block.common.empty()) block.common = {block.any.end, block.any.end};

    score(block);
    if constexpr (kScaled) read_value_scales(block);
    for (uint32_t i = 0; i < block.count; i++) {
      const Query& query = block.queries[i];
      softmax(block.tile, query.range, block.scratch.scores[i], *query.partial);
      std::memset(query.partial->values, 0, block.tile.layout.head_dim * sizeof(float));
    }
    // Masked keys are skipped: keys that all see go through all queries at once, those before and behind by query.
    for (uint32_t i = 0; i < block.count; i++) {
      const Range range = block.queries[i].range;
      weigh(block, {range.begin, min(range.end, block.common.begin)}, i, 1);
    }
    weigh(block, block.common, 0, block.count);
    for (uint32_t i = 0; i < block.count; i++) {
      const Range range = block.queries[i].range;
      weigh(block, {max(range.begin, block.common.end), range.end}, i, 1);
    }
  }

  static uint32_t min(uint32_t a, uint32_t b) { return a < b ? a : b; }
  static uint32_t max(uint32_t a, uint32_t b) { return a > b ? a : b; }

  // ---- Fetching ahead. A piece reads its pages' keys, then their values. The hardware does not foresee the steps from
  // page to page: left to it, decoding ran at a third of the memory's bandwidth. So while a page is read, the page
  // `lead` further in that order is asked for, into L2 (into L1 gained nothing: it takes too few misses at a time).

  static constexpr uint32_t kLeadBytes = 8192;

  static const Element* ahead_of_keys(const Block& block, uint32_t page) {
    const uint32_t begin = block.first_page + block.any.begin / kPageTokens, end = end_page(block);
    if (page + block.lead < end) return keys(block.tile, page + block.lead);
    return values(block.tile, min(begin + (page + block.lead - end), end - 1));
  }
  static const Element* ahead_of_values(const Block& block, uint32_t page) {
    return values(block.tile, min(page + block.lead, end_page(block) - 1));
  }
  static uint32_t end_page(const Block& block) {
    return block.first_page + (block.any.end + kPageTokens - 1) / kPageTokens;
  }
  static INGLE_INLINE void fetch(const void* p, size_t bytes) {
    for (size_t b = 0; b < bytes; b += 64) __builtin_prefetch(static_cast<const std::byte*>(p) + b, 0, 2);
  }
  static void fetch_scales(const Block& block, uint32_t page) {
    const size_t bytes = block.tile.layout.head_bytes() - Pages::scales_offset(block.tile.layout);
    fetch(scales(block.tile, ahead_of_keys(block, page)), bytes);
    fetch(scales(block.tile, values(block.tile, page)), bytes);
  }

  // ---- Scores: dot[j] = the sum over d, in order from 0, by fma(q[d], K[d][j], sum).

  static void score(const Block& block) {
    static constexpr void (*kDots[])(const Keys&, float*) = {
        dots<1>, dots<2>, dots<3>, dots<4>, dots<at_most(5)>, dots<at_most(6)>, dots<at_most(7)>, dots<at_most(8)>};
    const AttentionTile& tile = block.tile;
    const uint32_t head_dim = tile.layout.head_dim, first = block.any.begin / kStep * kStep;
    for (uint32_t i = 0; i < block.lead && i * kPageTokens < block.any.end - first; i++) {
      fetch(keys(tile, block.first_page + first / kPageTokens + i), tile.layout.head_bytes());
    }
    for (uint32_t i = 0; i < block.count; i++) {
      for (uint32_t d = 0; d < head_dim; d++) block.scratch.q[d][i] = block.queries[i].q[d];
    }
    // Vectors of keys: the last may hold keys that no query sees, whose dots nobody reads.
    for (uint32_t key = first; key < block.any.end; key += kStep) {
      const uint32_t page = block.first_page + key / kPageTokens, token = key % kPageTokens;
      if (kScaled && token == 0) fetch_scales(block, page);
      const Element* k = keys(tile, page);
      kDots[block.count - 1]({.page = k,
                              .scales = scales(tile, k),
                              .token = token,
                              .head_dim = head_dim,
                              .q = block.scratch.q,
                              .ahead = token == 0 ? ahead_of_keys(block, page) : k},
                             &block.scratch.scores[0][key]);
    }
  }

  static constexpr uint32_t kStep = 2 * kLanes;
  static constexpr uint32_t at_most(uint32_t queries) { return queries < kBlock ? queries : kBlock; }

  // A page's keys from token `token` on, and the queries [head_dim].
  struct Keys {
    const Element* page;
    const uint16_t* scales;
    uint32_t token, head_dim;
    const float (*q)[kBlock];
    const Element* ahead;  // what is fetched into the cache meanwhile, as much as the page's keys
  };
  // The dots of kQueries queries with kStep keys.
  template <uint32_t kQueries>
  static void dots(const Keys& keys, float* out) {
    F sum[kQueries][2];
    for (uint32_t i = 0; i < kQueries; i++) sum[i][0] = sum[i][1] = Isa::zero();
    const Element* k = keys.page + keys.token;
    if constexpr (kScaled) {
      for (uint32_t chunk = 0; chunk * kScaleChunk < keys.head_dim; chunk++) {
        const uint16_t* s = keys.scales + chunk * kPageTokens + keys.token;
        const F scale0 = Isa::load_f16(s), scale1 = Isa::load_f16(s + kLanes);
        const uint32_t end = min(keys.head_dim, (chunk + 1) * kScaleChunk);
        for (uint32_t d = chunk * kScaleChunk; d < end; d++, k += kPageTokens) {
          fetch(keys.ahead + d * kPageTokens, kPageTokens * sizeof(Element));
          add_products<kQueries>(keys.q[d], Isa::mul(Elements::load(k), scale0),
                                 Isa::mul(Elements::load(k + kLanes), scale1), sum);
        }
      }
    } else {
      for (uint32_t d = 0; d < keys.head_dim; d++, k += kPageTokens) {
        fetch(keys.ahead + d * kPageTokens, kPageTokens * sizeof(Element));
        add_products<kQueries>(keys.q[d], Elements::load(k), Elements::load(k + kLanes), sum);
      }
    }
    for (uint32_t i = 0; i < kQueries; i++) {
      Isa::storeu(out + i * kPieceTokens, sum[i][0]);
      Isa::storeu(out + i * kPieceTokens + kLanes, sum[i][1]);
    }
  }

  template <uint32_t kQueries>
  static INGLE_INLINE void add_products(const float* q, F k0, F k1, F (&sum)[kQueries][2]) {
#pragma GCC unroll 8
    for (uint32_t i = 0; i < kQueries; i++) {
      const F channel = Isa::set1(q[i]);
      sum[i][0] = Isa::fma(channel, k0, sum[i][0]);
      sum[i][1] = Isa::fma(channel, k1, sum[i][1]);
    }
  }

  // ---- Softmax of one query: score = scale * dot, soft-capped if asked; the exact maximum; p = exp(score - maximum);
  // the denominator is the strided sum of p by (key mod 16). A score that is not finite before the cap makes it NaN.

  static void softmax(const AttentionTile& tile, Range range, float* scores, AttentionPartial& partial) {
    const uint32_t begin = range.begin & ~15u, end = (range.end + 15) & ~15u;
    // The places that share a vector with visible keys get values that leave the maximum, then the sum, as they are.
    fill(scores, {begin, range.begin}, scores[range.begin]);
    fill(scores, {range.end, end}, scores[range.begin]);
    const F scale = Isa::set1(tile.scale), cap = Isa::set1(tile.softcap);
    StridedSum<Isa> sum;
    F largest = Isa::set1(-__builtin_inff());
    for (uint32_t j = begin; j < end; j += kLanes) {
      F s = Isa::mul(scale, Isa::loadu(scores + j));
      // s - s is 0, or NaN where s is not finite; which partial sum takes the NaN does not matter.
      sum.partial[0] = Isa::add(sum.partial[0], Isa::sub(s, s));
      if (tile.softcap != 0) s = Functions::softcap(s, cap);
      Isa::storeu(scores + j, s);
      largest = Isa::max(s, largest);
    }
    float lanes[kLanes];
    Isa::storeu(lanes, largest);
    partial.max = lanes[0];
    for (float lane : lanes) partial.max = lane > partial.max ? lane : partial.max;
    partial.max += 0.0f;  // which of two zeros came first depends on the width

    fill(scores, {begin, range.begin}, -__builtin_inff());
    fill(scores, {range.end, end}, -__builtin_inff());
    const F shift = Isa::set1(partial.max);
    for (uint32_t j = begin; j < end; j += 16) {
      for (uint32_t v = 0; v < StridedSum<Isa>::kVectors; v++) {
        const F p = Functions::exp(Isa::sub(Isa::loadu(scores + j + v * kLanes), shift));
        Isa::storeu(scores + j + v * kLanes, p);
        sum.partial[v] = Isa::add(sum.partial[v], p);
      }
    }
    partial.denominator = sum.fold();
  }

  static void fill(float* scores, Range range, float value) {
    for (uint32_t j = range.begin; j < range.end; j++) scores[j] = value;
  }

  // ---- Values: values[d] = the sum over the visible keys, in order from 0, by fma(p[j], V[j][d], sum).

  static void read_value_scales(const Block& block) {
    const uint32_t values_of_page = kPageTokens * block.tile.layout.chunks();
    for (uint32_t page = block.any.begin / kPageTokens; page * kPageTokens < block.any.end; page++) {
      const uint16_t* from = scales(block.tile, values(block.tile, block.first_page + page));
      float* to = block.scratch.v_scales + page * values_of_page;
      for (uint32_t i = 0; i < values_of_page; i += kLanes) Isa::storeu(to + i, Isa::load_f16(from + i));
    }
  }

  // Adds the keys of `range` to the values of the queries [query, query + count) of the block.
  static void weigh(const Block& block, Range range, uint32_t query, uint32_t count) {
    static constexpr void (*kWeigh[])(const Weights&, float* const*) = {
        weigh<1>,          weigh<2>,          weigh<3>,          weigh<4>,
        weigh<at_most(5)>, weigh<at_most(6)>, weigh<at_most(7)>, weigh<at_most(8)>};
    if (range.empty()) return;
    float* out[kBlock] = {};
    for (uint32_t i = 0; i < count; i++) out[i] = block.queries[query + i].partial->values;
    kWeigh[count - 1]({block, range, block.scratch.scores + query}, out);
  }

  struct Weights {
    const Block& block;
    Range range;
    const float (*p)[kPieceTokens];  // [queries][keys]
  };

  static const float* v_scales(const Weights& w, uint32_t key) {
    return w.block.scratch.v_scales + size_t{key} * w.block.tile.layout.chunks();
  }

  template <uint32_t kQueries>
  static void weigh(const Weights& w, float* const* out) {
    constexpr uint32_t kVectors = 4 * kQueries + 4 + 1 <= kRegisters ? 4 : 2;
    const uint32_t head_dim = w.block.tile.layout.head_dim;
    uint32_t d = 0;
    for (; d + kVectors * kLanes <= head_dim; d += kVectors * kLanes) weigh<kQueries, kVectors>(w, d, out);
    for (; d + kLanes <= head_dim; d += kLanes) weigh<kQueries, 1>(w, d, out);
    for (uint32_t i = 0; d < head_dim && i < kQueries; i++) weigh_rest(w, d, i, out[i]);
  }

  // `kVectors` vectors of channels from d on.
  template <uint32_t kQueries, uint32_t kVectors>
  static void weigh(const Weights& w, uint32_t d, float* const* out) {
    F sum[kQueries][kVectors];
    for (uint32_t i = 0; i < kQueries; i++) {
      for (uint32_t v = 0; v < kVectors; v++) sum[i][v] = Isa::loadu(out[i] + d + v * kLanes);
    }
    const uint32_t head_dim = w.block.tile.layout.head_dim;
    for (uint32_t j = w.range.begin; j < w.range.end;) {
      const uint32_t page = j / kPageTokens, page_end = min(w.range.end, (page + 1) * kPageTokens);
      const Element* row = values(w.block.tile, w.block.first_page + page) + size_t{j % kPageTokens} * head_dim + d;
      const Element* ahead =
          ahead_of_values(w.block, w.block.first_page + page) + size_t{j % kPageTokens} * head_dim + d;
      for (; j < page_end; j++, row += head_dim, ahead += head_dim) {
        fetch(ahead, kVectors * kLanes * sizeof(Element));
        const float* v_scale = v_scales(w, j);
        F value[kVectors];
        for (uint32_t v = 0; v < kVectors; v++) {
          value[v] = Elements::load(row + v * kLanes);
          if constexpr (kScaled) {
            value[v] = Isa::mul(value[v], Isa::set1(v_scale[(d + v * kLanes) / kScaleChunk]));
          }
        }
#pragma GCC unroll 8
        for (uint32_t i = 0; i < kQueries; i++) {
          const F p = Isa::set1(w.p[i][j]);
#pragma GCC unroll 4
          for (uint32_t v = 0; v < kVectors; v++) sum[i][v] = Isa::fma(p, value[v], sum[i][v]);
        }
      }
    }
    for (uint32_t i = 0; i < kQueries; i++) {
      for (uint32_t v = 0; v < kVectors; v++) Isa::storeu(out[i] + d + v * kLanes, sum[i][v]);
    }
  }

  // The channels from d on, fewer than a vector, of query i.
  static void weigh_rest(const Weights& w, uint32_t d, uint32_t i, float* out) {
    const uint32_t head_dim = w.block.tile.layout.head_dim, left = head_dim - d;
    F sum = Isa::load_partial(out + d, left);
    for (uint32_t j = w.range.begin; j < w.range.end; j++) {
      const Element* row =
          values(w.block.tile, w.block.first_page + j / kPageTokens) + size_t{j % kPageTokens} * head_dim + d;
      F value = Elements::load_partial(row, left);
      if constexpr (kScaled) value = Isa::mul(value, Isa::set1(v_scales(w, j)[d / kScaleChunk]));
      sum = Isa::fma(Isa::set1(w.p[i][j]), value, sum);
    }
    Isa::store_partial(out + d, left, sum);
  }
};

template <class Isa>
struct AttentionKernels {
  using F = typename Isa::F;
  static constexpr uint32_t kLanes = Isa::kLanes;

  static void store_keys(const KvLayout& layout, std::byte* page, uint32_t slot, KvHeads heads, const float* k) {
    switch (layout.type) {
      case KvType::kF32:
        return KvPages<Isa, KvType::kF32>::store_keys(layout, page, slot, heads, k);
      case KvType::kF16:
        return KvPages<Isa, KvType::kF16>::store_keys(layout, page, slot, heads, k);
      case KvType::kQ8_0:
        return KvPages<Isa, KvType::kQ8_0>::store_keys(layout, page, slot, heads, k);
    }
  }

  static void store_values(const KvLayout& layout, std::byte* page, uint32_t slot, KvHeads heads, const float* v) {
    switch (layout.type) {
      case KvType::kF32:
        return KvPages<Isa, KvType::kF32>::store_values(layout, page, slot, heads, v);
      case KvType::kF16:
        return KvPages<Isa, KvType::kF16>::store_values(layout, page, slot, heads, v);
      case KvType::kQ8_0:
        return KvPages<Isa, KvType::kQ8_0>::store_values(layout, page, slot, heads, v);
    }
  }

  static void attention_piece(const AttentionTile& tile, uint32_t piece, AttentionPartial* partials, void* scratch) {
    switch (tile.layout.type) {
      case KvType::kF32:
        return AttentionOf<Isa, KvType::kF32>::piece(tile, piece, partials, scratch);
      case KvType::kF16:
        return AttentionOf<Isa, KvType::kF16>::piece(tile, piece, partials, scratch);
      case KvType::kQ8_0:
        return AttentionOf<Isa, KvType::kQ8_0>::piece(tile, piece, partials, scratch);
    }
  }

  // With m = max(m1, m2) and e = exp(m' - m) of each side: denominator = fma(d2, e2, d1 * e1), values likewise.
  static void attention_merge(AttentionPartial& into, const AttentionPartial& next, uint32_t head_dim) {
    if (next.empty) return;
    if (into.empty) {
      into.max = next.max;
      into.denominator = next.denominator;
      std::memcpy(into.values, next.values, head_dim * sizeof(float));
      into.empty = false;
      return;
    }
    const float max = into.max > next.max ? into.max : next.max;
    const float e1 = Math<Isa>::exp1(into.max - max), e2 = Math<Isa>::exp1(next.max - max);
    into.max = max;
    into.denominator = __builtin_fmaf(next.denominator, e2, into.denominator * e1);
    const F left = Isa::set1(e1), right = Isa::set1(e2);
    for (uint32_t d = 0; d < head_dim; d += kLanes) {
      const uint32_t n = head_dim - d < kLanes ? head_dim - d : kLanes;
      const F merged =
          Isa::fma(Isa::load_partial(next.values + d, n), right, Isa::mul(Isa::load_partial(into.values + d, n), left));
      Isa::store_partial(into.values + d, n, merged);
    }
  }

  static void attention_finish(const AttentionPartial& partial, uint32_t head_dim, float* out) {
    const F denominator = Isa::set1(partial.denominator);
    for (uint32_t d = 0; d < head_dim; d += kLanes) {
      const uint32_t n = head_dim - d < kLanes ? head_dim - d : kLanes;
      Isa::store_partial(out + d, n, Isa::div(Isa::load_partial(partial.values + d, n), denominator));
    }
  }
};

}  // namespace ingle::cpu
INGLE_REGION_END
