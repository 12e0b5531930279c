// Every table gives the scalar one's bits; the scalar one is within stated bounds of double arithmetic.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

#include "backend/cpu/kernels/kernels.h"

namespace ingle::cpu {
namespace {

const KernelTable& scalar() { return *find_table("scalar"); }

bool same_bits(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

void expect_same_bits(std::span<const float> got, std::span<const float> want, std::string_view what) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); i++) {
    ASSERT_TRUE(same_bits(got[i], want[i])) << what << " [" << i << "]: " << got[i] << ", not " << want[i];
  }
}

// Runs `compute(table, out)` with every table and expects the scalar table's `n` values, and no write behind them.
void expect_every_table_equal(uint32_t n, std::string_view what,
                              const std::function<void(const KernelTable&, float*)>& compute) {
  constexpr float kGuard = 12345;
  std::vector<float> want(n + 32, kGuard);
  compute(scalar(), want.data());
  for (const KernelTable* table : available_tables()) {
    std::vector<float> got(n + 32, kGuard);
    compute(*table, got.data());
    expect_same_bits(got, want, std::string(what) + " of " + std::string(table->name));
  }
  for (size_t i = n; i < want.size(); i++) ASSERT_EQ(want[i], kGuard) << what;
}

std::vector<float> random_values(size_t n, uint32_t seed, float spread = 2) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> x(n);
  for (float& value : x) value = normal(rng);
  return x;
}

// About 2 million floats of both signs from denormals to 2^8, then some of every larger exponent, infinities and NaN.
std::vector<float> dense_sweep() {
  std::vector<float> x;
  for (uint32_t bits = 0; bits < std::bit_cast<uint32_t>(256.0f); bits += 1009) x.push_back(std::bit_cast<float>(bits));
  for (uint32_t bits = std::bit_cast<uint32_t>(256.0f); bits < 0x7f800000u; bits += 1 << 17) {
    x.push_back(std::bit_cast<float>(bits));
  }
  x.insert(x.end(), {INFINITY, NAN});
  const size_t positive = x.size();
  for (size_t i = 0; i < positive; i++) x.push_back(-x[i]);
  return x;
}

double ulp_of(double value) { return std::exp2(std::floor(std::log2(std::abs(value))) - 23); }

std::vector<float> exponentials(const KernelTable& table, const std::vector<float>& x) {
  std::vector<float> out(x.size());
  table.exp_sum(x.data(), 0, static_cast<uint32_t>(x.size()), out.data());
  return out;
}

TEST(Elementwise, ExpIsWithinOneUlp) {
  const std::vector<float> x = dense_sweep(), got = exponentials(scalar(), x);
  double worst = 0;
  for (size_t i = 0; i < x.size(); i++) {
    if (std::isnan(x[i])) {
      ASSERT_TRUE(std::isnan(got[i]));
    } else if (x[i] < -86.5f) {
      ASSERT_EQ(got[i], 0) << x[i];
    } else if (x[i] > 88.7229f) {
      ASSERT_EQ(got[i], INFINITY) << x[i];
    } else if (x[i] < 88.7228f) {
      const double want = std::exp(static_cast<double>(x[i]));
      worst = std::max(worst, std::abs(got[i] - want) / ulp_of(want));
    }
  }
  EXPECT_LT(worst, 1.0);
  EXPECT_EQ(exponentials(scalar(), {0.0f, -0.0f}), (std::vector<float>{1, 1}));
  for (const KernelTable* table : available_tables()) expect_same_bits(exponentials(*table, x), got, table->name);
}

