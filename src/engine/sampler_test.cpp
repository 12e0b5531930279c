#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>

namespace ingle {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplingParams all_off() {
  SamplingParams params;
  params.temperature = 1;
  params.top_k = 0;
  params.top_p = 1;
  params.min_p = 0;
  return params;
}

SamplingParams greedy() {
  SamplingParams params = all_off();
  params.temperature = 0;
  return params;
}

std::vector<float> random_logits(uint32_t vocab, uint32_t seed, float spread, bool coarse = false) {
  std::minstd_rand random(seed);
  std::vector<float> logits(vocab);
  for (float& logit : logits) {
    logit = static_cast<float>(random() % 100000) / 100000 * spread - spread / 2;
    if (coarse) logit = std::round(logit);  // many ties
  }
  return logits;
}

// The definition in the header, written as simply as can be: sorted lists and long double.
class Naive {
 public:
  using Distribution = std::map<TokenId, long double>;

  static Distribution distribution(const std::vector<float>& logits, const SamplingParams& params,
                                   const std::vector<TokenId>& history = {}) {
    std::map<TokenId, float> adjusted;
    for (size_t i = 0; i < logits.size(); i++) adjusted[static_cast<TokenId>(i)] = logits[i];
    for (const auto& [id, bias] : params.logit_bias) adjusted[id] += bias;
    const size_t window =
        params.repeat_last_n < 0 ? history.size() : std::min<size_t>(history.size(), params.repeat_last_n);
    std::map<TokenId, int> counts;
    for (size_t i = history.size() - window; i < history.size(); i++) counts[history[i]]++;
    for (const auto& [id, count] : counts) {
      double l = adjusted[id];
      l = l > 0 ? l / params.repeat_penalty : l * params.repeat_penalty;
      adjusted[id] =
          static_cast<float>(l - (double{params.presence_penalty} + double{params.frequency_penalty} * count));
    }
    std::vector<std::pair<float, TokenId>> list;
    for (const auto& [id, logit] : adjusted) {
      if (logit != -kInfinity) list.emplace_back(logit, id);
    }
    const auto by_logit = [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    };
    std::sort(list.begin(), list.end(), by_logit);
    if (params.top_k > 0 && list.size() > static_cast<size_t>(params.top_k)) list.resize(params.top_k);
    if (params.typical_p < 1) {
      auto p = softmax(list, 1);
      long double entropy = 0;
      for (const auto& [id, q] : p) entropy += q > 0 ? -q * std::log(q) : 0;
      std::sort(list.begin(), list.end(), [&](const auto& a, const auto& b) {
        const long double x = std::fabs(-std::log(p[a.second]) - entropy),
                          y = std::fabs(-std::log(p[b.second]) - entropy);
        return std::fabs(x - y) > 1e-12L ? x < y : a.second < b.second;
      });
      keep(list, p, params.typical_p);
      std::sort(list.begin(), list.end(), by_logit);
    }
    if (params.top_p < 1) keep(list, softmax(list, 1), params.top_p);
    if (params.min_p > 0) {
      auto p = softmax(list, 1);
      const long double most = p[list.front().second];
      std::erase_if(list, [&](const auto& entry) { return p[entry.second] < params.min_p * most; });
    }
    return softmax(list, params.temperature);
  }

