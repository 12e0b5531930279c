#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace ingle {
namespace {

// The number that 16 bits of sign, exponent and fraction denote, by the definition of the format.
double defined_value(uint16_t bits, int exponent_bits) {
  const int fraction_bits = 15 - exponent_bits;
  const int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = bits & 0x8000 ? -1.0 : 1.0;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  const int whole = exponent == 0 ? fraction : fraction + (1 << fraction_bits);
  return sign * std::ldexp(whole, std::max(exponent, 1) - bias - fraction_bits);
}

struct Format {
  const char* name;
  int exponent_bits;
  float (*widen)(uint16_t);
  uint16_t (*round)(float);
};

class Float16Test : public testing::TestWithParam<Format> {};

TEST_P(Float16Test, EveryPatternWidensExactlyAndComesBack) {
  const Format& f = GetParam();
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto h = static_cast<uint16_t>(bits);
    const double expected = defined_value(h, f.exponent_bits);
    const float actual = f.widen(h);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(actual)) << bits;
      EXPECT_TRUE(std::isnan(f.widen(f.round(actual)))) << bits;
      continue;
    }
    EXPECT_EQ(actual, expected) << bits;
    EXPECT_EQ(std::signbit(actual), std::signbit(expected)) << bits;
    EXPECT_EQ(f.round(actual), h);
  }
}

// The nearest of all finite values, ties to the even pattern; half a step beyond the largest rounds to infinity.
uint16_t nearest(float value, const Format& f) {
  const auto infinity = static_cast<uint16_t>(((1 << f.exponent_bits) - 1) << (15 - f.exponent_bits));
  const double magnitude = std::abs(static_cast<double>(value));
  // Patterns of one sign ascend with their values; one step past the largest stands for infinity.
  const auto at = [&](uint32_t bits) {
    if (bits < infinity) return defined_value(static_cast<uint16_t>(bits), f.exponent_bits);
    const double largest = defined_value(static_cast<uint16_t>(infinity - 1), f.exponent_bits);
    return 2 * largest - defined_value(static_cast<uint16_t>(infinity - 2), f.exponent_bits);
  };
  uint32_t low = 0, high = infinity;
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    (at(middle) <= magnitude ? low : high) = middle;
  }
  const double below = magnitude - at(low), above = at(high) - magnitude;
  const uint32_t bits = below < above || (below == above && low % 2 == 0) ? low : high;
  return static_cast<uint16_t>(bits | (std::signbit(value) ? 0x8000 : 0));
}

TEST_P(Float16Test, RoundsToTheNearestAndTiesToEven) {
  const Format& f = GetParam();
  std::mt19937 random(7);
  std::vector<float> values = {0.0f,
                               -0.0f,
                               65519.996f,
                               65520.0f,
                               65536.0f,
                               0x1p-24f,
                               0x1p-25f,
                               0x1.000002p-25f,
                               std::numeric_limits<float>::max(),
                               std::numeric_limits<float>::denorm_min(),
                               -std::numeric_limits<float>::infinity()};
  const auto infinity = ((1 << f.exponent_bits) - 1) << (15 - f.exponent_bits);
  for (int bits = 0; bits + 1 < infinity; ++bits) {
    // Midpoints, exact in float, and their neighbours.
    const auto middle = static_cast<float>((defined_value(static_cast<uint16_t>(bits), f.exponent_bits) +
                                            defined_value(static_cast<uint16_t>(bits + 1), f.exponent_bits)) /
                                           2);
    for (const float v : {middle, std::nextafter(middle, 1e38f), std::nextafter(middle, -1.0f)}) values.push_back(v);
  }
  for (int i = 0; i < 200000; ++i) values.push_back(std::bit_cast<float>(static_cast<uint32_t>(random())));
  for (const float v : values) {
    if (std::isnan(v)) continue;
    ASSERT_EQ(f.round(v), nearest(v, f)) << v;
    ASSERT_EQ(f.round(-v), nearest(-v, f)) << -v;
  }
}

TEST_P(Float16Test, NanStaysNanWhateverItsPayload) {
  const Format& f = GetParam();
  for (const uint32_t bits : {0x7f800001u, 0x7fbfffffu, 0x7fc00000u, 0x7fffffffu, 0xff800001u, 0xffffffffu}) {
    EXPECT_TRUE(std::isnan(f.widen(f.round(std::bit_cast<float>(bits))))) << bits;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Float16Test,
                         testing::Values(Format{"half", 5, half_to_float, float_to_half},
                                         Format{"bfloat16", 8, bfloat16_to_float, float_to_bfloat16}),
                         [](const auto& test) { return test.param.name; });

TEST(DType, NumbersAreTheFormatsAndAscend) {
  uint32_t last = 0;
  for (const DTypeInfo& info : all_dtypes()) {
    const auto number = static_cast<uint32_t>(info.type);
    EXPECT_TRUE(number == 0 || number > last) << info.name;
    last = number;
    EXPECT_EQ(dtype_from_gguf(number), info.type);
    EXPECT_EQ(dtype_info(info.type).name, info.name);
  }
  // 4 and 5, 31 to 33, 36 to 38 were types once and are none now.
  for (const uint32_t number : {4u, 5u, 31u, 33u, 36u, 38u, 1000u, 0xffffffffu}) {
    EXPECT_EQ(dtype_from_gguf(number), std::nullopt) << number;
  }
}

TEST(DType, BytesOfWholeBlocksOnlyAndNeverWrapped) {
  EXPECT_EQ(dtype_bytes(DType::kF32, 3), 12u);
  EXPECT_EQ(dtype_bytes(DType::kQ4_K, 512), 288u);
  EXPECT_EQ(dtype_bytes(DType::kQ4_K, 0), 0u);
  EXPECT_EQ(dtype_bytes(DType::kQ4_K, 511), std::nullopt);
  EXPECT_EQ(dtype_bytes(DType::kQ8_0, 33), std::nullopt);
  EXPECT_EQ(dtype_bytes(DType::kF32, uint64_t{1} << 62), std::nullopt);
  EXPECT_EQ(dtype_bytes(DType::kI8, ~uint64_t{0}), ~uint64_t{0});
}

}  // namespace
}  // namespace ingle
