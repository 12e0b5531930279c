// Finds tokens by their text. A hash table over texts that its owner keeps; immutable, so any thread may look up.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/token.h"

namespace ingle {

// A 64-bit hash that whoever wrote the file cannot foresee: `seed` is drawn anew for every table.
uint64_t seeded_hash(uint64_t seed, std::string_view bytes);
uint64_t seeded_hash(uint64_t seed, uint64_t key);
uint64_t draw_hash_seed();

class TokenIndex {
 public:
  // `tokens` must outlive the index and not move. Empty texts are not entered; of equal texts the first is.
  explicit TokenIndex(std::span<const std::string> tokens);

  // kNoToken when no token has this text.
  TokenId find(std::string_view text) const;

  // The first token whose text an earlier one has already; kNoToken when all differ.
  TokenId duplicate() const { return duplicate_; }

  size_t longest_bytes() const { return longest_bytes_; }

 private:
  size_t slot(std::string_view text) const;  // where `text` is or would be

  struct Slot {
    uint32_t hash = 0;  // high bits, to tell most texts apart without reading them
    TokenId id = kNoToken;
  };
  std::span<const std::string> tokens_;
  std::vector<Slot> slots_;  // a power of two, at most half full
  uint64_t seed_ = 0;
  size_t longest_bytes_ = 0;
  TokenId duplicate_ = kNoToken;
};

}  // namespace ingle