 private:
  static Distribution softmax(const std::vector<std::pair<float, TokenId>>& list, long double temperature) {
    Distribution p;
    float max = -kInfinity;
    for (const auto& entry : list) max = std::max(max, entry.first);
    long double total = 0;
    for (const auto& [logit, id] : list)
      total += p[id] = std::exp((static_cast<long double>(logit) - max) / temperature);
    for (auto& [id, q] : p) q /= total;
    return p;
  }
  static void keep(std::vector<std::pair<float, TokenId>>& list, Distribution p, long double mass) {
    long double sum = 0;
    size_t kept = 0;
    while (kept < list.size()) {
      sum += p[list[kept++].second];
      if (sum >= mass - 1e-12L) break;
    }
    list.resize(kept);
  }
};

// The distribution of picks over positions against the naive one: the same support, and frequencies that a chi-squared
// test believes. Which token a draw gives is checked exactly too, by the inverse of the cumulative distribution.
void expect_distribution(const std::vector<float>& logits, const SamplingParams& params,
                         const std::vector<TokenId>& history = {}, uint32_t draws = 3000) {
  const Naive::Distribution expected = Naive::distribution(logits, params, history);
  Sampler sampler(static_cast<uint32_t>(logits.size()));
  for (uint32_t position = 0; position < draws; position++) {
    const auto pick = sampler.pick(logits, params, {.history = history, .position = position, .choice = 3});
    ASSERT_TRUE(pick.ok()) << pick.error().message;
    const long double u = uniform_draw(params.seed, 3, position);
    long double below = 0;
    for (const auto& [id, p] : expected) {
      if (id < *pick) below += p;
    }
    ASSERT_TRUE(expected.contains(*pick)) << "token " << *pick << " should have been filtered out";
    ASSERT_LE(below, u + 1e-9L) << "token " << *pick;
    ASSERT_GE(below + expected.at(*pick), u - 1e-9L) << "token " << *pick;
  }
}

TEST(UniformDraw, IsPhilox4x32WithTenRounds) {
  // The known answer of the Random123 distribution for counter 0 and key 0: 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
  EXPECT_EQ(uniform_draw(0, 0, 0), static_cast<double>(0xe169c58d6627e8d5u >> 11) * 0x1p-53);
}

TEST(UniformDraw, IsUniformAndItsArgumentsMatter) {
  double sum = 0, squares = 0;
  std::set<double> seen;
  for (uint32_t i = 0; i < 30000; i++) {
    const double u = i % 3 == 0   ? uniform_draw(i, 0, 0)
                     : i % 3 == 1 ? uniform_draw(uint64_t{i} << 32, 0, i)
                                  : uniform_draw(9, i, 1);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
    seen.insert(u);
  }
  EXPECT_EQ(seen.size(), 30000u);
  EXPECT_NEAR(sum / 30000, 0.5, 0.008);
  EXPECT_NEAR(squares / 30000, 1.0 / 3, 0.008);
}

TEST(Sampler, GreedyTakesTheLowestOfEquals) {
  for (const uint32_t vocab : {1u, 2u, 15u, 16u, 17u, 100u, 1000u}) {
    Sampler sampler(vocab);
    for (uint32_t seed = 1; seed < 20; seed++) {
      const std::vector<float> logits = random_logits(vocab, seed, 6, true);
      const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
      EXPECT_EQ(*sampler.pick(logits, greedy(), {}), best);
    }
    EXPECT_EQ(*sampler.pick(std::vector<float>(vocab, -0.0f), greedy(), {}), 0);
  }
}

TEST(Sampler, EachFilterIsThatOfTheNaiveImplementation) {
  for (uint32_t seed = 1; seed <= 6; seed++) {
    for (const bool coarse : {false, true}) {
      const std::vector<float> logits = random_logits(300 + seed, seed, 12, coarse);
      SamplingParams params = all_off();
      params.seed = seed;
      expect_distribution(logits, params);
      for (const int32_t k : {1, 2, 7, 299, 100000}) {
        params.top_k = k;
        expect_distribution(logits, params, {}, 300);
      }
      params = all_off();
      for (const float p : {0.0f, 0.1f, 0.5f, 0.9f, 0.999f}) {
        params.top_p = p;
        expect_distribution(logits, params, {}, 300);
      }
      params = all_off();
      for (const float p : {0.001f, 0.05f, 0.5f, 1.0f}) {
        params.min_p = p;
        expect_distribution(logits, params, {}, 300);
      }
      params = all_off();
      for (const float p : {0.05f, 0.3f, 0.8f, 0.99f}) {
        params.typical_p = p;
        expect_distribution(logits, params, {}, 300);
      }
      params = all_off();
      for (const float t : {0.01f, 0.5f, 1.7f, 100.0f}) {
        params.temperature = t;
        expect_distribution(logits, params, {}, 300);
      }
    }
  }
}

TEST(Sampler, FiltersTogetherAreThoseOfTheNaiveImplementation) {
  std::minstd_rand random(5);
  const auto chance = [&](uint32_t n) { return random() % n == 0; };
  const auto unit = [&] { return static_cast<float>(random() % 1000) / 1000; };
  for (uint32_t round = 0; round < 300; round++) {
    const auto vocab = static_cast<uint32_t>(2 + random() % 700);
    const std::vector<float> logits = random_logits(vocab, round + 1, 2 + 20 * unit(), chance(3));
    SamplingParams params;
    params.seed = random();
    params.temperature = 0.2f + unit();
    params.top_k = chance(2) ? 0 : static_cast<int32_t>(1 + random() % 200);
    params.top_p = chance(2) ? 1 : unit();
    params.min_p = chance(2) ? 0 : unit() / 4;
    params.typical_p = chance(3) ? unit() : 1;
    params.repeat_penalty = chance(2) ? 1 : 0.5f + unit();
    params.presence_penalty = chance(2) ? 0 : 2 * unit() - 1;
    params.frequency_penalty = chance(2) ? 0 : unit() - 0.5f;
    params.repeat_last_n = chance(4) ? -1 : static_cast<int32_t>(random() % 80);
    std::vector<TokenId> history(random() % 100);
    for (TokenId& id : history) id = static_cast<TokenId>(random() % vocab);
    if (chance(3)) params.logit_bias[static_cast<TokenId>(random() % vocab)] = 5 * unit();
    if (chance(3)) params.logit_bias[0] = -kInfinity;
    expect_distribution(logits, params, history, 100);
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

TEST(Sampler, LargeFlatVocabularies) {
  // Flat: the nucleus is nearly all of it.
  std::vector<float> logits(50000, 0.0f);
  SamplingParams params = all_off();
  params.top_p = 0.5f;
  Sampler sampler(50000);
  for (uint32_t position = 0; position < 20; position++) {
    EXPECT_LT(*sampler.pick(logits, params, {.position = position}), 25001);
  }
  expect_distribution(random_logits(50000, 1, 20), params, {}, 20);
}

TEST(Sampler, FrequenciesAreTheProbabilities) {
  const std::vector<float> logits = {0.0f, std::log(2.0f), std::log(3.0f), std::log(4.0f)};
  SamplingParams params = all_off();
  params.seed = 42;
  std::array<uint32_t, 4> counts{};
  Sampler sampler(4);
  constexpr uint32_t kDraws = 100000;
  for (uint32_t i = 0; i < kDraws; i++)
    counts[*sampler.pick(logits, params, {.position = i % 1000, .choice = i / 1000})]++;
  for (uint32_t id = 0; id < 4; id++) {
    const double p = (id + 1) / 10.0;
    EXPECT_NEAR(counts[id], kDraws * p, 4 * std::sqrt(kDraws * p * (1 - p)));
  }
}

TEST(Sampler, DependsOnlyOnItsArguments) {
  const std::vector<float> logits = random_logits(500, 3, 8), other = random_logits(500, 4, 8);
  SamplingParams params;
  params.repeat_penalty = 1.3f;
  const std::vector<TokenId> history = {1, 2, 3, 1, 400};
  const PickContext context = {.history = history, .position = 77, .choice = 2, .suppressed = {}};
  Sampler fresh(500), used(500);
  for (uint32_t i = 0; i < 50; i++) {
    (void)*used.pick(other, all_off(), {.position = i});
    used.logprobs(other, 3, 20);
    EXPECT_EQ(*used.pick(logits, params, context), *fresh.pick(logits, params, context));
  }
}

TEST(Sampler, PenaltiesTouchOnlyTheWindow) {
  const std::vector<float> logits = {1.0f, 0.9f, 0.8f};
  const std::vector<TokenId> history = {0, 0, 1};
  Sampler sampler(3);
  const auto pick = [&](int32_t last_n, float repeat, float presence, float frequency) {
    SamplingParams params = greedy();
    params.repeat_last_n = last_n;
    params.repeat_penalty = repeat;
    params.presence_penalty = presence;
    params.frequency_penalty = frequency;
    return *sampler.pick(logits, params, {.history = history});
  };
  EXPECT_EQ(pick(0, 2, 1, 1), 0);
  EXPECT_EQ(pick(1, 2, 0, 0), 0);
  EXPECT_EQ(pick(2, 2, 0, 0), 2);
  EXPECT_EQ(pick(-1, 1, 0.25f, 0), 2);
  EXPECT_EQ(pick(-1, 1, 0, 0.06f), 0) << "0.88 is still the most";
  EXPECT_EQ(pick(-1, 1, 0, 0.11f), 2) << "0.78, 0.79, 0.8";
  EXPECT_EQ(pick(-1, 1, -0.5f, 0), 0);
}

TEST(Sampler, SuppressedAndForbiddenIdsAreNeverPicked) {
  const std::vector<float> logits = {5, 9, 7, 1};
  Sampler sampler(4);
  const std::vector<TokenId> suppressed = {1};
  EXPECT_EQ(*sampler.pick(logits, greedy(), {.suppressed = suppressed}), 2);
  SamplingParams params = greedy();
  params.logit_bias = {{2, -kInfinity}, {3, 100.0f}, {1, 3e38f}};
  EXPECT_EQ(*sampler.pick(logits, params, {.suppressed = suppressed}), 3);
  params = all_off();
  params.temperature = 100;
  for (uint32_t position = 0; position < 500; position++) {
    EXPECT_NE(*sampler.pick(logits, params, {.position = position, .suppressed = suppressed}), 1);
  }
  const std::vector<TokenId> everything = {0, 1, 2, 3};
  EXPECT_FALSE(sampler.pick(logits, params, {.suppressed = everything}).ok());
}

// As if a bias forbade all others: of masks full, empty and in between, and of a vocabulary that fills no last word.
TEST(Sampler, AllowedIdsAreTheOnlyCandidates) {
  constexpr uint32_t kIds = 300;
  Sampler sampler(kIds), biased(kIds);
  std::mt19937_64 random(5);
  const std::vector<TokenId> history = {1, 2, 3, 1, 40, 41, 299};
  for (uint32_t round = 0; round < 400; round++) {
    std::vector<uint32_t> allowed(mask_words(kIds));
    for (uint32_t& word : allowed)
      word = random() % 3 == 0 ? ~0u : static_cast<uint32_t>(random() & random() & random());
    if (round % 5 == 0) std::fill(allowed.begin(), allowed.end(), 0);
    allowed[random() % allowed.size()] |= 1u << (random() % 12);
    const std::vector<float> logits = random_logits(kIds, round, 10, round % 2 == 0);
    SamplingParams params = round % 3 == 0 ? greedy() : all_off();
    if (round % 3 == 1) params.top_k = 20;
    if (round % 4 == 1) params.repeat_penalty = 1.4f;
    params.logit_bias = {{3, 2.0f}, {290, 1e30f}, {40, -kInfinity}};
    const PickContext context = {.history = history, .position = round};
    PickContext held = context;
    held.allowed = allowed;
    SamplingParams without = params;
    for (uint32_t id = 0; id < kIds; id++) {
      if (!mask_has(allowed, static_cast<TokenId>(id))) without.logit_bias[static_cast<TokenId>(id)] = -kInfinity;
    }
    const Result<TokenId> picked = sampler.pick(logits, params, held), expected = biased.pick(logits, without, context);
    ASSERT_EQ(picked.ok(), expected.ok());
    if (!picked.ok()) continue;
    ASSERT_EQ(*picked, *expected) << round;
  }
}

TEST(Sampler, LogitsThatAreNotFiniteAreAnError) {
  Sampler sampler(40);
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    for (const size_t at : {0, 17, 39}) {
      std::vector<float> logits(40, 1.0f);
      logits[at] = bad;
      EXPECT_FALSE(sampler.pick(logits, greedy(), {}).ok());
      EXPECT_FALSE(sampler.pick(logits, all_off(), {}).ok());
    }
  }
  EXPECT_EQ(*sampler.pick(std::vector<float>(40, 2.0f), greedy(), {}), 0) << "the next request is well";
}

TEST(Sampler, HugeFiniteLogitsAreFine) {
  constexpr float kMax = std::numeric_limits<float>::max();
  const std::vector<float> logits = {-kMax, kMax, 0, kMax};
  Sampler sampler(4);
  SamplingParams params;
  params.repeat_penalty = 0.01f;
  params.frequency_penalty = -100;
  params.logit_bias = {{0, -kMax}, {3, kMax}};
  const std::vector<TokenId> history = {0, 1, 3};
  for (uint32_t position = 0; position < 50; position++) {
    const auto pick = sampler.pick(logits, params, {.history = history, .position = position});
    ASSERT_TRUE(pick.ok());
    EXPECT_TRUE(*pick == 1 || *pick == 3);
  }
  params = all_off();
  params.typical_p = 0.5f;
  params.temperature = 1e-30f;
  EXPECT_TRUE(sampler.pick(logits, params, {}).ok());
}

TEST(Sampler, LogprobsAreOfTheRawDistribution) {
  const std::vector<float> logits = random_logits(1000, 8, 15, true);
  Sampler sampler(1000);
  const Sampler::Logprobs result = sampler.logprobs(logits, 123, 30);
  long double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<long double>(logit));
  const auto expected = [&](TokenId id) { return static_cast<float>(logits[id] - std::log(total)); };
  EXPECT_FLOAT_EQ(result.token, expected(123));
  std::vector<TokenId> order(1000);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](TokenId a, TokenId b) { return logits[a] > logits[b]; });
  ASSERT_EQ(result.top.size(), 30u);
  for (size_t i = 0; i < 30; i++) {
    EXPECT_EQ(result.top[i].first, order[i]);
    EXPECT_FLOAT_EQ(result.top[i].second, expected(order[i]));
  }
  EXPECT_EQ(sampler.logprobs(logits, 0, 5000).top.size(), 1000u);
}

