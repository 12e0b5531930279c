// Works out which tokens a constrained answer may go on with, on a thread of its own while the model computes the step.
// Owned by the engine's loop; begin() from any thread, the rest from the loop's. A constraint that takes for ever costs
// its own answer an error and the others at most `patience` of waiting, once: its thread is left behind and another one
// goes on. No thread is started before the first constrained answer.
#pragma once

#include <chrono>
#include <memory>
#include <span>

#include "engine/constraint.h"

namespace ingle {

class MaskWorker {
 public:
  struct Job;  // one answer's constraint and the mask of its next token
  using Milliseconds = std::chrono::milliseconds;

  MaskWorker(uint32_t vocab, Milliseconds patience);
  ~MaskWorker();
  MaskWorker(const MaskWorker&) = delete;
  MaskWorker& operator=(const MaskWorker&) = delete;

  // A new answer: begins to work out its first mask.
  std::shared_ptr<Job> begin(std::unique_ptr<Constraint> constraint);
  // The answer goes on with this token: begins to work out the mask after it. wait() came before.
  void advance(const std::shared_ptr<Job>& job, TokenId token);
  // The mask of the next token [mask_words(vocab)], valid until advance(). Errors: the constraint's;
  // kResourceExhausted if it took longer than the patience.
  Result<std::span<const uint32_t>> wait(const std::shared_ptr<Job>& job);

 private:
  struct Shared;
  void enqueue(const std::shared_ptr<Job>& job);

  const uint32_t vocab_;
  const Milliseconds patience_;
  const std::shared_ptr<Shared> shared_;  // with the threads
};

}  // namespace ingle
