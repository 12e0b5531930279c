#include "kv/prefix_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>
#include <set>
#include <vector>

namespace ingle {
namespace {

using Tokens = std::vector<int32_t>;

Tokens range(int32_t first, size_t count) {
  Tokens tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

std::vector<PageId> acquire(PagePool& pool, size_t count) {
  std::vector<PageId> pages;
  for (size_t i = 0; i < count; i++) pages.push_back(pool.acquire().value());
  return pages;
}

void release(PagePool& pool, const std::vector<PageId>& pages) {
  for (const PageId page : pages) pool.release(page);
}

// A cache without windowed groups.
class FullCache {
 public:
  explicit FullCache(PagePool& pool) : pool_(pool), cache_({&pool, 1}, kWindows) {}
  std::vector<PageId> match(const Tokens& tokens) {
    PageTable table;
    const PrefixCache::Hit hit = cache_.match(tokens, {&table, 1});
    EXPECT_EQ(hit.pages, table.pages.size());
    return table.pages;
  }
  // What there is beyond the whole pages, which are given back.
  std::pair<uint32_t, std::vector<PageId>> match_rest(const Tokens& tokens) {
    PageTable table;
    const PrefixCache::Hit hit = cache_.match(tokens, {&table, 1});
    for (const PageId page : table.pages) pool_.release(page);
    return {hit.tokens, hit.to_copy};
  }
  void insert(const Tokens& tokens, std::vector<PageId>& pages) {
    PageTable table{.pages = pages, .first = 0};
    cache_.insert(tokens, {&table, 1});
    pages = table.pages;
  }
  // As a sequence does that ends.
  void leave(const Tokens& tokens, std::vector<PageId> pages) {
    PageTable table{.pages = std::move(pages), .first = 0};
    cache_.insert_all(tokens, {&table, 1});
    for (const PageId page : table.pages) pool_.release(page);
  }
  PrefixCache::Peek peek(const Tokens& tokens) const { return cache_.peek(tokens); }
  bool evict_one() { return cache_.evict_one(0); }
  uint32_t size() const { return cache_.size(); }

 private:
  static constexpr uint32_t kWindows[] = {0};
  PagePool& pool_;
  PrefixCache cache_;
};

TEST(PagePool, HandsOutTheLowestFreePage) {
  PagePool pool(5);
  EXPECT_EQ(acquire(pool, 5), (std::vector<PageId>{0, 1, 2, 3, 4}));
  EXPECT_EQ(pool.acquire(), std::nullopt);
  release(pool, {3, 1, 4});
  EXPECT_EQ(pool.free(), 3u);
  EXPECT_EQ(acquire(pool, 3), (std::vector<PageId>{1, 3, 4}));
}

TEST(PagePool, IsFreeWhenTheLastHolderLetsGo) {
  PagePool pool(1);
  const PageId page = pool.acquire().value();
  pool.share(page);
  pool.release(page);
  EXPECT_EQ(pool.free(), 0u);
  EXPECT_EQ(pool.references(page), 1u);
  pool.release(page);
  EXPECT_EQ(pool.free(), 1u);
}

TEST(PagePoolDeathTest, RefusesToReleaseAFreePage) {
  PagePool pool(2);
  EXPECT_DEATH(pool.release(0), "references > 0");
  EXPECT_DEATH(pool.share(0), "references > 0");
}

TEST(PrefixCache, FindsWholePagesOfTheLongestKnownPrefix) {
  PagePool pool(8);
  FullCache cache(pool);
  std::vector<PageId> pages = acquire(pool, 4);
  const Tokens tokens = range(0, 3 * kPageTokens + 5);
  cache.insert(tokens, pages);
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_EQ(pool.references(pages[2]), 2u);
  EXPECT_EQ(pool.references(pages[3]), 1u) << "a page that is not whole is not kept";

  EXPECT_EQ(cache.match(tokens), (std::vector<PageId>{0, 1, 2}));
  EXPECT_EQ(pool.references(pages[2]), 3u);
  EXPECT_EQ(cache.match(range(0, 2 * kPageTokens - 1)), (std::vector<PageId>{0}));
  EXPECT_TRUE(cache.match(range(0, kPageTokens - 1)).empty());
  EXPECT_TRUE(cache.match(range(1, 3 * kPageTokens)).empty());
  Tokens other = tokens;
  other[kPageTokens + 31]++;
  EXPECT_EQ(cache.match(other), (std::vector<PageId>{0}));
}

TEST(PrefixCache, FindsNothingThatAnotherOwnerLeft) {
  constexpr uint32_t kWindows[] = {0};
  PagePool pool(8);
  PrefixCache cache({&pool, 1}, kWindows);
  const Tokens tokens = range(0, 2 * kPageTokens);
  PageTable ones{.pages = acquire(pool, 2), .first = 0}, twos{.pages = acquire(pool, 2), .first = 0};
  cache.insert(tokens, {&ones, 1}, 1);
  EXPECT_EQ(cache.peek(tokens, 1).pages, 2u);
  EXPECT_EQ(cache.peek(tokens, 2).known, 0u);
  PageTable found;
  EXPECT_EQ(cache.match(tokens, {&found, 1}).pages, 0u) << "owner 0 is one as well";
  cache.insert(tokens, {&twos, 1}, 2);
  EXPECT_EQ(twos.pages, (std::vector<PageId>{2, 3})) << "equal contents, and yet pages of their own";
  EXPECT_EQ(cache.match(tokens, {&found, 1}, 2).pages, 2u);
  EXPECT_EQ(found.pages, twos.pages);
  for (const PageTable& table : {ones, twos, found}) release(pool, table.pages);
  while (cache.evict_one(0)) {
  }
  EXPECT_EQ(pool.free(), 8u);
}

using Rest = std::pair<uint32_t, std::vector<PageId>>;

TEST(PrefixCache, FindsThePageThatBeginsWithMostOfTheRest) {
  PagePool pool(8);
  FullCache cache(pool);
  Tokens a = range(0, 2 * kPageTokens), b = a, c = a;
  b[kPageTokens + 20] = 1000;
  c[kPageTokens + 3] = 1000;
  for (const Tokens& tokens : {a, b, c}) {
    std::vector<PageId> pages = acquire(pool, 2);
    cache.insert(tokens, pages);
    release(pool, pages);
  }
  Tokens wanted = range(0, 3 * kPageTokens);
  wanted[kPageTokens + 25] = -5;
  EXPECT_EQ(cache.match_rest(wanted), (Rest{25, {1}}));
  wanted[kPageTokens + 20] = 1000;
  EXPECT_EQ(cache.match_rest(wanted), (Rest{25, {3}}));
  wanted[kPageTokens + 20] = 500;  // between a's and b's
  EXPECT_EQ(cache.match_rest(wanted).first, 20u);
  wanted[kPageTokens + 3] = 2000;
  EXPECT_EQ(cache.match_rest(wanted).first, 3u);
  wanted[kPageTokens] = -1;
  EXPECT_EQ(cache.match_rest(wanted), (Rest{0, {}}));
  EXPECT_EQ(cache.match_rest(range(0, kPageTokens + 7)), (Rest{7, {1}})) << "a prompt that ends in the page";
  EXPECT_EQ(cache.match_rest(range(0, 2 * kPageTokens)), (Rest{0, {}})) << "nothing follows";
  EXPECT_EQ(cache.match_rest(range(0, 5)), (Rest{5, {0}})) << "of the first page";
}

TEST(PrefixCache, KeepsTheLastPageOfOneThatEndsUntilAnotherHasMoreOfIt) {
  PagePool pool(8);
  FullCache cache(pool);
  const Tokens first = range(0, kPageTokens + 10);
  cache.leave(first, acquire(pool, 2));
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.peek(range(0, 3 * kPageTokens)).known, 1u) << "it is no whole page";
  EXPECT_EQ(cache.match_rest(range(0, 3 * kPageTokens)), (Rest{10, {1}}));
  EXPECT_EQ(pool.free(), 6u);

  cache.leave(range(0, kPageTokens + 8), acquire(pool, 2));
  EXPECT_EQ(cache.size(), 2u) << "all of it is known";
  cache.leave(range(0, kPageTokens + 12), acquire(pool, 2));
  EXPECT_EQ(cache.size(), 2u) << "the longer one takes its place";
  EXPECT_EQ(cache.match_rest(range(0, 3 * kPageTokens)).first, 12u);
  std::vector<PageId> pages = acquire(pool, 2);
  cache.insert(range(0, 2 * kPageTokens), pages);
  release(pool, pages);
  EXPECT_EQ(cache.size(), 2u) << "so does the whole one";
  EXPECT_EQ(pool.free() + pool.idle(), 8u);
  while (cache.evict_one()) {
  }
  EXPECT_EQ(pool.free(), 8u);
}

TEST(PrefixCache, ThePartsOfPagesAreTheirOwnersToo) {
  constexpr uint32_t kWindows[] = {0};
  PagePool pool(8);
  PrefixCache cache({&pool, 1}, kWindows);
  PageTable table{.pages = acquire(pool, 2), .first = 0}, found;
  cache.insert_all(range(0, kPageTokens + 10), {&table, 1}, 1);
  EXPECT_EQ(cache.match(range(0, 20), {&found, 1}, 1).tokens, 20u);
  EXPECT_EQ(cache.match(range(0, 20), {&found, 1}, 2).tokens, 0u);
  EXPECT_EQ(cache.match(range(0, 20), {&found, 1}).tokens, 0u);
}

TEST(PrefixCache, TheSameTokensAfterAnotherPrefixAreAnotherPage) {
  PagePool pool(8);
  FullCache cache(pool);
  Tokens a = range(0, kPageTokens), b = range(100, kPageTokens);
  const Tokens tail = range(200, kPageTokens);
  a.insert(a.end(), tail.begin(), tail.end());
  b.insert(b.end(), tail.begin(), tail.end());
  std::vector<PageId> pages_a = acquire(pool, 2), pages_b = acquire(pool, 2);
  cache.insert(a, pages_a);
  cache.insert(b, pages_b);
  EXPECT_EQ(cache.match(a), pages_a);
  EXPECT_EQ(cache.match(b), pages_b);
}

TEST(PrefixCache, MovesAnotherHolderOfTheSamePrefixToTheKnownPages) {
  PagePool pool(8);
  FullCache cache(pool);
  const Tokens tokens = range(0, 2 * kPageTokens);
  std::vector<PageId> first = acquire(pool, 2), second = acquire(pool, 3);
  cache.insert(tokens, first);
  cache.insert(tokens, second);
  EXPECT_EQ(second, (std::vector<PageId>{0, 1, 4}));
  EXPECT_EQ(pool.references(0), 3u);
  EXPECT_EQ(pool.free(), 5u);
}

TEST(PrefixCache, EvictsTheLeastRecentlyUsedLeafThatNobodyHolds) {
  PagePool pool(8);
  FullCache cache(pool);
  const Tokens a = range(0, 2 * kPageTokens), b = range(500, kPageTokens), c = range(900, kPageTokens);
  std::vector<PageId> pages_a = acquire(pool, 2), pages_b = acquire(pool, 1), pages_c = acquire(pool, 1);
  cache.insert(a, pages_a);
  cache.insert(b, pages_b);
  cache.insert(c, pages_c);
  EXPECT_FALSE(cache.evict_one()) << "all pages are still held";
  release(pool, pages_a);
  release(pool, pages_b);
  EXPECT_EQ(pool.idle(), 3u);
  release(pool, cache.match(a));  // now b is the oldest
  EXPECT_TRUE(cache.evict_one());
  EXPECT_TRUE(cache.match(b).empty());
  EXPECT_TRUE(cache.evict_one());
  EXPECT_EQ(cache.peek(a).pages, 1u) << "the leaf goes before its parent";
  EXPECT_EQ(cache.peek(a).idle, 1u);
  EXPECT_TRUE(cache.evict_one());
  EXPECT_FALSE(cache.evict_one()) << "c is held";
  EXPECT_EQ(cache.match(c), pages_c);
  EXPECT_EQ(pool.free(), 7u);
}

// Against a plain map from prefixes to pages: random insertions, matches and evictions over few distinct tokens.
TEST(PrefixCache, AgreesWithAMapOfPrefixes) {
  std::minstd_rand random(7);
  constexpr uint32_t kPages = 40;
  PagePool pool(kPages);
  FullCache cache(pool);
  std::map<Tokens, PageId> known;  // prefix of whole pages -> page of its last part
  std::vector<std::vector<PageId>> held;
  for (int round = 0; round < 20000; round++) {
    const auto length = static_cast<uint32_t>(random() % 5);
    Tokens tokens;
    for (uint32_t j = 0; j < length; j++) {
      const auto kind = static_cast<int32_t>(random() % 2);
      for (uint32_t t = 0; t < kPageTokens; t++) tokens.push_back(t == 17 ? kind : 3);
    }
    tokens.resize(tokens.size() + random() % kPageTokens, 9);
    const auto action = static_cast<uint32_t>(random() % 8);
    if (action == 0) {
      const uint32_t idle = pool.idle(), free = pool.free();
      const bool done = cache.evict_one();
      EXPECT_EQ(done, idle > 0);
      EXPECT_EQ(pool.free(), free + done);
      std::erase_if(known, [&](const auto& entry) { return pool.references(entry.second) == 0; });
    } else if (action <= 3 && !held.empty()) {
      const size_t i = random() % held.size();
      release(pool, held[i]);
      held.erase(held.begin() + i);
    } else {
      std::vector<PageId> pages = cache.match(tokens);
      std::vector<PageId> expected;
      for (uint32_t j = 1; j <= length; j++) {
        const auto found = known.find(Tokens(tokens.begin(), tokens.begin() + j * kPageTokens));
        if (found == known.end()) break;
        expected.push_back(found->second);
      }
      ASSERT_EQ(pages, expected);
      if (pool.free() + pages.size() < length) {
        release(pool, pages);
        continue;
      }
      while (pages.size() < length) pages.push_back(pool.acquire().value());
      cache.insert(tokens, pages);
      for (uint32_t j = 1; j <= length; j++) {
        known.emplace(Tokens(tokens.begin(), tokens.begin() + j * kPageTokens), pages[j - 1]);
      }
      held.push_back(pages);
    }
    ASSERT_EQ(cache.size(), known.size());
    std::vector<uint32_t> references(kPages);
    for (const auto& [prefix, page] : known) references[page]++;
    for (const auto& pages : held) {
      for (const PageId page : pages) references[page]++;
    }
    uint32_t free = 0, idle = 0;
    for (PageId page = 0; page < kPages; page++) {
      ASSERT_EQ(pool.references(page), references[page]);
      free += references[page] == 0;
      idle += references[page] == 1 && pool.cached(page);
    }
    ASSERT_EQ(pool.free(), free);
    ASSERT_EQ(pool.idle(), idle);
  }
}

}  // namespace
}  // namespace ingle
