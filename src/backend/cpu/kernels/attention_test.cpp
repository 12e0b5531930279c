// Attention over KV pages: the scalar table follows the definition (written once more here) bit for bit and double
// arithmetic within its rounding errors; every table, and every way to cut queries into tiles, gives its bits.
// Pages that no query sees are null and slots never written hold NaN, so that touching either shows.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "backend/cpu/kernels/kernels.h"

namespace ingle::cpu {
namespace {

const KernelTable& scalar() { return *find_table("scalar"); }

bool same_bits(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

// A sequence's pages of one layer, each its own allocation of exactly page_bytes().
class Pages {
 public:
  Pages(const KvLayout& layout, uint32_t tokens) : layout_(layout) {
    for (uint32_t first = 0; first < tokens; first += kPageTokens) {
      pages_.emplace_back(static_cast<std::byte*>(std::aligned_alloc(64, layout.page_bytes())));
      std::memset(pages_.back().get(), 0xff, layout.page_bytes());
    }
  }
  void store(const KernelTable& table, uint32_t position, const float* k, const float* v) {
    std::byte* page = pages_[position / kPageTokens].get();
    table.store_keys(layout_, page, position % kPageTokens, {0, layout_.kv_heads}, k);
    // Head by head gives the same page.
    for (uint32_t h = 0; h < layout_.kv_heads; h++) {
      table.store_values(layout_, page, position % kPageTokens, {h, 1}, v + size_t{h} * layout_.head_dim);
    }
  }
  // The pages of positions [from, to); null elsewhere.
  std::vector<const std::byte*> pointers(uint32_t from, uint32_t to) const {
    std::vector<const std::byte*> result(pages_.size(), nullptr);
    for (uint32_t page = from / kPageTokens; page * kPageTokens < to; page++) result[page] = pages_[page].get();
    return result;
  }
  bool operator==(const Pages& other) const {
    for (size_t i = 0; i < pages_.size(); i++) {
      if (std::memcmp(pages_[i].get(), other.pages_[i].get(), layout_.page_bytes()) != 0) return false;
    }
    return true;
  }
  float key(uint32_t head, uint32_t position, uint32_t d) const {
    return value_at(head, position, d * kPageTokens + position % kPageTokens,
                    d / 32 * kPageTokens + position % kPageTokens);
  }
  float value(uint32_t head, uint32_t position, uint32_t d) const {
    const uint32_t slot = position % kPageTokens;
    return value_at(layout_.kv_heads + head, position, slot * layout_.head_dim + d, slot * layout_.chunks() + d / 32);
  }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };

  float value_at(uint32_t head, uint32_t position, uint32_t element, uint32_t scale) const {
    const std::byte* p = pages_[position / kPageTokens].get() + head * layout_.head_bytes();
    if (layout_.type == KvType::kF32) return read<float>(p, element);
    if (layout_.type == KvType::kF16) return half_to_float(read<uint16_t>(p, element));
    const float factor = half_to_float(read<uint16_t>(p + layout_.head_dim * kPageTokens, scale));
    return static_cast<float>(read<int8_t>(p, element)) * factor;
  }
  template <class T>
  static T read(const std::byte* p, size_t index) {
    T value;
    std::memcpy(&value, p + index * sizeof(T), sizeof(T));
    return value;
  }

  KvLayout layout_;
  std::vector<std::unique_ptr<std::byte, Free>> pages_;
};

struct Queries {
  std::vector<std::vector<float>> q;
  std::vector<uint32_t> positions;
};

struct Options {
  uint32_t kv_head = 0;
  uint32_t window = 0;
  float scale = 0.125f;
  float softcap = 0;
};

uint32_t first_seen(const Options& o, uint32_t position) {
  return o.window != 0 && position + 1 > o.window ? position + 1 - o.window : 0;
}

struct Output {
  std::vector<AttentionPartial> pieces;  // values: in piece_values
  std::vector<std::vector<float>> piece_values;
  std::vector<float> out;
};

// Every query's pieces and output, by tiles of `tile_queries` queries.
std::vector<Output> attend(const KernelTable& table, const KvLayout& layout, const Pages& pages, const Queries& queries,
                           const Options& o, uint32_t tile_queries) {
  const auto count = static_cast<uint32_t>(queries.q.size());
  std::vector<Output> outputs(count);
  std::unique_ptr<std::byte, void (*)(void*)> scratch(
      static_cast<std::byte*>(std::aligned_alloc(64, kAttentionScratchBytes)), std::free);
  for (uint32_t first = 0; first < count; first += tile_queries) {
    const uint32_t n = std::min(tile_queries, count - first);
    uint32_t from = UINT32_MAX, to = 0;
    std::vector<const float*> q;
    for (uint32_t i = first; i < first + n; i++) {
      from = std::min(from, first_seen(o, queries.positions[i]));
      to = std::max(to, queries.positions[i] + 1);
      q.push_back(queries.q[i].data());
    }
    const auto pointers = pages.pointers(from, to);
    const AttentionTile tile = {layout,   pointers.data(), o.kv_head, n, q.data(), &queries.positions[first],
                                o.window, o.scale,         o.softcap};
    std::vector<AttentionPartial> merged(n), partials(n);
    std::vector<std::vector<float>> values(n, std::vector<float>(layout.head_dim)), next = values;
    for (uint32_t i = 0; i < n; i++) merged[i].values = values[i].data(), partials[i].values = next[i].data();
    for (uint32_t piece = from / kPieceTokens; piece * kPieceTokens < to; piece++) {
      table.attention_piece(tile, piece, partials.data(), scratch.get());
      for (uint32_t i = 0; i < n; i++) {
        table.attention_merge(merged[i], partials[i], layout.head_dim);
        if (partials[i].empty) continue;
        outputs[first + i].pieces.push_back(partials[i]);
        outputs[first + i].piece_values.push_back(next[i]);
      }
    }
    for (uint32_t i = 0; i < n; i++) {
      outputs[first + i].out.resize(layout.head_dim);
      table.attention_finish(merged[i], layout.head_dim, outputs[first + i].out.data());
    }
  }
  return outputs;
}

void expect_equal(const std::vector<Output>& got, const std::vector<Output>& want, const std::string& what) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); i++) {
    ASSERT_EQ(got[i].pieces.size(), want[i].pieces.size()) << what;
    for (size_t p = 0; p < got[i].pieces.size(); p++) {
      ASSERT_TRUE(same_bits(got[i].pieces[p].max, want[i].pieces[p].max)) << what << " query " << i;
      ASSERT_TRUE(same_bits(got[i].pieces[p].denominator, want[i].pieces[p].denominator)) << what << " query " << i;
      for (size_t d = 0; d < got[i].out.size(); d++) {
        ASSERT_TRUE(same_bits(got[i].piece_values[p][d], want[i].piece_values[p][d]))
            << what << " query " << i << " piece " << p << " channel " << d << ": " << got[i].piece_values[p][d]
            << ", not " << want[i].piece_values[p][d];
      }
    }
    for (size_t d = 0; d < got[i].out.size(); d++) ASSERT_TRUE(same_bits(got[i].out[d], want[i].out[d])) << what;
  }
}

