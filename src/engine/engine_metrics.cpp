#include "engine/engine_metrics.h"

#include <algorithm>
#include <array>

namespace ingle {
namespace {

// Dashboards add up the buckets of many servers, so these are the bounds that vLLM has.
constexpr std::array kFirstTokenBounds{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,  0.25,  0.5,   0.75,
                                       1.0,   2.5,   5.0,  7.5,  10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0};
constexpr std::array kBetweenTokensBounds{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2,  0.3,  0.4, 0.5,
                                          0.75, 1.0,   2.5,  5.0,   7.5, 10.0, 20.0, 40.0, 80.0};
constexpr std::array kRequestBounds{0.3,  0.5,  0.8,  1.0,  1.5,   2.0,   2.5,   5.0,   10.0,   15.0,  20.0,
                                    30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0};
constexpr std::array kLengthBounds{1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3,
                                   2e3, 5e3, 1e4, 2e4,  5e4,  1e5,  2e5,   5e5,   1e6};
constexpr std::array kStepLengthBounds{1.0,   8.0,   16.0,   32.0,   64.0,   128.0,  256.0,
                                       512.0, 1024., 2048.0, 4096.0, 8192.0, 16384.0};
constexpr std::array kStepBounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1,  0.12,
                                 0.15,  0.2,    0.3,   0.5,  1.0,   2.5,  5.0,   10.0, 30.0};

}  // namespace

MetricHistogram::MetricHistogram(std::span<const double> bounds)
    : bounds_(bounds), counts_(std::make_unique<std::atomic<uint64_t>[]>(bounds.size() + 1)) {}

void MetricHistogram::observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.store(sum_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

MetricHistogram::Snapshot MetricHistogram::snapshot() const {
  Snapshot out;
  for (size_t i = 0; i <= bounds_.size(); i++) out.counts.push_back(counts_[i].load(std::memory_order_relaxed));
  out.sum = sum_.load(std::memory_order_relaxed);
  return out;
}

EngineMetrics::EngineMetrics()
    : first_token(kFirstTokenBounds),
      between_tokens(kBetweenTokensBounds),
      mean_between_tokens(kBetweenTokensBounds),
      request(kRequestBounds),
      queue(kRequestBounds),
      prefill(kRequestBounds),
      decode(kRequestBounds),
      inference(kRequestBounds),
      step(kStepBounds),
      prompt_length(kLengthBounds),
      answer_length(kLengthBounds),
      answer_limit(kLengthBounds),
      step_length(kStepLengthBounds) {}

void EngineMetrics::count_end(FinishReason reason) {
  finished++;
  if (reason == FinishReason::kStop) ended_by_stop++;
  if (reason == FinishReason::kLength) ended_by_length++;
  if (reason == FinishReason::kCancelled) cancelled++;
  if (reason == FinishReason::kError) failed++;
}

uint64_t EngineMetrics::waiting() const {
  // Read in this order, what ends in between is not counted as waiting.
  const uint64_t gone = finished.load() + running.load(), all = submitted.load();
  return all > gone ? all - gone : 0;
}

}  // namespace ingle
