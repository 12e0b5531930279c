// The prefix cache with windowed groups, and the page tables over it.
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "kv/kv_memory.h"
#include "kv/window.h"

namespace ingle {
namespace {

using Tokens = std::vector<int32_t>;

TEST(Window, FirstVisiblePage) {
  EXPECT_EQ(first_visible_page(0, 1000000), 0u);
  for (const uint32_t window : {1u, 2u, 31u, 32u, 33u, 64u, 100u, 512u}) {
    for (uint32_t position = 0; position < 1500; position++) {
      uint32_t page = 0;
      while (page * kPageTokens + kPageTokens - 1 + uint64_t{window} <= position) page++;  // its last key is not seen
      ASSERT_EQ(first_visible_page(window, position), page) << window << " " << position;
    }
  }
  EXPECT_EQ(first_visible_page(UINT32_MAX, 1 << 24), 0u);
}

TEST(Window, RestingPagesAreTheMostThatAreKept) {
  for (const uint32_t window : {1u, 2u, 31u, 32u, 33u, 64u, 65u, 100u, 512u}) {
    uint32_t most = 0;
    for (uint32_t tokens = 1; tokens < 3000; tokens++) {
      ASSERT_LE(first_kept_page(window, tokens), first_visible_page(window, tokens));
      most = std::max(most, tokens / kPageTokens + 1 - first_kept_page(window, tokens));
    }
    EXPECT_EQ(most, resting_pages(window)) << window;
  }
  EXPECT_GT(resting_pages(UINT32_MAX), 1u << 27);
}

TEST(Window, KeptEvery) {
  EXPECT_EQ(kept_every(0), 0u);
  EXPECT_EQ(kept_every(1), 32u);
  EXPECT_EQ(kept_every(512), 4096u);
  EXPECT_EQ(kept_every(UINT32_MAX) % kPageTokens, 0u);
}

Tokens range(size_t count, int32_t first = 0) {
  Tokens tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

// One sequence that is computed in steps.
struct Holder {
  KvMemory& memory;
  Tokens tokens;
  KvMemory::Tables tables = {};
  uint32_t computed = 0;

  uint32_t begin() { return computed = memory.begin(std::span(tokens).first(tokens.size() - 1), tables); }
  void compute(uint32_t end, uint32_t step) {
    while (computed < end) {
      const uint32_t next = std::min(computed + step, end);
      ASSERT_TRUE(memory.cover(tables, next, next));
      computed = next;
      memory.move_on(tables, computed);
    }
  }
  void finish() {
    memory.remember_all(std::span(tokens).first(computed), tables);
    memory.release(tables);
  }
};

constexpr WindowPool kWindow64[] = {{.window = 64, .pages = 8}};

TEST(KvMemory, AWindowHoldsItsPagesAlone) {
  KvMemory memory(100, kWindow64);
  for (const uint32_t step : {1u, 7u, 32u, 100u}) {
    Holder run{memory, range(3000)};
    run.begin();
    while (run.computed < 2500) {
      run.compute(run.computed + step, step);
      ASSERT_LE(memory.pool(1).size() - memory.pool(1).free(), resting_pages(64));
    }
    EXPECT_EQ(memory.pool(0).free(), 100 - pages_for(run.computed));
    memory.release(run.tables);
    EXPECT_EQ(memory.pool(0).free(), 100u);
    EXPECT_EQ(memory.pool(1).free(), 8u);
  }
}

TEST(KvMemory, APrefixHitsWhereItsWindowRemains) {
  KvMemory memory(100, kWindow64);
  Holder run{memory, range(1000)};
  run.begin();
  run.compute(800, 50);
  run.finish();
  // The whole of it, and its repetition without the last token; nothing in between is left.
  EXPECT_EQ(memory.peek(range(1000)).pages, 25u);
  EXPECT_EQ(memory.peek(range(799)).pages, 24u);
  EXPECT_EQ(memory.peek(range(767)).pages, 0u);
  EXPECT_EQ(memory.peek(range(767)).known, 23u);

  Holder hit{memory, range(1000)};
  EXPECT_EQ(hit.begin(), 800u);
  EXPECT_EQ(hit.tables[1].first, first_visible_page(64, 800));
  EXPECT_EQ(hit.tables[1].pages.size(), 25u);
  hit.compute(900, 30);
  EXPECT_EQ(memory.peek(range(1000)).pages, 25u) << "the window that is left behind stays in the cache";
  memory.release(hit.tables);
}

TEST(KvMemory, PressureTakesTheLeastRecentlyUsedWindow) {
  KvMemory memory(1000, kWindow64);  // 8 pages: two windows and their pages for the repetition
  Holder first{memory, range(200)}, second{memory, range(200, 5000)};
  for (Holder* run : {&first, &second}) {
    run->begin();
    run->compute(192, 32);
    run->finish();
  }
  EXPECT_EQ(memory.peek(range(200)).pages, 6u);
  Holder hit{memory, range(200)};
  EXPECT_EQ(hit.begin(), 192u);
  memory.release(hit.tables);  // now the second one is the older
  Holder third{memory, range(200, 9000)};
  third.begin();
  third.compute(160, 160);  // three pages more than are free
  EXPECT_EQ(memory.peek(range(200)).pages, 6u);
  EXPECT_EQ(memory.peek(range(200, 5000)).pages, 0u);
  EXPECT_EQ(memory.peek(range(200, 5000)).known, 6u);
  memory.release(third.tables);
}

TEST(KvMemory, StretchGivesWhatThereIs) {
  KvMemory memory(100, kWindow64);
  Holder run{memory, range(2000)};
  run.begin();
  ASSERT_TRUE(memory.cover(run.tables, 2000, 1));
  EXPECT_EQ(memory.stretch(run.tables, 100), 100u);
  EXPECT_EQ(memory.stretch(run.tables, 2000), 8 * kPageTokens);
  EXPECT_EQ(memory.pool(1).free(), 0u);
  memory.release(run.tables);
}

TEST(KvMemory, EvictingALeafTakesItsWindowPagesAlong) {
  KvMemory memory(7, kWindow64);
  Holder first{memory, range(200)};
  first.begin();
  first.compute(200, 20);
  first.finish();
  EXPECT_EQ(memory.cache().size(), 7u) << "the last is not whole";
  Holder second{memory, range(200, 5000)};
  second.begin();
  second.compute(200, 20);
  EXPECT_EQ(memory.cache().size(), 0u);
  memory.release(second.tables);
  EXPECT_EQ(memory.pool(1).free(), 8u);
}

TEST(KvMemory, APartOfAPageIsCopiedInEveryGroup) {
  KvMemory memory(100, kWindow64);
  Holder run{memory, range(1000)};
  run.begin();
  run.compute(810, 50);
  const std::vector<PageId> last = {run.tables[0].pages[25], run.tables[1].pages[25]};
  run.finish();
  Holder hit{memory, range(1000)};
  EXPECT_EQ(hit.begin(), 810u);
  const std::vector<PageCopy>& copies = memory.copies();
  ASSERT_EQ(copies.size(), 2u);
  for (uint32_t g = 0; g < 2; g++) {
    EXPECT_EQ(copies[g].group, g);
    EXPECT_EQ(copies[g].from, last[g]);
    EXPECT_EQ(copies[g].to, hit.tables[g].pages[25]);
    EXPECT_EQ(memory.pool(g).references(copies[g].to), 1u);
  }
  memory.copies_made();
  EXPECT_TRUE(copies.empty());
  memory.release(hit.tables);
}

TEST(KvMemory, APartIsCopiedOnlyWhereThereIsAPageForIt) {
  KvMemory memory(2, {});
  Holder run{memory, range(60)};
  run.begin();
  run.compute(60, 50);
  run.finish();
  Holder hit{memory, range(64)}, other{memory, range(64)};
  EXPECT_EQ(hit.begin(), 60u) << "the page itself is had by evicting it";
  EXPECT_TRUE(memory.copies().empty());
  EXPECT_EQ(other.begin(), 32u);
  memory.release(hit.tables);
  memory.release(other.tables);
}

// Random runs over few distinct tokens, two windows and scarce pages, against a list of who wrote which page: whatever
// a table shows was written by the same prefix, no page is lost, and what is idle can be had.
TEST(KvMemory, EveryPageHoldsTheTokensItIsHeldFor) {
  constexpr WindowPool kWindows[] = {{.window = 40, .pages = 11}, {.window = 100, .pages = 17}};
  for (uint32_t seed = 0; seed < 20; seed++) {
    std::minstd_rand random(seed + 1);
    KvMemory memory(30, kWindows);
    std::vector<std::map<PageId, Tokens>> written(3);  // the prefix that ends in the page
    std::vector<std::unique_ptr<Holder>> runs;
    uint32_t deep_hits = 0, partings = 0, copied = 0;
    const auto copy = [&] {
      for (const PageCopy& c : memory.copies()) written[c.group][c.to] = written[c.group].at(c.from);
      memory.copies_made();
    };
    const auto check = [&](const Holder& run) {
      copy();
      for (uint32_t g = 0; g < 3; g++) {
        const PageTable& table = run.tables[g];
        const uint32_t window = g == 0 ? 0 : kWindows[g - 1].window;
        ASSERT_LE(table.first, first_visible_page(window, run.computed));
        for (uint32_t j = table.first; j < pages_for(run.computed); j++) {
          const Tokens wanted(run.tokens.begin(), run.tokens.begin() + std::min((j + 1) * kPageTokens, run.computed));
          Tokens found = written[g].at(table.pages[j]);
          ASSERT_GE(found.size(), wanted.size());
          found.resize(wanted.size());  // a copy may hold more
          ASSERT_EQ(found, wanted);
        }
      }
    };
    for (int round = 0; round < 3000; round++) {
      const auto action = static_cast<uint32_t>(random() % 10);
      if (runs.empty() || (action == 0 && runs.size() < 4)) {
        Tokens tokens(33 + random() % 500, 7);
        for (size_t j = 0; j < tokens.size(); j += 96) tokens[j] = static_cast<int32_t>(random() % 5 == 0);
        runs.push_back(std::make_unique<Holder>(Holder{memory, std::move(tokens)}));
        const PrefixCache::Peek known =
            memory.peek(std::span(runs.back()->tokens).first(runs.back()->tokens.size() - 1));
        EXPECT_EQ(runs.back()->begin() / kPageTokens, known.pages);
        deep_hits += known.pages >= 6;
        partings += known.pages < known.known;
        copied += runs.back()->computed % kPageTokens > 0;
        continue;
      }
      const size_t i = random() % runs.size();
      Holder& run = *runs[i];
      const auto length = static_cast<uint32_t>(run.tokens.size());
      const uint32_t next = std::min(run.computed + 1 + static_cast<uint32_t>(random() % 60), length);
      if (action == 1 || next == run.computed || !memory.cover(run.tables, next, next)) {
        if (action < 8 && run.computed > 0) memory.remember_all(std::span(run.tokens).first(run.computed), run.tables);
        check(run);
        memory.release(run.tables);
        runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(i));
        continue;
      }
      copy();
      for (uint32_t g = 0; g < 3; g++) {
        for (uint32_t j = run.computed / kPageTokens; j < pages_for(next); j++) {
          ASSERT_EQ(memory.pool(g).references(run.tables[g].pages[j]), 1u) << "written while others hold it";
          written[g][run.tables[g].pages[j]] =
              Tokens(run.tokens.begin(), run.tokens.begin() + std::min((j + 1) * kPageTokens, next));
        }
      }
      run.computed = next;
      if (random() % 8 == 0) memory.remember(std::span(run.tokens).first(next), run.tables);
      memory.move_on(run.tables, next);
      check(run);
    }
    for (const auto& run : runs) memory.release(run->tables);
    for (uint32_t g = 0; g < 3; g++) {
      EXPECT_EQ(memory.pool(g).free() + memory.pool(g).idle(), memory.pool(g).size());
      KvMemory::Tables all(3);
      PageTable& table = all[g];
      EXPECT_TRUE(g == 0 ? memory.cover(all, 30 * kPageTokens, 0) : memory.cover(all, 0, 11 * kPageTokens));
      EXPECT_GE(table.pages.size(), 11u);
      memory.release(all);
    }
    EXPECT_GT(deep_hits, 10u);
    EXPECT_GT(partings, 10u);
    EXPECT_GT(copied, 10u);
  }
}

}  // namespace
}  // namespace ingle