float exp_of(float x) {
  float e;
  scalar().exp_sum(&x, 0, 1, &e);
  return e;
}

// The definition of a piece and of the merge, one query, straight from the text of docs/numerics.md.
std::vector<float> defined_attention(const KvLayout& layout, const Pages& pages, const std::vector<float>& q,
                                     uint32_t position, const Options& o) {
  float max = 0, denominator = 0;
  std::vector<float> values;
  const uint32_t from = first_seen(o, position);
  for (uint32_t start = from / kPieceTokens * kPieceTokens; start <= position; start += kPieceTokens) {
    const uint32_t lo = std::max(from, start), hi = std::min(position + 1, start + kPieceTokens);
    std::vector<float> p;
    for (uint32_t j = lo; j < hi; j++) {
      float sum = 0;
      for (uint32_t d = 0; d < layout.head_dim; d++) sum = std::fma(q[d], pages.key(o.kv_head, j, d), sum);
      sum = o.scale * sum;
      if (o.softcap != 0) scalar().softcap(&sum, o.softcap, 1, &sum);
      p.push_back(sum);
    }
    const float m = *std::max_element(p.begin(), p.end());
    float partial[16] = {};
    std::vector<float> sums(layout.head_dim);
    for (uint32_t j = lo; j < hi; j++) {
      const float e = exp_of(p[j - lo] - m);
      partial[j % 16] += e;
      for (uint32_t d = 0; d < layout.head_dim; d++) sums[d] = std::fma(e, pages.value(o.kv_head, j, d), sums[d]);
    }
    for (int half : {8, 4, 2, 1}) {
      for (int i = 0; i < half; i++) partial[i] += partial[i + half];
    }
    if (values.empty()) {
      max = m, denominator = partial[0], values = sums;
      continue;
    }
    const float merged = std::max(max, m), e1 = exp_of(max - merged), e2 = exp_of(m - merged);
    denominator = std::fma(partial[0], e2, denominator * e1);
    for (uint32_t d = 0; d < layout.head_dim; d++) values[d] = std::fma(sums[d], e2, values[d] * e1);
    max = merged;
  }
  for (float& value : values) value /= denominator;
  return values;
}

