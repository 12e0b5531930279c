#include "text/stop_strings.h"

#include <gtest/gtest.h>

#include <random>

namespace ingle {
namespace {

TEST(StopStrings, ShowsAllWithoutStops) {
  StopStrings stops({});
  EXPECT_EQ(stops.push("anything"), "anything");
  EXPECT_EQ(stops.finish(), "");
  EXPECT_FALSE(stops.match());
}

TEST(StopStrings, HoldsBackWhatMayBeAStop) {
  StopStrings stops({"</s>", "STOP"});
  EXPECT_EQ(stops.push("Hello <"), "Hello ");
  EXPECT_EQ(stops.push("/"), "");
  EXPECT_EQ(stops.push("p> ST"), "</p> ");
  EXPECT_EQ(stops.push("O"), "");
  EXPECT_EQ(stops.push("P and more"), "");
  ASSERT_TRUE(stops.match());
  EXPECT_EQ(stops.match()->index, 1u);
  EXPECT_EQ(stops.match()->begin_bytes, 11u);
  EXPECT_EQ(stops.push("even more"), "");
  EXPECT_EQ(stops.finish(), "");
}

TEST(StopStrings, GivesBackWhatWasHeldAtTheEnd) {
  StopStrings stops({"abc"});
  EXPECT_EQ(stops.push("xab"), "x");
  EXPECT_EQ(stops.finish(), "ab");
}

TEST(StopStrings, TheFirstToEndWinsThenTheLongest) {
  StopStrings first({"abcd", "bc"});
  EXPECT_EQ(first.push("xabcd"), "xa");
  EXPECT_EQ(first.match()->index, 1u);
  StopStrings longest({"c", "bc", "abc"});
  EXPECT_EQ(longest.push("xabcd"), "x");
  EXPECT_EQ(longest.match()->index, 2u);
}

TEST(StopStrings, EmptyOnesCountButDoNotMatch) {
  StopStrings stops({"", "x"});
  EXPECT_EQ(stops.push("abx"), "ab");
  EXPECT_EQ(stops.match()->index, 1u);
}

// Against the definition, whatever the pieces.
TEST(StopStrings, AnyPiecesAnyStops) {
  std::mt19937 random(1);
  const auto word = [&](size_t longest) {
    std::string text;
    for (size_t n = random() % longest + 1; n > 0; --n) text += static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> stops;
    for (size_t n = random() % 4; n > 0; --n) stops.push_back(word(5));
    const std::string text = word(24);

    std::string expected = text;
    size_t best_end = std::string::npos;
    for (size_t end = 1; end <= text.size() && best_end == std::string::npos; ++end) {
      for (const std::string& stop : stops) {
        if (!std::string_view(text).substr(0, end).ends_with(stop)) continue;
        best_end = end;
        if (end - stop.size() < expected.size()) expected = text.substr(0, end - stop.size());
      }
    }

    StopStrings matcher(stops);
    std::string shown;
    for (size_t at = 0; at < text.size();) {
      const size_t size = random() % 4 + 1;
      shown += matcher.push(std::string_view(text).substr(at, size));
      at += size;
      ASSERT_TRUE(expected.starts_with(shown)) << text;
    }
    shown += matcher.finish();
    ASSERT_EQ(shown, expected) << text;
    ASSERT_EQ(matcher.match().has_value(), best_end != std::string::npos);
    if (matcher.match()) {
      ASSERT_EQ(matcher.match()->begin_bytes, expected.size());
    }
  }
}

TEST(StopStrings, LinearInLongStops) {
  const std::string stop(100000, 'a');
  StopStrings stops({stop + "b", stop + "c"});
  std::string shown;
  for (int i = 0; i < 1000; ++i) shown += stops.push(std::string(1000, 'a'));
  shown += stops.push("b");
  ASSERT_TRUE(stops.match());
  EXPECT_EQ(shown.size(), 900000u);
}

}  // namespace
}  // namespace ingle
