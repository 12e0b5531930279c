#include "engine/engine_metrics.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <thread>

namespace ingle {
namespace {

TEST(MetricHistogram, BoundsAreInTheirBucket) {
  constexpr std::array kBounds{1.0, 2.0, 5.0};
  MetricHistogram histogram(kBounds);
  for (const double value : {0.0, 1.0, 1.5, 5.0, 5.1, 100.0}) histogram.observe(value);
  const MetricHistogram::Snapshot seen = histogram.snapshot();
  EXPECT_EQ(seen.counts, (std::vector<uint64_t>{2, 1, 1, 2}));
  EXPECT_DOUBLE_EQ(seen.sum, 112.6);
}

TEST(MetricHistogram, IsReadWhileItIsWritten) {
  constexpr std::array kBounds{10.0, 20.0};
  MetricHistogram histogram(kBounds);
  constexpr uint64_t kTimes = 100'000;
  std::thread writer([&] {
    for (uint64_t i = 0; i < kTimes; i++) histogram.observe(static_cast<double>(i % 30));
  });
  uint64_t before = 0;
  while (before < kTimes) {
    const MetricHistogram::Snapshot seen = histogram.snapshot();
    const uint64_t now = std::accumulate(seen.counts.begin(), seen.counts.end(), uint64_t{0});
    ASSERT_GE(now, before);
    before = now;
  }
  writer.join();
  EXPECT_EQ(before, kTimes);
}

TEST(EngineMetrics, RequestsWaitRunOrHaveEnded) {
  EngineMetrics metrics;
  metrics.submitted = 10;
  metrics.running = 3;
  metrics.count_end(FinishReason::kStop);
  metrics.count_end(FinishReason::kLength);
  metrics.count_end(FinishReason::kCancelled);
  metrics.count_end(FinishReason::kError);
  EXPECT_EQ(metrics.waiting(), 3u);
  EXPECT_EQ(metrics.cancelled, 1u);
  metrics.running = 9;
  EXPECT_EQ(metrics.waiting(), 0u) << "never less than none";
}

}  // namespace
}  // namespace ingle
