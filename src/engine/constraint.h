// What an answer may be, token by token. A request brings one; the engine follows each answer with a clone of it, which
// is called from one thread at a time, not always the same, beside the engine's loop (mask_worker.h).
// What is allowed is a function of the constraint and the tokens accepted so far alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "text/token.h"

namespace ingle {

// 32-bit words that hold one bit for each token: bit id % 32 of word id / 32.
constexpr uint32_t mask_words(uint32_t vocab) { return (vocab + 31) / 32; }
inline bool mask_has(std::span<const uint32_t> mask, TokenId id) {
  return (mask[static_cast<uint32_t>(id) / 32] >> (static_cast<uint32_t>(id) % 32) & 1) != 0;
}

class Constraint {
 public:
  virtual ~Constraint() = default;
  // Another in the same state. Of any thread.
  virtual std::unique_ptr<Constraint> clone() const = 0;
  // Moves on by a token that may come next. Errors end the answer.
  virtual Status accept(TokenId token) = 0;
  // Takes the last `tokens` that were accepted back.
  virtual Status rollback(uint32_t tokens) = 0;
  // Sets `mask` [mask_words(vocab)] to the tokens that may come next. Those that end a generation are among them where
  // the answer may end, and are alone where it has to. Errors end the answer.
  virtual Status allowed(std::span<uint32_t> mask) = 0;
};

}  // namespace ingle
