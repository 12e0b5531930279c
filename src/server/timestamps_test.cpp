#include "server/timestamps.h"

#include <gtest/gtest.h>

namespace ingle {
namespace {

TEST(Timestamps, AreInUtcWithMicroseconds) {
  EXPECT_EQ(rfc3339(int64_t{0}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(rfc3339(int64_t{951782400}), "2000-02-29T00:00:00.000000Z");
  EXPECT_EQ(rfc3339(int64_t{-1}), "1969-12-31T23:59:59.000000Z");
  const std::chrono::system_clock::time_point time{std::chrono::microseconds(1763754207000042)};
  EXPECT_EQ(rfc3339(time), "2025-11-21T19:43:27.000042Z");
}

}  // namespace
}  // namespace ingle
