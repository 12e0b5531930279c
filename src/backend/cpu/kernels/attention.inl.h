// Writing KV pages and attention over them, as templates over a vector type (see math.inl.h on how bits stay the same).
// In the scores a lane is a key, in the values a channel; reductions walk the channels, and the keys, in order. The
// definition of each step is beside the function that takes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backend/cpu/kernels/math.inl.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

inline constexpr uint32_t kScaleChunk = 32;  // channels that share a scale of q8_0
inline constexpr uint32_t kMaxScaleChunks = kMaxHeadDim / kScaleChunk;

// One element type of KV memory: how vectors of it are read, and how a row of channels is written. encode() also gives
// the row's f16 scales, if the type has any.
template <class Isa, KvType kType>
struct KvElements;

template <class Isa>
struct KvElements<Isa, KvType::kF32> {
  using Element = float;
  static INGLE_INLINE typename Isa::F load(const float* p) { return Isa::loadu(p); }
  static INGLE_INLINE typename Isa::F load_partial(const float* p, uint32_t n) { return Isa::load_partial(p, n); }
  static void encode(const float* x, uint32_t n, float* out, uint16_t*) { std::memcpy(out, x, n * sizeof(float)); }
};

template <class Isa>
struct KvElements<Isa, KvType::kF16> {
  using Element = uint16_t;
  static INGLE_INLINE typename Isa::F load(const uint16_t* p) { return Isa::load_f16(p); }
  static INGLE_INLINE typename Isa::F load_partial(const uint16_t* p, uint32_t n) {
    return Isa::load_f16_partial(p, n);
  }
  static void encode(const float* x, uint32_t n, uint16_t* out, uint16_t*) {
    uint32_t i = 0;
    for (; i + Isa::kLanes <= n; i += Isa::kLanes) Isa::store_f16(out + i, Isa::loadu(x + i));
    if (i < n) Isa::store_f16_partial(out + i, n - i, Isa::load_partial(x + i, n - i));
  }
};

template <class Isa>
struct KvElements<Isa, KvType::kQ8_0> {
  using F = typename Isa::F;
  using Element = int8_t;
  static constexpr uint32_t kLanes = Isa::kLanes;

  static INGLE_INLINE F load(const int8_t* p) { return Isa::load_i8(p); }
  static INGLE_INLINE F load_partial(const int8_t* p, uint32_t n) { return Isa::load_i8_partial(p, n); }

  static void encode(const float* x, uint32_t n, int8_t* out, uint16_t* scales) {
    for (uint32_t c = 0; c * kScaleChunk < n; c++) {
      const uint32_t first = c * kScaleChunk;
      scales[c] = encode_chunk(x + first, n - first < kScaleChunk ? n - first : kScaleChunk, out + first);
    }
  }

  // scale = the largest magnitude / 127, rounded to f16; quants = x / scale (as rounded), to nearest even, clamped to
  // -127..127. A chunk with a value that is not finite reads as NaN.
  static uint16_t encode_chunk(const float* x, uint32_t n, int8_t* out) {
    F largest = Isa::zero();
    typename Isa::M finite = Isa::first_n(kLanes);
    for (uint32_t i = 0; i < n; i += kLanes) {
      const F a = Isa::abs(Isa::load_partial(x + i, left(i, n)));
      largest = Isa::max(a, largest);
      finite = Isa::mask_and(finite, Isa::is_finite(a));
    }
    std::memset(out, 0, n);
    if (!Isa::all(finite)) return 0x7e00;
    float lanes[kLanes];
    Isa::storeu(lanes, largest);
    float magnitude = 0;
    for (float lane : lanes) magnitude = lane > magnitude ? lane : magnitude;
    const uint16_t scale = float_to_half(magnitude / 127.0f);
    if (scale == 0) return 0;
    const F divisor = Isa::set1(half_to_float(scale));
    for (uint32_t i = 0; i < n; i += kLanes) {
      const F quant = Isa::round_even(Isa::div(Isa::load_partial(x + i, left(i, n)), divisor));
      Isa::store_i8_partial(out + i, left(i, n), Isa::max(Isa::set1(-127), Isa::min(Isa::set1(127), quant)));
    }
    return scale;
  }

  static uint32_t left(uint32_t i, uint32_t n) { return n - i < kLanes ? n - i : kLanes; }
};

