#include "engine/pooler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ingle {
namespace {

using testing::ElementsAre;

Result<std::vector<float>> pool(const EmbeddingOptions& options, const std::vector<std::vector<float>>& states) {
  Pooler pooler(options);
  for (const std::vector<float>& state : states) pooler.add(state);
  return pooler.finish();
}

TEST(Pooler, TakesTheMeanAndTheUnitLength) {
  EXPECT_THAT(*pool({.normalize = false}, {{1, 2, 3}, {3, 2, -1}}), ElementsAre(2, 2, 1));
  EXPECT_THAT(*pool({}, {{1, 2, 3}, {3, 2, -1}}), ElementsAre(2.0f / 3, 2.0f / 3, 1.0f / 3));
  EXPECT_THAT(*pool({}, {{0, 0}, {0, 0}}), ElementsAre(0, 0));  // has no direction
}

TEST(Pooler, CutsBeforeItTakesTheUnitLength) {
  EXPECT_THAT(*pool({.dimensions = 2}, {{3, 4, 100}}), ElementsAre(0.6f, 0.8f));
  EXPECT_THAT(*pool({.normalize = false, .dimensions = 1}, {{3, 4, 100}}), ElementsAre(3));
}

TEST(Pooler, SumsThatFloatsCouldNotHold) {
  constexpr float kLarge = 3e38f;
  EXPECT_THAT(*pool({}, {{kLarge, kLarge}, {kLarge, kLarge}}), ElementsAre(std::sqrt(0.5f), std::sqrt(0.5f)));
}

TEST(Pooler, RefusesWhatIsNoNumber) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const auto result = pool({}, {{1, 2}, {1, bad}});
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  }
}

}  // namespace
}  // namespace ingle
