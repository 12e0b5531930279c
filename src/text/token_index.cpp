#include "text/token_index.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

namespace ingle {
namespace {

// Both halves of a 128-bit product, folded.
uint64_t fold(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

constexpr uint64_t kOdd = 0x9E3779B97F4A7C15u;

}  // namespace

uint64_t draw_hash_seed() {
  std::random_device device;
  return static_cast<uint64_t>(device()) << 32 | device();
}

uint64_t seeded_hash(uint64_t seed, uint64_t key) { return fold(key ^ seed, kOdd ^ std::rotl(seed, 32)); }

uint64_t seeded_hash(uint64_t seed, std::string_view bytes) {
  uint64_t hash = seeded_hash(seed, bytes.size());
  while (bytes.size() >= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof(word));
    hash = seeded_hash(hash, word);
    bytes.remove_prefix(sizeof(word));
  }
  uint64_t rest = 0;
  std::memcpy(&rest, bytes.data(), bytes.size());
  return seeded_hash(hash, rest);
}

TokenIndex::TokenIndex(std::span<const std::string> tokens)
    : tokens_(tokens), slots_(std::bit_ceil(2 * tokens.size() + 2)), seed_(draw_hash_seed()) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty()) continue;
    longest_bytes_ = std::max(longest_bytes_, tokens[i].size());
    Slot& entry = slots_[slot(tokens[i])];
    if (entry.id == kNoToken) {
      entry = {static_cast<uint32_t>(seeded_hash(seed_, tokens[i]) >> 32), static_cast<TokenId>(i)};
    } else if (duplicate_ == kNoToken) {
      duplicate_ = static_cast<TokenId>(i);
    }
  }
}

size_t TokenIndex::slot(std::string_view text) const {
  const uint64_t hash = seeded_hash(seed_, text);
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& entry = slots_[at];
    if (entry.id == kNoToken) return at;
    if (entry.hash == hash >> 32 && tokens_[static_cast<size_t>(entry.id)] == text) return at;
  }
}

TokenId TokenIndex::find(std::string_view text) const {
  if (text.empty() || text.size() > longest_bytes_) return kNoToken;
  return slots_[slot(text)].id;
}

}  // namespace ingle
