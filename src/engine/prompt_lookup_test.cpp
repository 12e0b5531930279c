#include "engine/prompt_lookup.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace ingle {
namespace {

using Ids = std::vector<TokenId>;

Ids guess(PromptLookup& lookup, const Ids& tokens, uint32_t most) {
  const std::span<const TokenId> found = lookup.guess(tokens, most);
  return {found.begin(), found.end()};
}

TEST(PromptLookup, GoesOnAsItDidTheLastTime) {
  PromptLookup lookup;
  const Ids tokens = {1, 2, 3, 4, 5, 1, 2, 3, 6, 7, 8, 9, 1, 2, 3};
  EXPECT_EQ(guess(lookup, tokens, 3), (Ids{6, 7, 8}));
  EXPECT_EQ(guess(lookup, tokens, 1), Ids{6});
  EXPECT_EQ(guess(lookup, tokens, 0), Ids{});
  EXPECT_EQ(guess(lookup, tokens, 100), (Ids{6, 7, 8, 9, 1, 2, 3}));
}

TEST(PromptLookup, HasNoGuessAtWhatIsNew) {
  for (const Ids& tokens : {Ids{}, Ids{1}, Ids{1, 1}, Ids{1, 2, 3}, Ids{1, 2, 3, 2, 3}, {1, 2, 3, 1, 2, 4}}) {
    PromptLookup fresh;
    EXPECT_EQ(guess(fresh, tokens, 4), Ids{});
  }
}

TEST(PromptLookup, ALoopIsGuessedFromItsSecondRound) {
  PromptLookup lookup;
  Ids tokens;
  for (TokenId i = 0; i < 40; i++) {
    tokens.push_back(i % 5);
    const Ids found = guess(lookup, tokens, 2);
    EXPECT_EQ(found.empty(), i < 7) << i;
    if (found.empty()) continue;
    EXPECT_EQ(found[0], (i + 1) % 5);
  }
}

// By the definition, at every length, for tokens that repeat a lot.
TEST(PromptLookup, FindsTheLastOfAllPlaces) {
  std::minstd_rand random(1);
  for (int round = 0; round < 20; round++) {
    PromptLookup lookup;
    Ids tokens;
    for (int i = 0; i < 200; i++) {
      tokens.push_back(static_cast<TokenId>(random() % 3));
      Ids expected;
      for (size_t end = 3; end < tokens.size(); end++) {
        if (!std::equal(tokens.end() - 3, tokens.end(), tokens.begin() + static_cast<ptrdiff_t>(end) - 3)) continue;
        expected.assign(tokens.begin() + static_cast<ptrdiff_t>(end),
                        tokens.begin() + static_cast<ptrdiff_t>(std::min(end + 4, tokens.size())));
      }
      ASSERT_EQ(guess(lookup, tokens, 4), expected);
    }
  }
}

}  // namespace
}  // namespace ingle
