#include "engine/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/det_exp_loop.h"
#include "base/det_math.h"

namespace ingle {
namespace {

constexpr uint32_t kLanes = 16;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

template <typename T>
T fold(std::array<T, kLanes>& partial) {
  for (uint32_t half = kLanes / 2; half > 0; half /= 2) {
    for (uint32_t i = 0; i < half; i++) partial[i] += partial[i + half];
  }
  return partial[0];
}

bool all_finite(std::span<const float> values) {
  uint32_t bad = 0;
  for (const float value : values) bad |= (std::bit_cast<uint32_t>(value) & 0x7f800000u) == 0x7f800000u;
  return bad == 0;
}

float largest(std::span<const float> values) {
  std::array<float, kLanes> best;
  best.fill(kMinusInfinity);
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (uint32_t lane = 0; lane < kLanes; lane++) {
      best[lane] = values[i + lane] > best[lane] ? values[i + lane] : best[lane];
    }
  }
  for (; i < values.size(); i++) best[0] = std::max(best[0], values[i]);
  return *std::max_element(best.begin(), best.end());
}

// weights[i] = exp((values[i] - max) / temperature), and their sum.
double softmax_weights(std::span<const float> values, float max, double temperature, std::vector<double>& weights) {
  det_exp_loops().front()(values.data(), values.size(), max, temperature, weights.data());
  std::array<double, kLanes> partial{};
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (uint32_t lane = 0; lane < kLanes; lane++) partial[lane] += weights[i + lane];
  }
  for (uint32_t lane = 0; i < values.size(); i++, lane++) partial[lane] += weights[i];
  return fold(partial);
}

// Rounded to float and kept finite, but for ids that a bias forbids.
float to_logit(double value) {
  constexpr double kMax = std::numeric_limits<float>::max();
  if (value == kMinusInfinity) return kMinusInfinity;
  return static_cast<float>(std::clamp(value, -kMax, kMax));
}

bool likelier(float logit_a, TokenId a, float logit_b, TokenId b) {
  return logit_a != logit_b ? logit_a > logit_b : a < b;
}

Status out_of_range(const char* field, double value, const char* range, const std::string& of = "") {
  return Error{ErrorCode::kInvalidArgument, fmt::format("{}{} is {}", field, of, value),
               fmt::format("it must be {}", range), field};
}

Error not_finite(uint32_t position) {
  return {ErrorCode::kInternal, fmt::format("the model's logits at position {} are not finite", position),
          "the model file may be damaged"};
}

}  // namespace

Status SamplingParams::validate() const {
  const auto within = [](double value, double min, double max) { return value >= min && value <= max; };
  if (!within(temperature, 0, 100)) return out_of_range("temperature", temperature, "from 0 to 100");
  if (top_k < 0) return out_of_range("top_k", top_k, "0 (off) or more");
  if (!within(top_p, 0, 1)) return out_of_range("top_p", top_p, "from 0 to 1");
  if (!within(min_p, 0, 1)) return out_of_range("min_p", min_p, "from 0 to 1");
  if (!within(typical_p, 0, 1)) return out_of_range("typical_p", typical_p, "from 0 to 1");
  if (!within(repeat_penalty, 0.01, 100)) return out_of_range("repeat_penalty", repeat_penalty, "from 0.01 to 100");
  if (repeat_last_n < -1) return out_of_range("repeat_last_n", repeat_last_n, "-1 (all) or more");
  if (!within(presence_penalty, -100, 100)) {
    return out_of_range("presence_penalty", presence_penalty, "from -100 to 100");
  }
  if (!within(frequency_penalty, -100, 100)) {
    return out_of_range("frequency_penalty", frequency_penalty, "from -100 to 100");
  }
  for (const auto& [id, bias] : logit_bias) {
    if (std::isnan(bias) || bias == -kMinusInfinity) {
      return out_of_range("logit_bias", bias, "a number, or -infinity to forbid it", fmt::format(" of token {}", id));
    }
  }
  return {};
}

