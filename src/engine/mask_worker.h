// Works out which tokens a constrained answer may go on with, on a thread of its own while the model computes the step:
// after what is sure of it, and after each of the guesses that are computed in the same step. Owned by the engine's
// loop; begin() from any thread, the rest from the loop's. A constraint that takes for ever costs its own answer an
// error and the others at most `patience` of waiting, once: its thread is left behind and another one goes on. No
// thread is started before the first constrained answer.
#pragma once

#include <chrono>
#include <memory>
#include <span>

#include "engine/constraint.h"

namespace ingle {

class MaskWorker {
 public:
  struct Job;  // one answer's constraint and the masks of its next tokens
  using Milliseconds = std::chrono::milliseconds;

  MaskWorker(uint32_t vocab, Milliseconds patience);
  ~MaskWorker();
  MaskWorker(const MaskWorker&) = delete;
  MaskWorker& operator=(const MaskWorker&) = delete;

  // A new answer: begins to work out its first mask.
  std::shared_ptr<Job> begin(std::unique_ptr<Constraint> constraint);
  // The answer goes on with `tokens`, and then perhaps with `guesses`, none of which ends it: begins to work out the
  // mask after the tokens, and one more after each guess as far as the constraint allows them. wait() came before, for
  // all but the last of the tokens to have been picked by.
  void advance(const std::shared_ptr<Job>& job, std::span<const TokenId> tokens, std::span<const TokenId> guesses);
  // The mask of the token that comes after so many guesses [mask_words(vocab)], valid until advance(). The constraint
  // allows these. Errors: the constraint's; kResourceExhausted if it took longer than the patience.
  Result<std::span<const uint32_t>> wait(const std::shared_ptr<Job>& job, uint32_t guesses = 0);

 private:
  struct Shared;
  void enqueue(const std::shared_ptr<Job>& job);

  const uint32_t vocab_;
  const Milliseconds patience_;
  const std::shared_ptr<Shared> shared_;  // with the threads
};

}  // namespace ingle