// Softmax attention in double, and how far f32 may be from it.
struct Exact {
  std::vector<double> out;
  double bound;
};
Exact exact_attention(const KvLayout& layout, const Pages& pages, const std::vector<float>& q, uint32_t position,
                      const Options& o) {
  const uint32_t from = first_seen(o, position), n = position + 1 - from;
  std::vector<double> scores(n);
  double largest_sum = 0, largest_value = 0, max = -INFINITY;
  for (uint32_t j = 0; j < n; j++) {
    double sum = 0, magnitude = 0;
    for (uint32_t d = 0; d < layout.head_dim; d++) {
      const double product = static_cast<double>(q[d]) * pages.key(o.kv_head, from + j, d);
      sum += product;
      magnitude += std::abs(product);
      largest_value = std::max(largest_value, std::abs(static_cast<double>(pages.value(o.kv_head, from + j, d))));
    }
    sum *= o.scale;
    scores[j] = o.softcap != 0 ? o.softcap * std::tanh(sum / o.softcap) : sum;
    largest_sum = std::max(largest_sum, std::abs(o.scale) * magnitude);
    max = std::max(max, scores[j]);
  }
  Exact exact = {std::vector<double>(layout.head_dim), 0};
  double denominator = 0;
  for (uint32_t j = 0; j < n; j++) {
    const double p = std::exp(scores[j] - max);
    denominator += p;
    for (uint32_t d = 0; d < layout.head_dim; d++) exact.out[d] += p * pages.value(o.kv_head, from + j, d);
  }
  for (double& value : exact.out) value /= denominator;
  // A score is off by up to (head_dim + 6) roundings of its magnitude, which weighs numerator and denominator once
  // each; the sums over n keys, exp and the merges add n + 64 roundings of the largest value.
  const double rounding = std::exp2(-24);
  exact.bound = largest_value * rounding * (2 * (layout.head_dim + 6) * largest_sum + n + 64);
  return exact;
}

struct Sequence {
  Sequence(const KvLayout& layout, uint32_t tokens, uint32_t seed, const KernelTable& table = scalar())
      : pages(layout, tokens) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal;
    std::vector<float> k(size_t{layout.kv_heads} * layout.head_dim), v = k;
    for (uint32_t position = 0; position < tokens; position++) {
      for (float& x : k) x = normal(rng);
      for (float& x : v) x = normal(rng);
      pages.store(table, position, k.data(), v.data());
    }
  }
  Pages pages;
};

Queries random_queries(uint32_t head_dim, std::vector<uint32_t> positions, uint32_t seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  Queries queries;
  for (size_t i = 0; i < positions.size(); i++) {
    queries.q.emplace_back(head_dim);
    for (float& x : queries.q.back()) x = normal(rng);
  }
  queries.positions = std::move(positions);
  return queries;
}