// The kernels for one element type of KV memory.
template <class Isa, KvType kType>
struct AttentionOf {
  using F = typename Isa::F;
  using Functions = Math<Isa>;
  using Elements = KvElements<Isa, kType>;
  using Element = typename Elements::Element;
  static constexpr uint32_t kLanes = Isa::kLanes;
  static constexpr bool kScaled = kType == KvType::kQ8_0;
  // Queries that go through the keys together: 2 vectors of keys for each have to fit the registers.
  static constexpr uint32_t kBlock = kLanes == 8 ? 4 : 8;

  struct Scratch {
    alignas(64) float scores[kBlock][kPieceTokens];             // of a block's queries: dots, scores, then exponentials
    alignas(64) float q[kMaxHeadDim][kBlock];                   // a block's queries, by channel
    alignas(64) float v_scales[kPieceTokens][kMaxScaleChunks];  // q8_0: of the piece's values
  };
  static_assert(sizeof(Scratch) <= kAttentionScratchBytes);

  // Keys [begin, end) of a piece.
  struct Range {
    uint32_t begin = 0, end = 0;
    bool empty() const { return begin >= end; }
  };

  static size_t keys_offset(const KvLayout& layout, uint32_t head) { return head * layout.head_bytes(); }
  static size_t values_offset(const KvLayout& layout, uint32_t head) {
    return (size_t{layout.kv_heads} + head) * layout.head_bytes();
  }
  // The scales lie behind the elements of a head's keys or values.
  static size_t scales_offset(const KvLayout& layout) {
    return size_t{layout.head_dim} * kPageTokens * sizeof(Element);
  }
  static const Element* keys(const AttentionTile& tile, uint32_t page) {
    return reinterpret_cast<const Element*>(tile.pages[page] + keys_offset(tile.layout, tile.kv_head));
  }
  static const Element* values(const AttentionTile& tile, uint32_t page) {
    return reinterpret_cast<const Element*>(tile.pages[page] + values_offset(tile.layout, tile.kv_head));
  }
  static const uint16_t* scales(const AttentionTile& tile, const Element* head) {
    return reinterpret_cast<const uint16_t*>(reinterpret_cast<const std::byte*>(head) + scales_offset(tile.layout));
  }

  // ---- Writing one token.