TEST(Sampler, ScoresRankByLogitAndId) {
  const std::vector<float> logits = {1, 3, 2, 3, 0, 1};
  Sampler sampler(6);
  const std::vector<uint32_t> ranks = {4, 1, 3, 2, 6, 5};
  for (TokenId id = 0; id < 6; id++) {
    const Result<PromptScore> score = sampler.score(logits, id, 6, 0);
    ASSERT_TRUE(score.ok());
    EXPECT_EQ(score->rank, ranks[id]);
    EXPECT_EQ(score->top[score->rank - 1].first, id);
    EXPECT_EQ(score->top[score->rank - 1].second, score->logprob);
  }
  EXPECT_FALSE(sampler.score(std::vector<float>{1, 3, kNan, 3, 0, 1}, 0, 2, 7).ok());
}

TEST(SamplingParams, NamesTheFieldThatIsOutOfRange) {
  const auto message = [](auto change) {
    SamplingParams params;
    change(params);
    const Status status = params.validate();
    return status.ok() ? std::string() : status.error().message;
  };
  EXPECT_EQ(message([](auto&) {}), "");
  EXPECT_NE(message([](auto& p) { p.temperature = -1; }).find("temperature is -1"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.temperature = kNan; }).find("temperature"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.temperature = kInfinity; }).find("temperature"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.top_k = -1; }).find("top_k"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.top_p = 1.01f; }).find("top_p"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.min_p = kNan; }).find("min_p"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.typical_p = -0.1f; }).find("typical_p"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.repeat_penalty = 0; }).find("repeat_penalty"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.repeat_last_n = -2; }).find("repeat_last_n"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.presence_penalty = kInfinity; }).find("presence_penalty"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.frequency_penalty = kNan; }).find("frequency_penalty"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.logit_bias[7] = kNan; }).find("logit_bias of token 7"), std::string::npos);
  EXPECT_EQ(message([](auto& p) { p.logit_bias[7] = -kInfinity; }), "");
}

}  // namespace
}  // namespace ingle