void check(const KvLayout& layout, uint32_t tokens, const std::vector<uint32_t>& positions, const Options& o,
           uint32_t seed) {
  SCOPED_TRACE(testing::Message() << "type " << static_cast<int>(layout.type) << " head_dim " << layout.head_dim
                                  << " tokens " << tokens << " window " << o.window << " softcap " << o.softcap);
  const Sequence sequence(layout, tokens, seed);
  const Queries queries = random_queries(layout.head_dim, positions, seed + 1);
  const std::vector<Output> want = attend(scalar(), layout, sequence.pages, queries, o, 1);
  for (size_t i = 0; i < positions.size(); i++) {
    const std::vector<float> defined = defined_attention(layout, sequence.pages, queries.q[i], queries.positions[i], o);
    const Exact exact = exact_attention(layout, sequence.pages, queries.q[i], queries.positions[i], o);
    for (uint32_t d = 0; d < layout.head_dim; d++) {
      ASSERT_TRUE(same_bits(want[i].out[d], defined[d])) << want[i].out[d] << ", not " << defined[d];
      ASSERT_NEAR(want[i].out[d], exact.out[d], exact.bound);
    }
  }
  for (const KernelTable* table : available_tables()) {
    for (const uint32_t tile_queries : {1u, 2u, 3u, 5u, 7u, 8u, 13u, kMaxTileQueries}) {
      expect_equal(attend(*table, layout, sequence.pages, queries, o, tile_queries), want,
                   std::string(table->name) + " in tiles of " + std::to_string(tile_queries));
    }
  }
}

constexpr KvType kTypes[] = {KvType::kF32, KvType::kF16, KvType::kQ8_0};

TEST(Attention, PagesAreWrittenAlikeByEveryTable) {
  for (const KvType type : kTypes) {
    for (const uint32_t head_dim : {1u, 8u, 24u, 33u, 64u, 80u, 96u, 128u, 256u, 512u}) {
      const KvLayout layout = {type, 3, head_dim};
      EXPECT_EQ(layout.head_bytes() % 64, 0);
      const Sequence want(layout, 40, head_dim);
      for (const KernelTable* table : available_tables()) {
        EXPECT_TRUE(Sequence(layout, 40, head_dim, *table).pages == want.pages) << table->name << " " << head_dim;
      }
    }
  }
}

TEST(Attention, StoredValuesAreNear) {
  for (const uint32_t head_dim : {24u, 64u, 80u}) {
    std::mt19937 rng(head_dim);
    std::normal_distribution<float> normal;
    std::vector<float> k(head_dim), v(head_dim);
    for (float& x : k) x = normal(rng);
    for (float& x : v) x = normal(rng);
    for (const KvType type : kTypes) {
      const KvLayout layout = {type, 1, head_dim};
      Pages pages(layout, 32);
      pages.store(scalar(), 5, k.data(), v.data());
      for (uint32_t d = 0; d < head_dim; d++) {
        float largest_k = 0, largest_v = 0;
        for (uint32_t e = d / 32 * 32; e < std::min(head_dim, d / 32 * 32 + 32); e++) {
          largest_k = std::max(largest_k, std::abs(k[e]));
          largest_v = std::max(largest_v, std::abs(v[e]));
        }
        // Half a step of a scale that is itself off by up to 2^-11: 127 of those are one sixteenth of a step.
        const float step = type == KvType::kF32 ? 0 : type == KvType::kF16 ? std::exp2(-11.0f) : 0.563f / 127;
        EXPECT_LE(std::abs(pages.key(0, 5, d) - k[d]), step * (type == KvType::kF16 ? std::abs(k[d]) : largest_k));
        EXPECT_LE(std::abs(pages.value(0, 5, d) - v[d]), step * (type == KvType::kF16 ? std::abs(v[d]) : largest_v));
      }
    }
  }
}

TEST(Attention, EveryHeadDimAndType) {
  for (const KvType type : kTypes) {
    for (const uint32_t head_dim : {1u, 8u, 16u, 24u, 33u, 64u, 80u, 96u, 128u, 256u}) {
      check({type, 2, head_dim}, 300, {0, 1, 31, 32, 100, 254, 255, 256, 257, 299}, {.kv_head = 1}, head_dim);
    }
    check({type, 1, kMaxHeadDim}, 40, {39, 39, 20}, {}, 3);
  }
}

