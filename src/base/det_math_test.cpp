#include "base/det_math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "base/det_exp_loop.h"

namespace ingle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// |value - exact| in units of the last place of exact, the reference in 80-bit or quad precision.
double ulps(double value, long double exact) {
  const auto rounded = static_cast<double>(exact);
  const double unit = std::nextafter(std::fabs(rounded), kInfinity) - std::fabs(rounded);
  return static_cast<double>(std::fabs(static_cast<long double>(value) - exact) / unit);
}

TEST(DetMath, ExpIsWithinTwoUlps) {
  if (std::numeric_limits<long double>::digits <= std::numeric_limits<double>::digits) GTEST_SKIP();
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> wide(-708, 709), narrow(-1, 1);
  double worst = 0;
  for (int i = 0; i < 400000; i++) {
    const double x = i % 2 == 0 ? wide(random) : narrow(random);
    worst = std::max(worst, ulps(det_exp(x), std::exp(static_cast<long double>(x))));
  }
  EXPECT_LE(worst, 2);
}

TEST(DetMath, ExpAtTheEnds) {
  EXPECT_EQ(det_exp(0), 1);
  EXPECT_EQ(det_exp(-0.0), 1);
  EXPECT_EQ(det_exp(-kInfinity), 0);
  EXPECT_EQ(det_exp(-708.1), 0);
  EXPECT_GT(det_exp(-708), std::numeric_limits<double>::min());
  EXPECT_LT(det_exp(709), kInfinity);
  EXPECT_EQ(det_exp(709.1), kInfinity);
  EXPECT_EQ(det_exp(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(det_exp(kNan)));
}

TEST(DetMath, ExpInLoopsHasTheSameBits) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<float> near(-30, 0), wide(-800, 800);
  constexpr size_t kMany = 1003;  // no multiple of any vector
  std::vector<float> values = {0.0f, -0.0f, std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()};
  while (values.size() < kMany) values.push_back(values.size() % 2 == 0 ? near(random) : wide(random));
  for (const auto& [offset, divisor] : {std::pair(0.0f, 1.0), {3.7f, 1.0}, {-12.25f, 0.7}}) {
    for (const DetExpLoop loop : det_exp_loops()) {
      std::vector<double> out(kMany + 1, -1);
      loop(values.data(), kMany, offset, divisor, out.data());
      for (size_t i = 0; i < kMany; i++) {
        const double expected = det_exp((static_cast<double>(values[i]) - static_cast<double>(offset)) / divisor);
        if (std::isnan(expected)) {
          EXPECT_TRUE(std::isnan(out[i])) << values[i];
        } else {
          EXPECT_EQ(std::bit_cast<uint64_t>(out[i]), std::bit_cast<uint64_t>(expected)) << values[i];
        }
      }
      EXPECT_EQ(out[kMany], -1);
    }
  }
}

TEST(DetMath, LogIsWithinTwoUlps) {
  if (std::numeric_limits<long double>::digits <= std::numeric_limits<double>::digits) GTEST_SKIP();
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> exponent(-700, 700), near(0.5, 2);
  double worst = 0;
  for (int i = 0; i < 400000; i++) {
    const double x = i % 2 == 0 ? std::exp(exponent(random)) : near(random);
    worst = std::max(worst, ulps(det_log(x), std::log(static_cast<long double>(x))));
  }
  EXPECT_LE(worst, 2);
}

TEST(DetMath, LogAtTheEnds) {
  EXPECT_EQ(det_log(1), 0);
  EXPECT_EQ(det_log(0), -kInfinity);
  EXPECT_EQ(det_log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(det_log(-1)));
  EXPECT_TRUE(std::isnan(det_log(kNan)));
}

// The bits themselves: every compiler and machine must give these.
TEST(DetMath, Bits) {
  uint64_t hash = 0;
  for (int i = -5000; i <= 5000; i++) {
    hash = hash * 0x100000001b3u ^ std::bit_cast<uint64_t>(det_exp(i * 0.0917));
    hash = hash * 0x100000001b3u ^ std::bit_cast<uint64_t>(det_log((i + 5001) * 0.713));
  }
  EXPECT_EQ(hash, 7831144796195983024u);
}

}  // namespace
}  // namespace ingle