TEST(Elementwise, TanhIsWithinTwoUlps) {
  const std::vector<float> x = dense_sweep();
  const auto n = static_cast<uint32_t>(x.size());
  std::vector<float> got(n);
  scalar().softcap(x.data(), 1, n, got.data());
  double worst = 0;
  for (uint32_t i = 0; i < n; i++) {
    const double want = std::tanh(static_cast<double>(x[i]));
    if (std::isnan(x[i])) {
      ASSERT_TRUE(std::isnan(got[i]));
    } else if (std::abs(x[i]) < 1e-37f) {
      ASSERT_EQ(got[i], x[i]);
    } else {
      worst = std::max(worst, std::abs(got[i] - want) / ulp_of(want));
    }
  }
  EXPECT_LT(worst, 2.0);
  expect_every_table_equal(n, "softcap", [&](auto& table, float* out) { table.softcap(x.data(), 1, n, out); });
  expect_every_table_equal(n, "softcap 30", [&](auto& table, float* out) { table.softcap(x.data(), 30, n, out); });
}

TEST(Elementwise, ActivationsAreThoseOfDouble) {
  const std::vector<float> x = dense_sweep();
  const auto n = static_cast<uint32_t>(x.size());
  const std::vector<float> one(n, 1.0f);
  std::vector<float> silu(n), gelu(n);
  scalar().gated(Activation::kSilu, x.data(), one.data(), n, silu.data());
  scalar().gated(Activation::kGeluTanh, x.data(), one.data(), n, gelu.data());
  for (uint32_t i = 0; i < n; i++) {
    if (!std::isfinite(x[i])) {
      ASSERT_EQ(std::isnan(silu[i]), !(x[i] > 0)) << x[i];  // -inf / inf: it must not look like a number
      continue;
    }
    const double v = x[i];
    if (std::abs(x[i]) > 1e-37f) {
      const double want = v / (1 + std::exp(-v));
      // e^-x, the sum and the quotient round: 3 ulps. Below -86.5 the result may have become 0.
      ASSERT_NEAR(silu[i], want, x[i] < -86.5f ? 1e-35 : 3 * ulp_of(want)) << v;
      // 1 + tanh cancels for negative x, as it does in every f32 implementation: the bound is absolute there.
      const double gelu_want = 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
      ASSERT_NEAR(gelu[i], gelu_want, std::abs(v) * 4e-7) << v;
    }
  }
}

TEST(Elementwise, GeluErfIsThatOfDouble) {
  const std::vector<float> x = dense_sweep();
  const auto n = static_cast<uint32_t>(x.size());
  std::vector<float> gelu(n);
  scalar().activate(Activation::kGeluErf, x.data(), n, gelu.data());
  for (uint32_t i = 0; i < n; i++) {
    const double v = x[i], want = 0.5 * v * (1 + std::erf(v / std::sqrt(2.0)));
    if (!std::isfinite(x[i])) {
      ASSERT_EQ(std::isnan(gelu[i]), !(x[i] > 0)) << x[i];  // -inf * 0
    } else if (std::abs(x[i]) < 1e-37f) {
      continue;  // 0.5 x may be denormal
    } else if (x[i] > 0) {
      // x / sqrt(2) and the product round, erf is within 2 ulp, and 1 + erf rounds.
      ASSERT_NEAR(gelu[i], want, 3 * ulp_of(want)) << v;
    } else {
      ASSERT_NEAR(gelu[i], want, std::abs(v) * 3e-7) << v;  // 1 + erf cancels, as it does in every f32 implementation
    }
  }
}

TEST(Elementwise, ActivateIsGatedByOne) {
  const std::vector<float> x = dense_sweep();
  const auto n = static_cast<uint32_t>(x.size());
  const std::vector<float> one(n, 1.0f), up = random_values(n, 7);
  for (const Activation activation : {Activation::kSilu, Activation::kGeluTanh, Activation::kGeluErf}) {
    std::vector<float> gated(n), active(n);
    scalar().gated(activation, x.data(), one.data(), n, gated.data());
    scalar().activate(activation, x.data(), n, active.data());
    expect_same_bits(active, gated, "activate");
    expect_every_table_equal(n, "activate",
                             [&](auto& table, float* out) { table.activate(activation, x.data(), n, out); });
    expect_every_table_equal(n, "gated",
                             [&](auto& table, float* out) { table.gated(activation, x.data(), up.data(), n, out); });
  }
}