TEST(Attention, PrefillTilesOfHeadsAndTokens) {
  std::vector<uint32_t> positions;
  for (uint32_t token = 500; token < 525; token++) positions.insert(positions.end(), 3, token);
  for (const KvType type : kTypes) check({type, 1, 64}, 525, positions, {}, 11);
}

TEST(Attention, WindowsAndSoftcap) {
  const std::vector<uint32_t> positions = {0, 3, 40, 255, 256, 300, 511, 512, 513, 514, 515, 515, 600, 699};
  for (const KvType type : kTypes) {
    for (const uint32_t window : {1u, 2u, 17u, 32u, 100u, 256u, 257u, 512u, 700u, 1000u, UINT32_MAX}) {
      check({type, 1, 16}, 700, positions, {.window = window}, window);
    }
    check({type, 1, 64}, 700, positions, {.window = 33, .scale = 1.5f, .softcap = 50}, 1);
    check({type, 1, 40}, 700, positions, {.softcap = 3}, 2);
  }
}

TEST(Attention, RandomShapes) {
  std::mt19937 rng(77);
  const auto below = [&](uint32_t n) { return static_cast<uint32_t>(rng() % n); };
  for (uint32_t round = 0; round < 40; round++) {
    const KvLayout layout = {kTypes[below(3)], 1 + below(3), 1 + below(100)};
    const uint32_t tokens = 1 + below(900);
    std::vector<uint32_t> positions(1 + below(20));
    for (uint32_t& position : positions) position = below(tokens);
    if (below(2)) std::sort(positions.begin(), positions.end());
    check(layout, tokens, positions,
          {.kv_head = below(layout.kv_heads),
           .window = below(2) ? 1 + below(tokens + 10) : 0,
           .scale = below(2) ? 0.1f : -1.0f,
           .softcap = below(3) ? 0 : 5.0f},
          round);
  }
}

// One number per KV type for all compilers and machines. It changes only when the definition does (docs/numerics.md).
TEST(Attention, BitsAreTheSameEverywhere) {
  const uint64_t expected[] = {12925639474800979926u, 16188588646170983970u, 6655776735252433060u};
  std::mt19937 rng(1);  // its numbers are the standard's; those of the distributions are the library's
  const auto uniform = [&] { return static_cast<float>(static_cast<int32_t>(rng()) >> 8) * std::exp2(-22.0f); };
  for (const KvType type : kTypes) {
    const KvLayout layout = {type, 1, 80};
    Pages pages(layout, 600);
    std::vector<float> k(80), v(80);
    for (uint32_t position = 0; position < 600; position++) {
      for (uint32_t d = 0; d < 80; d++) k[d] = uniform(), v[d] = uniform();
      pages.store(scalar(), position, k.data(), v.data());
    }
    Queries queries = {std::vector<std::vector<float>>(9, std::vector<float>(80)),
                       {599, 599, 599, 598, 598, 598, 256, 255, 7}};
    for (auto& row : queries.q) {
      for (float& x : row) x = uniform();
    }
    for (const KernelTable* table : available_tables()) {
      uint64_t digest = 14695981039346656037u;  // FNV-1a
      for (const Options o : {Options{}, Options{.window = 300}, Options{.softcap = 4}}) {
        for (const Output& output : attend(*table, layout, pages, queries, o, 8)) {
          for (float value : output.out) digest = (digest ^ std::bit_cast<uint32_t>(value)) * 1099511628211u;
        }
      }
      EXPECT_EQ(digest, expected[static_cast<size_t>(type)]) << table->name << " type " << static_cast<int>(type);
    }
  }
}

TEST(Attention, ScoresFarApartAndEqual) {
  for (const KvType type : kTypes) {
    const KvLayout layout = {type, 1, 32};
    check(layout, 520, {519, 300}, {.scale = 30}, 5);  // most exponentials are 0
    check(layout, 520, {519, 300}, {.scale = 0}, 6);   // all are 1
  }
}