  static void store(const KvLayout& layout, std::byte* page, uint32_t slot, const float* k, const float* v) {
    const uint32_t head_dim = layout.head_dim, chunks = kScaled ? layout.chunks() : 0;
    Element row[kMaxHeadDim];
    uint16_t row_scales[kMaxScaleChunks];
    for (uint32_t h = 0; h < layout.kv_heads; h++) {
      std::byte* keys = page + keys_offset(layout, h);
      Elements::encode(k + size_t{h} * head_dim, head_dim, row, row_scales);
      Element* column = reinterpret_cast<Element*>(keys) + slot;
      for (uint32_t d = 0; d < head_dim; d++) column[size_t{d} * kPageTokens] = row[d];
      uint16_t* key_scales = reinterpret_cast<uint16_t*>(keys + scales_offset(layout)) + slot;
      for (uint32_t c = 0; c < chunks; c++) key_scales[c * kPageTokens] = row_scales[c];

      std::byte* values = page + values_offset(layout, h);
      Elements::encode(v + size_t{h} * head_dim, head_dim, row, row_scales);
      std::memcpy(values + size_t{slot} * head_dim * sizeof(Element), row, head_dim * sizeof(Element));
      std::memcpy(values + scales_offset(layout) + size_t{slot} * chunks * sizeof(uint16_t), row_scales,
                  chunks * sizeof(uint16_t));
    }
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

  static void piece(const AttentionTile& tile, uint32_t piece, AttentionPartial* partials, void* memory) {
    Scratch& scratch = *static_cast<Scratch*>(memory);
    const uint32_t first_page = piece * (kPieceTokens / kPageTokens);
    Query queries[kBlock];
    uint32_t count = 0;
    for (uint32_t i = 0; i < tile.queries; i++) {
      const Range range = visible(tile, i, piece);
      partials[i].empty = range.empty();
      if (!range.empty()) queries[count++] = {tile.q[i], range, &partials[i]};
      if (count == kBlock || (count > 0 && i + 1 == tile.queries)) {
        block(tile, first_page, queries, count, scratch);
        count = 0;
      }
    }
  }

  static void block(const AttentionTile& tile, uint32_t first_page, const Query* queries, uint32_t count,
                    Scratch& scratch) {
    Range any = queries[0].range, common = any;
    for (uint32_t i = 1; i < count; i++) {
      any = {min(any.begin, queries[i].range.begin), max(any.end, queries[i].range.end)};
      common = {max(common.begin, queries[i].range.begin), min(common.end, queries[i].range.end)};
    }
    if (common.empty()) common = {any.end, any.end};

    score(tile, first_page, queries, count, any, scratch);
    if constexpr (kScaled) read_value_scales(tile, first_page, any, scratch);
    float* outputs[kBlock] = {};
    for (uint32_t i = 0; i < count; i++) {
      softmax(tile, queries[i].range, scratch.scores[i], *queries[i].partial);
      outputs[i] = queries[i].partial->values;
      std::memset(outputs[i], 0, tile.layout.head_dim * sizeof(float));
    }
    // Masked keys are skipped: keys that all see go through all queries at once, those before and behind by query.
    for (uint32_t i = 0; i < count; i++) {
      const Range range = queries[i].range;
      weigh(tile, first_page, {range.begin, min(range.end, common.begin)}, i, 1, outputs, scratch);
    }
    weigh(tile, first_page, common, 0, count, outputs, scratch);
    for (uint32_t i = 0; i < count; i++) {
      const Range range = queries[i].range;
      weigh(tile, first_page, {max(range.begin, common.end), range.end}, i, 1, outputs, scratch);
    }
  }

  static uint32_t min(uint32_t a, uint32_t b) { return a < b ? a : b; }
  static uint32_t max(uint32_t a, uint32_t b) { return a > b ? a : b; }

  // ---- Scores: dot[j] = the sum over d, in order from 0, by fma(q[d], K[d][j], sum).

  static void score(const AttentionTile& tile, uint32_t first_page, const Query* queries, uint32_t count, Range range,
                    Scratch& scratch) {
    const uint32_t head_dim = tile.layout.head_dim;
    for (uint32_t i = 0; i < count; i++) {
      for (uint32_t d = 0; d < head_dim; d++) scratch.q[d][i] = queries[i].q[d];
    }
    // Vectors of keys: the last may hold keys that no query sees, whose dots nobody reads.
    constexpr uint32_t kStep = 2 * kLanes;
    for (uint32_t key = range.begin / kStep * kStep; key < range.end; key += kStep) {
      const Element* page = keys(tile, first_page + key / kPageTokens);
      dots(count, page, scales(tile, page), key % kPageTokens, head_dim, scratch.q, &scratch.scores[0][key]);
    }
  }

  // Dots of `queries` queries with 2 vectors of a page's keys, from token `token` on.
  static void dots(uint32_t queries, const Element* page, const uint16_t* page_scales, uint32_t token,
                   uint32_t head_dim, const float (*q)[kBlock], float* out) {
    switch (queries) {
      case 1:
        return dots<1>(page, page_scales, token, head_dim, q, out);
      case 2:
        return dots<2>(page, page_scales, token, head_dim, q, out);
      case 3:
        return dots<3>(page, page_scales, token, head_dim, q, out);
      case 4:
        return dots<4>(page, page_scales, token, head_dim, q, out);
      default:
        break;
    }
    if constexpr (kBlock > 4) {
      switch (queries) {
        case 5:
          return dots<5>(page, page_scales, token, head_dim, q, out);
        case 6:
          return dots<6>(page, page_scales, token, head_dim, q, out);
        case 7:
          return dots<7>(page, page_scales, token, head_dim, q, out);
        default:
          return dots<8>(page, page_scales, token, head_dim, q, out);
      }
    }
  }

  template <uint32_t kQueries>
  static void dots(const Element* page, const uint16_t* page_scales, uint32_t token, uint32_t head_dim,
                   const float (*q)[kBlock], float* out) {
    F sum[kQueries][2];
    for (uint32_t i = 0; i < kQueries; i++) sum[i][0] = sum[i][1] = Isa::zero();
    const Element* k = page + token;
    if constexpr (kScaled) {
      for (uint32_t chunk = 0; chunk * kScaleChunk < head_dim; chunk++) {
        const uint16_t* s = page_scales + chunk * kPageTokens + token;
        const F scale0 = Isa::load_f16(s), scale1 = Isa::load_f16(s + kLanes);
        const uint32_t end = min(head_dim, (chunk + 1) * kScaleChunk);
        for (uint32_t d = chunk * kScaleChunk; d < end; d++, k += kPageTokens) {
          add_products<kQueries>(q[d], Isa::mul(Elements::load(k), scale0),
                                 Isa::mul(Elements::load(k + kLanes), scale1), sum);
        }
      }
    } else {
      for (uint32_t d = 0; d < head_dim; d++, k += kPageTokens) {
        add_products<kQueries>(q[d], Elements::load(k), Elements::load(k + kLanes), sum);
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

  static void read_value_scales(const AttentionTile& tile, uint32_t first_page, Range range, Scratch& scratch) {
    const uint32_t chunks = tile.layout.chunks();
    for (uint32_t page = range.begin / kPageTokens; page * kPageTokens < range.end; page++) {
      const uint16_t* from = scales(tile, values(tile, first_page + page));
      for (uint32_t token = 0; token < kPageTokens; token++) {
        float* to = scratch.v_scales[page * kPageTokens + token];
        for (uint32_t c = 0; c < chunks; c += kLanes) {
          const uint32_t left = min(chunks - c, kLanes);
          Isa::store_partial(to + c, left, Isa::load_f16_partial(from + token * chunks + c, left));
        }
      }
    }
  }

  // Adds the keys of `range` to the values of the queries [query, query + count) of the block.
  static void weigh(const AttentionTile& tile, uint32_t first_page, Range range, uint32_t query, uint32_t count,
                    float* const* outputs, const Scratch& scratch) {
    if (range.empty()) return;
    const float(*p)[kPieceTokens] = scratch.scores + query;
    float* const* out = outputs + query;
    const Weights w = {tile, first_page, range, p, scratch.v_scales};
    switch (count) {
      case 1:
        return weigh<1>(w, out);
      case 2:
        return weigh<2>(w, out);
      case 3:
        return weigh<3>(w, out);
      case 4:
        return weigh<4>(w, out);
      default:
        break;
    }
    if constexpr (kBlock > 4) {
      switch (count) {
        case 5:
          return weigh<5>(w, out);
        case 6:
          return weigh<6>(w, out);
        case 7:
          return weigh<7>(w, out);
        default:
          return weigh<8>(w, out);
      }
    }
  }

  struct Weights {
    const AttentionTile& tile;
    uint32_t first_page;
    Range range;
    const float (*p)[kPieceTokens];  // [queries][keys]
    const float (*v_scales)[kMaxScaleChunks];
  };

  template <uint32_t kQueries>
  static void weigh(const Weights& w, float* const* out) {
    constexpr uint32_t kVectors = kQueries * 4 <= 2 * kBlock ? 4 : 2;
    const uint32_t head_dim = w.tile.layout.head_dim;
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
    const uint32_t head_dim = w.tile.layout.head_dim;
    for (uint32_t j = w.range.begin; j < w.range.end;) {
      const uint32_t page = j / kPageTokens, page_end = min(w.range.end, (page + 1) * kPageTokens);
      const Element* row = values(w.tile, w.first_page + page) + size_t{j % kPageTokens} * head_dim + d;
      for (; j < page_end; j++, row += head_dim) {
        F value[kVectors];
        for (uint32_t v = 0; v < kVectors; v++) {
          value[v] = Elements::load(row + v * kLanes);
          if constexpr (kScaled) {
            value[v] = Isa::mul(value[v], Isa::set1(w.v_scales[j][(d + v * kLanes) / kScaleChunk]));
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
    const uint32_t head_dim = w.tile.layout.head_dim, left = head_dim - d;
    F sum = Isa::load_partial(out + d, left);
    for (uint32_t j = w.range.begin; j < w.range.end; j++) {
      const Element* row = values(w.tile, w.first_page + j / kPageTokens) + size_t{j % kPageTokens} * head_dim + d;
      F value = Elements::load_partial(row, left);
      if constexpr (kScaled) value = Isa::mul(value, Isa::set1(w.v_scales[j][d / kScaleChunk]));
      sum = Isa::fma(Isa::set1(w.p[i][j]), value, sum);
    }
    Isa::store_partial(out + d, left, sum);
  }
};

template <class Isa>
struct AttentionKernels {
  using F = typename Isa::F;
  static constexpr uint32_t kLanes = Isa::kLanes;

  static void kv_store(const KvLayout& layout, std::byte* page, uint32_t slot, const float* k, const float* v) {
    switch (layout.type) {
      case KvType::kF32:
        return AttentionOf<Isa, KvType::kF32>::store(layout, page, slot, k, v);
      case KvType::kF16:
        return AttentionOf<Isa, KvType::kF16>::store(layout, page, slot, k, v);
      case KvType::kQ8_0:
        return AttentionOf<Isa, KvType::kQ8_0>::store(layout, page, slot, k, v);
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
