#include "server/places.h"

#include <gtest/gtest.h>

#include <vector>

namespace ingle {
namespace {

TEST(Places, AreTakenAndGivenBack) {
  Places places(4, 0);
  std::optional<Places::Taken> three = places.take(0, 3);
  ASSERT_TRUE(three);
  EXPECT_FALSE(places.take(0, 2));
  EXPECT_FALSE(places.take(1, 5));
  {
    const std::optional<Places::Taken> one = places.take(0, 1);
    EXPECT_TRUE(one);
    EXPECT_EQ(places.taken(), 4u);
    EXPECT_FALSE(places.take(1, 1));
  }
  Places::Taken moved = std::move(*three);
  three.reset();
  EXPECT_EQ(places.taken(), 3u);
  moved = Places::Taken();
  EXPECT_EQ(places.taken(), 0u);
  EXPECT_TRUE(places.take(2, 4));
  EXPECT_EQ(places.taken(), 0u);
}

TEST(Places, SomeAreKeptForThoseWhoHaveNone) {
  Places places(16, 2);
  std::vector<Places::Taken> taken;
  while (std::optional<Places::Taken> one = places.take(1, 1)) taken.push_back(std::move(*one));
  EXPECT_EQ(places.taken(), 14u);
  EXPECT_FALSE(places.take(3, 2)) << "of those that are kept each has one";
  std::optional<Places::Taken> other = places.take(2, 1);
  ASSERT_TRUE(other);
  EXPECT_FALSE(places.take(2, 1)) << "this one has one";
  {
    const std::optional<Places::Taken> some = places.take_some(3, 2);
    ASSERT_TRUE(some);
    EXPECT_EQ(some->count(), 1u);
    EXPECT_FALSE(places.take_some(4, 2)) << "all are taken";
  }
  taken.clear();
  EXPECT_EQ(places.take_some(5, 4)->count(), 4u);
  std::optional<Places::Taken> more = places.take(2, 13);
  EXPECT_TRUE(more);
  EXPECT_FALSE(places.take(2, 1)) << "as many as one may have";
  EXPECT_FALSE(places.take_some(2, 1));
  EXPECT_FALSE(places.take(1, 15));
}

}  // namespace
}  // namespace ingle
