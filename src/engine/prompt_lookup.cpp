#include "engine/prompt_lookup.h"

#include <algorithm>

namespace ingle {
namespace {

using Ids = std::span<const TokenId>;

uint64_t hash(Ids tokens) {
  uint64_t state = 0;
  for (const TokenId token : tokens) {
    state = (state ^ static_cast<uint32_t>(token)) * 0x9e3779b97f4a7c15u;
    state ^= state >> 29;
  }
  return state;
}

}  // namespace

// The last kMatch tokens are left out: nothing has followed them yet.
void PromptLookup::learn(Ids tokens) {
  for (uint32_t end = std::max(learned_, kMatch); end < tokens.size(); end++) {
    after_[hash(tokens.subspan(end - kMatch, kMatch))] = end;
  }
  learned_ = static_cast<uint32_t>(tokens.size());
}

Ids PromptLookup::guess(Ids tokens, uint32_t most) {
  learn(tokens);
  if (tokens.size() <= kMatch || most == 0) return {};
  const Ids last = tokens.last(kMatch);
  const auto found = after_.find(hash(last));
  if (found == after_.end()) return {};
  const uint32_t from = found->second;
  if (!std::ranges::equal(tokens.subspan(from - kMatch, kMatch), last)) return {};  // others with the same hash
  return tokens.subspan(from, std::min<size_t>(most, tokens.size() - from));
}

}  // namespace ingle
