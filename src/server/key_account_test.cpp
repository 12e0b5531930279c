#include "server/key_account.h"

#include <gtest/gtest.h>

namespace ingle {
namespace {

using std::chrono::seconds;

class KeyAccountTest : public ::testing::Test {
 protected:
  KeyAccount::Clock::time_point now{seconds(1000)};

  static unsigned status(const std::optional<ApiError>& error) { return error ? error->status : 200; }
};

TEST_F(KeyAccountTest, WithoutLimitsAnythingGoes) {
  KeyAccount account({});
  for (int i = 0; i < 1000; i++) {
    EXPECT_FALSE(account.count_request(now));
    EXPECT_FALSE(account.take(1000, now));
    account.count_tokens(1'000'000, now);
  }
}

TEST_F(KeyAccountTest, RequestsComeBackEvenly) {
  KeyAccount account({.answers = 0, .requests = 30, .tokens = 0});
  for (int i = 0; i < 30; i++) EXPECT_FALSE(account.count_request(now)) << i;
  const std::optional<ApiError> refused = account.count_request(now);
  ASSERT_EQ(status(refused), 429u);
  EXPECT_EQ(refused->retry_after_seconds, 2u);
  EXPECT_EQ(status(account.count_request(now + seconds(1))), 429u);
  EXPECT_FALSE(account.count_request(now + seconds(2)));
  EXPECT_EQ(status(account.count_request(now + seconds(2))), 429u);
  // An hour's rest is worth a minute.
  now += seconds(3600);
  for (int i = 0; i < 30; i++) EXPECT_FALSE(account.count_request(now)) << i;
  EXPECT_EQ(status(account.count_request(now)), 429u);
}

TEST_F(KeyAccountTest, AnswersAreTakenUntilTheyAreGivenBack) {
  KeyAccount account({.answers = 4, .requests = 0, .tokens = 0});
  EXPECT_FALSE(account.take(3, now));
  EXPECT_EQ(status(account.take(2, now)), 429u);
  EXPECT_FALSE(account.take(1, now));
  EXPECT_EQ(status(account.take(1, now)), 429u);
  account.give_back(3);
  EXPECT_FALSE(account.take(3, now));
  // Never, however long one waits.
  EXPECT_EQ(status(account.take(5, now)), 400u);
  EXPECT_EQ(status(account.take(~uint32_t{0}, now)), 400u);
}

TEST_F(KeyAccountTest, TokensAreOwedAfterwards) {
  KeyAccount account({.answers = 0, .requests = 0, .tokens = 600});
  EXPECT_FALSE(account.take(1, now));
  account.count_tokens(599, now);
  EXPECT_FALSE(account.take(1, now));
  account.count_tokens(601, now);
  const std::optional<ApiError> refused = account.take(1, now);
  ASSERT_EQ(status(refused), 429u);
  EXPECT_EQ(refused->retry_after_seconds, 61u);
  EXPECT_EQ(status(account.take(1, now + seconds(60))), 429u);
  EXPECT_FALSE(account.take(1, now + seconds(61)));
  account.count_tokens(~uint64_t{0}, now + seconds(61));
  EXPECT_EQ(account.take(1, now + seconds(61))->retry_after_seconds, 86400u);
}

}  // namespace
}  // namespace ingle