// The definition, written once more: 16 strided partial sums folded in a fixed tree.
float strided_sum(std::vector<float> terms, bool squares) {
  float p[16] = {};
  for (size_t i = 0; i < terms.size(); i++) {
    p[i % 16] = squares ? std::fma(terms[i], terms[i], p[i % 16]) : p[i % 16] + terms[i];
  }
  for (int half : {8, 4, 2, 1}) {
    for (int i = 0; i < half; i++) p[i] += p[i + half];
  }
  return p[0];
}

TEST(Elementwise, RmsNormFollowsItsDefinition) {
  for (uint32_t n = 1; n < 100; n++) {
    const std::vector<float> x = random_values(n, n, 3), weight = random_values(n, 1000 + n);
    const float inv = 1.0f / std::sqrt(strided_sum(x, true) / static_cast<float>(n) + 1e-5f);
    std::vector<float> want(n), got(n);
    double sum = 0;
    for (float value : x) sum += static_cast<double>(value) * value;
    for (uint32_t i = 0; i < n; i++) {
      want[i] = x[i] * inv * weight[i];
      const double exact = x[i] / std::sqrt(sum / n + 1e-5f) * weight[i];
      EXPECT_NEAR(want[i], exact, std::abs(exact) * 1e-6);
    }
    scalar().rms_norm(x.data(), weight.data(), 1e-5f, n, got.data());
    expect_same_bits(got, want, "rms_norm");
    expect_every_table_equal(n, "rms_norm",
                             [&](auto& table, float* out) { table.rms_norm(x.data(), weight.data(), 1e-5f, n, out); });
    expect_every_table_equal(n, "rms_norm in place", [&](auto& table, float* out) {
      std::copy(x.begin(), x.end(), out);
      table.rms_norm(out, weight.data(), 1e-5f, n, out);
    });
  }
}

TEST(Elementwise, LayerNormFollowsItsDefinition) {
  for (uint32_t n = 1; n < 100; n++) {
    std::vector<float> x = random_values(n, n, 3);
    for (float& value : x) value += 5;  // a mean that must go
    const std::vector<float> weight = random_values(n, 1000 + n), bias = random_values(n, 2000 + n);
    const float mean = strided_sum(x, false) / static_cast<float>(n);
    std::vector<float> distances(n), want(n), got(n);
    for (uint32_t i = 0; i < n; i++) distances[i] = x[i] - mean;
    const float inv = 1.0f / std::sqrt(strided_sum(distances, true) / static_cast<float>(n) + 1e-5f);
    for (uint32_t i = 0; i < n; i++) want[i] = std::fma(distances[i] * inv, weight[i], bias[i]);
    scalar().layer_norm(x.data(), weight.data(), bias.data(), 1e-5f, n, got.data());
    expect_same_bits(got, want, "layer_norm");
    double exact_mean = 0, variance = 0;
    for (float value : x) exact_mean += static_cast<double>(value) / n;
    for (float value : x) variance += (value - exact_mean) * (value - exact_mean) / n;
    for (uint32_t i = 0; i < n; i++) {
      const double exact = (x[i] - exact_mean) / std::sqrt(variance + 1e-5f) * weight[i] + bias[i];
      EXPECT_NEAR(got[i], exact, n > 1 ? 1e-5 : 1e-3) << n;  // of one value, eps is all that the variance is
    }
    expect_every_table_equal(n, "layer_norm", [&](auto& table, float* out) {
      table.layer_norm(x.data(), weight.data(), bias.data(), 1e-5f, n, out);
    });
    expect_every_table_equal(n, "layer_norm in place", [&](auto& table, float* out) {
      std::copy(x.begin(), x.end(), out);
      table.layer_norm(out, weight.data(), bias.data(), 1e-5f, n, out);
    });
  }
}

