#include "engine/prompt_cost.h"

#include <gtest/gtest.h>

namespace ingle {
namespace {

TEST(PromptCost, ATokenCostsAsManyAsStandBeforeIt) {
  const PromptCost cost{.doubling = 1000};
  EXPECT_DOUBLE_EQ(cost.of(0, 1), 1);
  EXPECT_DOUBLE_EQ(cost.of(1000, 1), 2);
  EXPECT_DOUBLE_EQ(cost.of(16000, 1), 17);
  for (const uint32_t begin : {0u, 500u, 16000u}) {
    double sum = 0;
    for (uint32_t i = 0; i < 300; i++) sum += cost.of(begin + i, 1);
    EXPECT_NEAR(cost.of(begin, 300), sum, 1e-6) << begin;
  }
  EXPECT_DOUBLE_EQ(PromptCost{}.of(16000, 300), 300);
}

TEST(PromptCost, LogitsCostTheSameWhereverTheirTokenStands) {
  const PromptCost cost{.doubling = 1000, .logits = 1.5};
  for (const uint32_t begin : {0u, 2000u}) EXPECT_DOUBLE_EQ(cost.of(begin, 10, true) - cost.of(begin, 10), 15);
}

TEST(PromptCost, FittingIsTheMostThatCostsNoMore) {
  for (const double doubling : {1.0, 50.0, 7000.0, 1e9, std::numeric_limits<double>::infinity()}) {
    const PromptCost cost{.doubling = doubling, .logits = 1.5};
    for (const uint32_t begin : {0u, 1u, 100u, 16383u, 1u << 24}) {
      for (double budget = 0.5; budget < 1e6; budget *= 1.7) {
        for (const bool with_logits : {false, true}) {
          const uint32_t tokens = cost.fitting(begin, budget, with_logits);
          EXPECT_LE(cost.of(begin, tokens, with_logits), budget);
          EXPECT_GT(cost.of(begin, tokens + 1, with_logits), budget) << begin << " " << budget << " " << doubling;
        }
      }
    }
  }
  EXPECT_EQ(PromptCost{}.fitting(5000, 77.5), 77u);
  EXPECT_GT(PromptCost{}.fitting(5000, std::numeric_limits<double>::infinity()), 1u << 30);
  EXPECT_GT(PromptCost{.doubling = 1000}.fitting(5000, std::numeric_limits<double>::infinity()), 10000u);
}

TEST(PromptCost, OfAGraphIsWhereAttentionTakesAsLongAsTheMatrices) {
  const uint8_t data[4] = {};
  const auto matrix = [&](uint32_t rows, uint32_t cols) {
    return Tensor{.name = "", .type = DType::kF32, .rows = rows, .cols = cols, .data = data, .release = {}};
  };
  const auto layers = [&](std::initializer_list<uint32_t> windows) {
    auto graph = std::make_unique<Graph>();
    Value x = graph->embed(matrix(1000, 64), 1, EmbedBy::kToken, "embed");
    uint32_t layer = 0;
    for (const uint32_t window : windows) {
      const AttentionSpec spec{.layer = layer++, .heads = 4, .kv_heads = 4, .head_dim = 16, .window = window};
      const Value q = graph->linear(x, matrix(64, 64), Tensor{}, "q");
      graph->store_kv(q, q, spec);
      x = graph->linear(graph->attention(q, spec), matrix(64, 64), Tensor{}, "o");
    }
    graph->set_hidden(x);
    graph->set_logits(graph->linear(x, matrix(1000, 64), Tensor{}, "output"));
    return graph;
  };
  EXPECT_DOUBLE_EQ(prompt_cost(*layers({0, 0})).doubling, 2 * 64 * 64.0 / (3 * 2 * 64));
  EXPECT_GT(prompt_cost(*layers({100, 100, 0})).doubling, prompt_cost(*layers({0, 0, 0})).doubling);
  EXPECT_EQ(prompt_cost(*layers({100, 100})).doubling, PromptCost{}.doubling);
  EXPECT_DOUBLE_EQ(prompt_cost(*layers({0, 0})).logits, 1000 * 64 / (2 * 2 * 64 * 64.0));
}

}  // namespace
}  // namespace ingle
