#include "backend/cpu/rope_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace ingle::cpu {
namespace {

TEST(RopeTable, SinCosIsThatOfLibm) {
  std::mt19937_64 rng(1);
  double worst = 0;
  for (double range : {1e-6, 0.5, 4.0, 1e3, 1e7, 1e9}) {
    std::uniform_real_distribution<double> uniform(-range, range);
    for (int i = 0; i < 20000; i++) {
      const double x = uniform(rng);
      double s, c;
      exact_sin_cos(x, &s, &c);
      worst = std::max({worst, std::abs(s - std::sin(x)), std::abs(c - std::cos(x))});
    }
  }
  EXPECT_LT(worst, 1e-15);
  double s, c;
  exact_sin_cos(0, &s, &c);
  EXPECT_EQ(s, 0);
  EXPECT_EQ(c, 1);
  exact_sin_cos(INFINITY, &s, &c);
  EXPECT_TRUE(std::isnan(s) && std::isnan(c));
}

TEST(RopeTable, PowIsThatOfLibm) {
  std::mt19937_64 rng(2);
  std::uniform_real_distribution<double> bases(0.01, 3e7), exponents(-3, 3);
  double worst = 0;
  for (int i = 0; i < 100000; i++) {
    const double base = bases(rng), exponent = exponents(rng);
    worst = std::max(worst, std::abs(exact_pow(base, exponent) / std::pow(base, exponent) - 1));
  }
  EXPECT_LT(worst, 1e-13);
  EXPECT_EQ(exact_pow(10000, 0), 1);
  EXPECT_TRUE(std::isnan(exact_pow(-1, 0.5)) && std::isnan(exact_pow(NAN, 0.5)));
}

// torch: 1.0 / (10000 ** (torch.arange(0, 64, 2).float() / 64)), some of its values.
TEST(RopeTable, FrequenciesAreThoseOfTransformers) {
  const RopeTable table(10000, 64);
  ASSERT_EQ(table.pairs(), 32);
  EXPECT_EQ(table.inv_freq()[0], 1.0f);
  EXPECT_EQ(table.inv_freq()[16], 0.01f);
  for (uint32_t i = 0; i < 32; i++) EXPECT_NEAR(table.inv_freq()[i] / std::pow(10000.0, -2.0 * i / 64), 1, 3e-7) << i;

  const std::vector<float> factors = {1, 2, 4, 8};
  const RopeTable plain(500000, 8), scaled(500000, 8, 8), divided(500000, 8, 1, factors);
  for (uint32_t i = 0; i < 4; i++) {
    EXPECT_EQ(scaled.inv_freq()[i], plain.inv_freq()[i] / 8);
    EXPECT_EQ(divided.inv_freq()[i], plain.inv_freq()[i] / factors[i]);
  }
}

TEST(RopeTable, AnglesAreRoundedToFloatAndTheirCosinesCorrect) {
  const RopeTable table(1e6f, 128);
  std::vector<float> cos(table.pairs()), sin(table.pairs());
  for (uint32_t position : {0u, 1u, 2u, 1000u, 131071u, 16777215u, 16777216u}) {
    table.cos_sin(position, cos.data(), sin.data());
    for (uint32_t i = 0; i < table.pairs(); i++) {
      const double angle = static_cast<float>(position) * table.inv_freq()[i];
      EXPECT_EQ(cos[i], static_cast<float>(std::cos(angle))) << position << " " << i;
      EXPECT_EQ(sin[i], static_cast<float>(std::sin(angle))) << position << " " << i;
    }
  }
}

TEST(RopeTable, AbsurdParametersGiveNumbersOrNaN) {
  const std::vector<float> zero = {0, 0};
  for (const RopeTable& table : {RopeTable(0, 4), RopeTable(NAN, 4), RopeTable(INFINITY, 4), RopeTable(1e-45f, 4),
                                 RopeTable(10000, 4, 0), RopeTable(10000, 4, 1, zero)}) {
    float cos[2], sin[2];
    table.cos_sin(12345, cos, sin);  // must not trap (UndefinedBehaviorSanitizer)
  }
  EXPECT_EQ(RopeTable(10000, 0).pairs(), 0);
}

}  // namespace
}  // namespace ingle::cpu