double uniform_draw(uint64_t seed, uint32_t choice, uint32_t position) {
  std::array<uint32_t, 4> c = {position, choice, 0, 0};
  auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t product0 = uint64_t{0xD2511F53} * c[0], product1 = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(product1 >> 32) ^ c[1] ^ key0, static_cast<uint32_t>(product1),
         static_cast<uint32_t>(product0 >> 32) ^ c[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  const uint64_t bits = (uint64_t{c[1]} << 32 | c[0]) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

Sampler::Sampler(uint32_t vocab) : vocab_(vocab), adjusted_(vocab), counts_(vocab), weights_(vocab) {
  CHECK(vocab > 0);
}

// The logits after bias, penalties and suppression: those given where there is nothing to do.
std::span<const float> Sampler::adjust(std::span<const float> logits, const SamplingParams& params,
                                       const PickContext& context) {
  const bool penalties = params.repeat_last_n != 0 &&
                         (params.repeat_penalty != 1 || params.presence_penalty != 0 || params.frequency_penalty != 0);
  if (params.logit_bias.empty() && !penalties && context.suppressed.empty() && context.allowed.empty()) return logits;
  copy_allowed(logits, context.allowed);
  for (const auto& [id, bias] : params.logit_bias) {
    if (id < 0 || static_cast<uint32_t>(id) >= vocab_) continue;
    adjusted_[id] = to_logit(static_cast<double>(adjusted_[id]) + bias);
  }
  if (penalties) penalize(params, context.history);
  for (const TokenId id : context.suppressed) {
    if (id >= 0 && static_cast<uint32_t>(id) < vocab_) adjusted_[id] = kMinusInfinity;
  }
  return adjusted_;
}

// Once through the vocabulary: the engine waits for this. What is not allowed becomes no candidate, and stays none
// whatever is added to it.
void Sampler::copy_allowed(std::span<const float> logits, std::span<const uint32_t> allowed) {
  if (allowed.empty()) {
    std::copy(logits.begin(), logits.end(), adjusted_.begin());
    return;
  }
  CHECK(allowed.size() == mask_words(vocab_));
  for (uint32_t begin = 0; begin < vocab_; begin += 32) {
    uint32_t word = allowed[begin / 32];
    const uint32_t count = std::min(32u, vocab_ - begin);
    if (word == ~uint32_t{0}) {
      std::copy_n(logits.begin() + begin, count, adjusted_.begin() + begin);
      continue;
    }
    std::fill_n(adjusted_.begin() + begin, count, kMinusInfinity);
    if (count < 32) word &= (uint32_t{1} << count) - 1;
    for (; word != 0; word &= word - 1) {
      const uint32_t id = begin + static_cast<uint32_t>(std::countr_zero(word));
      adjusted_[id] = logits[id];
    }
  }
}

void Sampler::penalize(const SamplingParams& params, std::span<const TokenId> history) {
  const size_t count =
      params.repeat_last_n < 0 ? history.size() : std::min(history.size(), static_cast<size_t>(params.repeat_last_n));
  const std::span<const TokenId> window = history.last(count);
  for (const TokenId id : window) counts_[id]++;
  for (const TokenId id : window) {
    if (counts_[id] == 0) continue;  // done already
    double logit = adjusted_[id];
    logit = logit > 0 ? logit / params.repeat_penalty : logit * params.repeat_penalty;
    logit -= static_cast<double>(params.presence_penalty) + static_cast<double>(params.frequency_penalty) * counts_[id];
    adjusted_[id] = to_logit(logit);
    counts_[id] = 0;
  }
}

// The `count` most likely, by rising id.
void Sampler::collect_top(std::span<const float> values, size_t count) {
  const auto before = [](const Candidate& a, const Candidate& b) { return likelier(a.logit, a.id, b.logit, b.id); };
  candidates_.clear();
  float threshold = kMinusInfinity;  // of those kept; one that equals it has a higher id and stays out
  const auto cut = [&] {
    std::nth_element(candidates_.begin(), candidates_.begin() + (count - 1), candidates_.end(), before);
    candidates_.resize(count);
    threshold = candidates_.back().logit;
  };
  const size_t room = count + std::max<size_t>(count, 256);
  for (uint32_t id = 0; id < values.size(); id++) {
    if (!(values[id] > threshold)) continue;
    candidates_.push_back({.id = static_cast<TokenId>(id), .logit = values[id]});
    if (candidates_.size() == room) cut();
  }
  if (candidates_.size() > count) cut();
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
}

// All candidates with their weights, without those that top_p and min_p are going to leave out for certain. Returns the
// total of all.
double Sampler::collect_all(std::span<const float> values, const SamplingParams& params) {
  const double total = softmax_weights(values, largest(values), 1, weights_);
  double threshold = 0;
  if (params.typical_p >= 1) {
    // Together these have less than half of what top_p leaves out.
    if (params.top_p < 1) threshold = (1 - static_cast<double>(params.top_p)) * total / (2.0 * vocab_);
    threshold = std::max(threshold, static_cast<double>(params.min_p));
  }
  candidates_.clear();
  for (uint32_t id = 0; id < values.size(); id++) {
    if (!(weights_[id] >= threshold) || values[id] == kMinusInfinity) continue;
    candidates_.push_back({.id = static_cast<TokenId>(id), .logit = values[id], .weight = weights_[id]});
  }
  return total;
}

double Sampler::total_weight() const {
  std::array<double, kLanes> partial{};
  for (const Candidate& candidate : candidates_) partial[candidate.id % kLanes] += candidate.weight;
  return fold(partial);
}

// Keeps the first by rising rank (ties: lower id) whose weights together reach the target, at least one.
void Sampler::keep_ranked(double target_weight) {
  const auto by_rank = [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.id < b.id;
  };
  double sum = 0;
  size_t kept = 0;
  bool reached = false;
  for (size_t block = 64; !reached && kept < candidates_.size(); block *= 4) {
    const size_t end = std::min(candidates_.size(), kept + block);
    if (end < candidates_.size()) {
      std::nth_element(candidates_.begin() + kept, candidates_.begin() + end, candidates_.end(), by_rank);
    }
    std::sort(candidates_.begin() + kept, candidates_.begin() + end, by_rank);
    while (!reached && kept < end) {
      sum += candidates_[kept++].weight;
      reached = sum >= target_weight;
    }
  }
  candidates_.resize(kept);
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
}

// Meister et al., "Locally typical sampling", 2022.
void Sampler::keep_typical(double typical_p, double total) {
  const double log_total = det_log(total);
  double max = kMinusInfinity;
  for (const Candidate& candidate : candidates_) max = std::max(max, static_cast<double>(candidate.logit));
  std::array<double, kLanes> partial{};
  for (Candidate& candidate : candidates_) {
    candidate.rank = log_total - (static_cast<double>(candidate.logit) - max);  // -log p
    partial[candidate.id % kLanes] += candidate.weight / total * candidate.rank;
  }
  const double entropy = fold(partial);
  for (Candidate& candidate : candidates_) candidate.rank = std::fabs(candidate.rank - entropy);
  keep_ranked(typical_p * total);
}

void Sampler::keep_top_p(double top_p, double total) {
  for (Candidate& candidate : candidates_) candidate.rank = -static_cast<double>(candidate.logit);
  keep_ranked(top_p * total);
}

void Sampler::keep_min_p(double min_p) {
  double most = 0;
  for (const Candidate& candidate : candidates_) most = std::max(most, candidate.weight);
  std::erase_if(candidates_, [&](const Candidate& candidate) { return candidate.weight < min_p * most; });
}

TokenId Sampler::draw(double temperature, double uniform) {
  double max = kMinusInfinity;
  for (const Candidate& candidate : candidates_) max = std::max(max, static_cast<double>(candidate.logit));
  for (Candidate& candidate : candidates_) {
    candidate.weight = det_exp((static_cast<double>(candidate.logit) - max) / temperature);
  }
  const double target = uniform * total_weight();
  double sum = 0;
  TokenId last = candidates_.front().id;
  for (const Candidate& candidate : candidates_) {
    sum += candidate.weight;
    if (sum > target) return candidate.id;
    if (candidate.weight > 0) last = candidate.id;
  }
  return last;  // the sum in one chain came out a little smaller than the total
}

// As draw() from candidates that are all there are. A weight of 0, which what is forbidden has, is never drawn.
TokenId Sampler::draw_from_all(std::span<const float> values, float max, double temperature, double uniform) {
  const double target = uniform * softmax_weights(values, max, temperature, weights_);
  double sum = 0;
  size_t last = 0;
  for (size_t i = 0; i < values.size(); i++) {
    sum += weights_[i];
    if (sum > target) return static_cast<TokenId>(i);
    if (weights_[i] > 0) last = i;
  }
  return static_cast<TokenId>(last);
}

Result<TokenId> Sampler::pick(std::span<const float> logits, const SamplingParams& params, const PickContext& context) {
  CHECK(logits.size() == vocab_);
  if (!all_finite(logits)) return not_finite(context.position);
  const std::span<const float> values = adjust(logits, params, context);
  const float max = largest(values);
  if (max == kMinusInfinity) {
    return Error{ErrorCode::kInvalidArgument, "no token may be picked",
                 context.allowed.empty() ? "logit_bias forbids the whole vocabulary"
                                         : "the grammar allows none that the model has and logit_bias leaves"};
  }
  if (params.temperature == 0) {
    return static_cast<TokenId>(std::find(values.begin(), values.end(), max) - values.begin());
  }
  const double uniform = uniform_draw(params.seed, context.choice, context.position);
  const bool few = params.top_k > 0 && static_cast<uint32_t>(params.top_k) < vocab_;
  if (!few && params.typical_p >= 1 && params.top_p >= 1 && params.min_p <= 0) {
    return draw_from_all(values, max, params.temperature, uniform);
  }
  double total;
  if (few) {
    collect_top(values, static_cast<size_t>(params.top_k));
    for (Candidate& c : candidates_) c.weight = det_exp(static_cast<double>(c.logit) - static_cast<double>(max));
    total = total_weight();
  } else {
    total = collect_all(values, params);
  }
  if (params.typical_p < 1) {
    keep_typical(params.typical_p, total);
    total = total_weight();
  }
  if (params.top_p < 1) keep_top_p(params.top_p, total);
  if (params.min_p > 0) keep_min_p(params.min_p);
  return draw(params.temperature, uniform);
}

Sampler::Logprobs Sampler::logprobs(std::span<const float> logits, TokenId token, uint32_t top) {
  CHECK(logits.size() == vocab_ && token >= 0 && static_cast<uint32_t>(token) < vocab_);
  const float max = largest(logits);
  const double log_total = det_log(softmax_weights(logits, max, 1, weights_));
  const auto logprob = [&](float logit) {
    return static_cast<float>(static_cast<double>(logit) - static_cast<double>(max) - log_total);
  };
  Logprobs result{.token = logprob(logits[token]), .top = {}};
  if (top == 0) return result;
  collect_top(logits, std::min(top, vocab_));
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return likelier(a.logit, a.id, b.logit, b.id); });
  for (const Candidate& candidate : candidates_) result.top.emplace_back(candidate.id, logprob(candidate.logit));
  return result;
}

Result<PromptScore> Sampler::score(std::span<const float> logits, TokenId token, uint32_t top, uint32_t position) {
  if (!all_finite(logits)) return not_finite(position);
  Logprobs known = logprobs(logits, token, top);
  const float logit = logits[token];
  uint32_t rank = 1;
  for (const float other : logits) rank += other > logit;
  for (TokenId id = 0; id < token; id++) rank += logits[id] == logit;
  return PromptScore{.logprob = known.token, .rank = rank, .top = std::move(known.top)};
}

}  // namespace ingle