TEST(Attention, MergingWithNothingChangesNothing) {
  for (const KernelTable* table : available_tables()) {
    float a[3] = {1, 2, 3}, b[3] = {7, 8, 9};
    AttentionPartial into = {0, 0, a, true}, next = {0.5f, 2, b, false};
    table->attention_merge(into, next, 3);
    EXPECT_FALSE(into.empty);
    EXPECT_EQ(into.max, 0.5f);
    EXPECT_EQ(into.denominator, 2);
    EXPECT_EQ(a[2], 9);
    next = {100, 3, b, true};
    table->attention_merge(into, next, 3);
    EXPECT_EQ(into.max, 0.5f);
    EXPECT_EQ(into.denominator, 2);
    EXPECT_EQ(a[0], 7);
  }
}

// Whatever is not a number in a visible key, value or query has to be seen in the output; what is masked, not.
TEST(Attention, NonFiniteNumbersSurface) {
  const float bad_values[] = {INFINITY, -INFINITY, NAN, 1e30f};  // f16 and the scales of q8_0 make infinity of the last
  for (const KernelTable* table : available_tables()) {
    for (const KvType type : kTypes) {
      for (const float bad : bad_values) {
        if (type == KvType::kF32 && bad == 1e30f) continue;
        for (const bool in_key : {true, false}) {
          const KvLayout layout = {type, 1, 48};
          Sequence sequence(layout, 400, 9, *table);
          std::vector<float> k(48, 0.5f), v(48, 0.25f);
          (in_key ? k : v)[40] = bad;
          sequence.pages.store(*table, 270, k.data(), v.data());
          for (const float softcap : {0.0f, 20.0f}) {
            const Queries queries = random_queries(48, {399, 271, 270, 269, 399, 10}, 4);
            const auto outputs = attend(*table, layout, sequence.pages, queries, {.softcap = softcap}, 8);
            for (size_t i = 0; i < outputs.size(); i++) {
              const bool all_finite = table->all_finite(outputs[i].out.data(), 48);
              EXPECT_EQ(all_finite, queries.positions[i] < 270)
                  << table->name << " type " << static_cast<int>(type) << " " << bad << " query " << i;
            }
            const auto behind = attend(*table, layout, sequence.pages, queries, {.window = 100, .softcap = softcap}, 8);
            EXPECT_TRUE(table->all_finite(behind[0].out.data(), 48));  // sees 300..399
          }
        }
      }
      const KvLayout layout = {type, 1, 16};
      Sequence sequence(layout, 10, 1, *table);
      Queries queries = random_queries(16, {9, 9}, 4);
      queries.q[0][3] = NAN;
      const auto outputs = attend(*table, layout, sequence.pages, queries, {}, 2);
      EXPECT_FALSE(table->all_finite(outputs[0].out.data(), 16));
      EXPECT_TRUE(table->all_finite(outputs[1].out.data(), 16));
    }
  }
}

TEST(Attention, TinyAndHugeRowsInQ8) {
  const KvLayout layout = {KvType::kQ8_0, 1, 32};
  for (const KernelTable* table : available_tables()) {
    for (const float magnitude : {0.0f, 1e-45f, 1e-10f, 7.6e-6f, 1e-5f, 1.0f, 8e6f}) {
      Pages pages(layout, 32);
      std::vector<float> k(32);
      for (uint32_t d = 0; d < 32; d++) k[d] = magnitude * (static_cast<float>(d) - 16) / 16;
      pages.store(*table, 0, k.data(), k.data());
      for (uint32_t d = 0; d < 32; d++) {
        // The smallest f16 is 2^-24: rows below half of 127 of it become 0, and the scale is that exact near it.
        EXPECT_NEAR(pages.key(0, 0, d), k[d], std::max(magnitude * 0.006f, 127 * std::exp2(-25.0f)));
        EXPECT_EQ(pages.key(0, 0, d), pages.value(0, 0, d));
      }
    }
  }
}

}  // namespace
}  // namespace ingle::cpu
