// Guesses how a sequence goes on: with what followed the last time that the same few tokens came, in its prompt or its
// answer (Saxena, "Prompt Lookup Decoding", 2023). Quotations, code that is edited and lists repeat themselves. One for
// each sequence, loop thread only. A guess is computed beside the token that is sure and kept if it is what is picked
// then, so that it changes no bit of an answer.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "text/token.h"

namespace ingle {

class PromptLookup {
 public:
  static constexpr uint32_t kMatch = 3;  // tokens that must be the same

  // At most `most` tokens that may follow `tokens`, all of the sequence: those of the last call and more behind them.
  // A part of `tokens`.
  std::span<const TokenId> guess(std::span<const TokenId> tokens, uint32_t most);

 private:
  void learn(std::span<const TokenId> tokens);

  std::unordered_map<uint64_t, uint32_t> after_;  // hash of kMatch tokens -> where what followed them last begins
  uint32_t learned_ = 0;                          // tokens [0, learned_) have been looked at
};

}  // namespace ingle