TEST(Elementwise, ExpSumFollowsItsDefinition) {
  for (uint32_t n = 0; n < 100; n++) {
    const std::vector<float> x = random_values(n, n, 4);
    const float max = scalar().max(x.data(), n);
    std::vector<float> e(n);
    const float sum = scalar().exp_sum(x.data(), n ? max : 0, n, e.data());
    EXPECT_TRUE(same_bits(sum, strided_sum(e, false))) << n;
    EXPECT_EQ(scalar().exp_sum(x.data(), n ? max : 0, n, nullptr), sum);
    for (const KernelTable* table : available_tables()) {
      EXPECT_TRUE(same_bits(table->exp_sum(x.data(), n ? max : 0, n, nullptr), sum)) << table->name << " " << n;
    }
    expect_every_table_equal(n, "exp_sum", [&](auto& table, float* out) {
      std::copy(x.begin(), x.end(), out);
      table.exp_sum(out, n ? max : 0, n, out);
    });
  }
}

TEST(Elementwise, AddAndScale) {
  for (uint32_t n = 0; n < 70; n++) {
    const std::vector<float> a = random_values(n, n), b = random_values(n, 500 + n);
    expect_every_table_equal(n, "add", [&](auto& table, float* out) { table.add(a.data(), b.data(), n, out); });
    expect_every_table_equal(n, "scale", [&](auto& table, float* out) { table.scale(a.data(), 0.3f, n, out); });
    std::vector<float> sum(n), scaled(n);
    scalar().add(a.data(), b.data(), n, sum.data());
    scalar().scale(a.data(), 0.3f, n, scaled.data());
    for (uint32_t i = 0; i < n; i++) {
      EXPECT_EQ(sum[i], a[i] + b[i]);
      EXPECT_EQ(scaled[i], a[i] * 0.3f);
    }
  }
}

TEST(Elementwise, RopeRotatesPairsAndCopiesTheRest) {
  struct Shape {
    uint32_t heads, head_dim, pairs;
  };
  for (const Shape s : {Shape{1, 2, 1}, Shape{3, 8, 4}, Shape{2, 24, 12}, Shape{2, 24, 5}, Shape{3, 64, 32},
                        Shape{2, 80, 40}, Shape{2, 80, 17}, Shape{1, 256, 128}, Shape{2, 16, 0}}) {
    const uint32_t n = s.heads * s.head_dim;
    const std::vector<float> x = random_values(n, n), angles = random_values(s.pairs, 5, 10);
    std::vector<float> cos(s.pairs), sin(s.pairs);
    for (uint32_t i = 0; i < s.pairs; i++) cos[i] = std::cos(angles[i]), sin[i] = std::sin(angles[i]);
    for (const bool interleaved : {false, true}) {
      std::vector<float> want = x, got(n);
      for (uint32_t h = 0; h < s.heads; h++) {
        for (uint32_t i = 0; i < s.pairs; i++) {
          const uint32_t first = h * s.head_dim + (interleaved ? 2 * i : i);
          const uint32_t second = interleaved ? first + 1 : first + s.pairs;
          want[first] = std::fma(-x[second], sin[i], x[first] * cos[i]);
          want[second] = std::fma(x[first], sin[i], x[second] * cos[i]);
        }
      }
      scalar().rope(x.data(), cos.data(), sin.data(), s.heads, s.head_dim, s.pairs, interleaved, got.data());
      expect_same_bits(got, want, "rope");
      expect_every_table_equal(n, "rope", [&](auto& table, float* out) {
        table.rope(x.data(), cos.data(), sin.data(), s.heads, s.head_dim, s.pairs, interleaved, out);
      });
      expect_every_table_equal(n, "rope in place", [&](auto& table, float* out) {
        std::copy(x.begin(), x.end(), out);
        table.rope(out, cos.data(), sin.data(), s.heads, s.head_dim, s.pairs, interleaved, out);
      });
    }
  }
}

