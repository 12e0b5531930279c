// Works out which tokens a constrained answer may go on with, on a thread of its own while the model computes the step:
// after what is sure of it, and after each of the guesses that are computed in the same step. Owned by the engine's
// loop; begin() from any thread, the rest from the loop's. A constraint that takes for ever costs its own answer alone
// an error: its thread is left behind and another one goes on. Those that took long last time, and those of which
// nobody knows yet, have never all threads. No thread is started before the first constrained answer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "engine/constraint.h"

namespace ingle {

class MaskWorker {
 public:
  struct Job;                              // one answer's constraint and the masks of its next tokens
  using Mask = std::span<const uint32_t>;  // [mask_words(vocab)]
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;

  // `on_mask` is called on the threads whenever a mask or an error is there, but not once the destructor has begun.
  MaskWorker(uint32_t vocab, Milliseconds patience, std::function<void()> on_mask = {});
  ~MaskWorker();
  MaskWorker(const MaskWorker&) = delete;
  MaskWorker& operator=(const MaskWorker&) = delete;

  // A new answer: begins to work out its first mask.
  std::shared_ptr<Job> begin(std::unique_ptr<Constraint> constraint);
  // The answer goes on with `tokens`, and then perhaps with `guesses`, none of which ends it: begins to work out the
  // mask after the tokens, and one more after each guess as far as the constraint allows them. wait() came before, for
  // all but the last of the tokens to have been picked by.
  void advance(const std::shared_ptr<Job>& job, std::span<const TokenId> tokens, std::span<const TokenId> guesses);
  // The mask of the token that comes after so many guesses, valid until advance(); nothing if it isn't there by
  // `until`. The constraint allows the guesses. Errors: the constraint's; kInvalidArgument if it takes longer than the
  // patience since it was asked for first and begun; kResourceExhausted if others keep it from being begun, or from
  // computing, for as long.
  std::optional<Result<Mask>> wait(const std::shared_ptr<Job>& job, uint32_t guesses, Clock::time_point until);
  // No more masks are wanted of the job.
  void end(const std::shared_ptr<Job>& job);

 private:
  struct Shared;
  void help(Job& job);

  const uint32_t vocab_;
  const Milliseconds patience_;
  const std::shared_ptr<Shared> shared_;  // with the threads
};

}  // namespace ingle
