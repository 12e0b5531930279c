#include "text/symbol_merger.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace ingle {
namespace {

using Merges = std::map<std::pair<TokenId, TokenId>, Merge>;

Merge find(const Merges& merges, TokenId left, TokenId right) {
  const auto it = merges.find({left, right});
  return it == merges.end() ? Merge{} : it->second;
}

// The definition: merge the leftmost pair of the lowest rank until there is none.
std::vector<TokenId> merge_by_definition(const Merges& merges, std::vector<TokenId> ids) {
  while (true) {
    size_t best = ids.size();
    Merge chosen;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const Merge merge = find(merges, ids[i], ids[i + 1]);
      if (merge.id == kNoToken || (best < ids.size() && merge.rank >= chosen.rank)) continue;
      best = i;
      chosen = merge;
    }
    if (best == ids.size()) return ids;
    ids[best] = chosen.id;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

// Random merges whose ids stand for different texts, as a vocabulary's do, some sharing a rank.
struct RandomMerges {
  Merges merges;
  uint32_t ranks = 0;

  explicit RandomMerges(std::mt19937& random) {
    std::vector<std::string> texts = {"a", "b", "c"};
    std::map<std::string, TokenId> ids = {{"a", 0}, {"b", 1}, {"c", 2}};
    const auto count = static_cast<uint32_t>(2 + random() % 24);
    ranks = count;
    for (uint32_t m = 0; m < count; ++m) {
      const size_t left = random() % texts.size();
      const size_t right = random() % texts.size();
      const std::string both = texts[left] + texts[right];
      const auto [it, is_new] = ids.emplace(both, static_cast<TokenId>(texts.size()));
      if (is_new) texts.push_back(both);
      const uint32_t rank = random() % 4 == 0 ? static_cast<uint32_t>(random() % count) : m;
      merges.emplace(std::pair<TokenId, TokenId>(left, right), Merge{rank, it->second});
    }
  }
};

// Short texts wait in a heap, long ones in buckets.
TEST(SymbolMerger, AsDefined) {
  std::mt19937 random(1);
  SymbolMerger merger;
  for (int round = 0; round < 400; ++round) {
    const RandomMerges table(random);
    const size_t length = round % 4 == 0 ? 500 + random() % 300 : random() % 40;
    std::vector<TokenId> ids;
    for (size_t i = 0; i < length; ++i) ids.push_back(static_cast<TokenId>(random() % 3));

    merger.clear();
    for (size_t i = 0; i < length; ++i) merger.add(static_cast<uint32_t>(i), 1, ids[i]);
    merger.merge(table.ranks, [&](const Symbol& l, const Symbol& r) { return find(table.merges, l.id, r.id); });
    std::vector<TokenId> merged;
    size_t end = 0;
    for (const Symbol& symbol : merger.symbols()) {
      if (symbol.size_bytes == 0) continue;
      EXPECT_EQ(symbol.begin, end);
      end += symbol.size_bytes;
      merged.push_back(symbol.id);
    }
    EXPECT_EQ(end, length);
    ASSERT_EQ(merged, merge_by_definition(table.merges, ids)) << "round " << round;
  }
}

}  // namespace
}  // namespace ingle