TEST(Elementwise, MaxAndAllFiniteSeeEveryPlace) {
  for (const KernelTable* table : available_tables()) {
    EXPECT_EQ(table->max(nullptr, 0), -INFINITY);
    EXPECT_TRUE(table->all_finite(nullptr, 0));
    for (uint32_t n = 1; n < 70; n++) {
      for (uint32_t place = 0; place < n; place++) {
        std::vector<float> x(n, -5.0f);
        EXPECT_TRUE(table->all_finite(x.data(), n));
        x[place] = -1;
        EXPECT_EQ(table->max(x.data(), n), -1) << table->name << " " << n << " " << place;
        x[place] = INFINITY;
        EXPECT_EQ(table->max(x.data(), n), INFINITY);
        EXPECT_FALSE(table->all_finite(x.data(), n));
        x[place] = -INFINITY;
        EXPECT_EQ(table->max(x.data(), n), n == 1 ? -INFINITY : -5);
        EXPECT_FALSE(table->all_finite(x.data(), n));
        x[place] = NAN;
        EXPECT_TRUE(std::isnan(table->max(x.data(), n))) << table->name << " " << n << " " << place;
        EXPECT_FALSE(table->all_finite(x.data(), n));
        x[place] = 0.0f;
        x[n - 1 - place] = -0.0f;
        EXPECT_TRUE(same_bits(table->max(x.data(), n), 0.0f));  // whichever zero comes first
      }
    }
  }
}

// One number for all compilers and machines: exp, tanh, silu and both gelus over the sweep. It changes only when their
// definitions do (docs/numerics.md).
TEST(Elementwise, BitsAreTheSameEverywhere) {
  const std::vector<float> x = dense_sweep();
  const auto n = static_cast<uint32_t>(x.size());
  const std::vector<float> one(n, 1.0f);
  for (const KernelTable* table : available_tables()) {
    uint64_t digest = 14695981039346656037u;  // FNV-1a
    const auto add = [&](const std::vector<float>& values) {
      for (float value : values) {
        digest = (digest ^ (std::isnan(value) ? 0x7fc00000u : std::bit_cast<uint32_t>(value))) * 1099511628211u;
      }
    };
    std::vector<float> out(n);
    add(exponentials(*table, x));
    table->softcap(x.data(), 1, n, out.data());
    add(out);
    table->gated(Activation::kSilu, x.data(), one.data(), n, out.data());
    add(out);
    table->gated(Activation::kGeluTanh, x.data(), one.data(), n, out.data());
    add(out);
    table->activate(Activation::kGeluErf, x.data(), n, out.data());
    add(out);
    EXPECT_EQ(digest, 10647801655289315752u) << table->name;
  }
}

TEST(Elementwise, NotANumberStaysNotANumber) {
  const std::vector<float> x = {1, NAN, 3}, one(3, 1.0f);
  for (const KernelTable* table : available_tables()) {
    std::vector<float> out(3);
    table->rms_norm(x.data(), one.data(), 1e-6f, 3, out.data());
    for (float value : out) EXPECT_TRUE(std::isnan(value));
    table->layer_norm(x.data(), one.data(), one.data(), 1e-6f, 3, out.data());
    for (float value : out) EXPECT_TRUE(std::isnan(value));
    table->activate(Activation::kGeluErf, x.data(), 3, out.data());
    EXPECT_TRUE(std::isnan(out[1]) && !std::isnan(out[0]) && !std::isnan(out[2]));
    EXPECT_TRUE(std::isnan(table->exp_sum(x.data(), 3, 3, nullptr)));
    table->gated(Activation::kSilu, x.data(), one.data(), 3, out.data());
    EXPECT_TRUE(std::isnan(out[1]) && !std::isnan(out[0]) && !std::isnan(out[2]));
    table->gated(Activation::kGeluTanh, x.data(), one.data(), 3, out.data());
    EXPECT_TRUE(std::isnan(out[1]) && !std::isnan(out[0]) && !std::isnan(out[2]));
  }
}

}  // namespace
}  // namespace ingle::cpu
