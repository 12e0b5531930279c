// Who computes what in the next step. Touches no tensor. Owned by the engine, loop thread only.
// A step holds the next token of every decoding sequence and up to prefill_chunk tokens of the prompts, in turn, fewer
// where the pacer says so. A sequence gets the pages of all its known tokens when it is admitted and one more whenever
// it outgrows them, but in layers with a sliding window only those that the next step needs; when there are none left,
// the last in order goes back to waiting and is computed again later: the answer's bits don't change. The order is that
// of priority, then the owner who has had least lately (fair_share.h), then arrival; it decides who is admitted and who
// is preempted. Prompts that are computed take turns between owners of equal priority; of an owner's the one with the
// least left goes first, but for every fourth slice. Always: who is overdue (sequence.h) goes before all others, in
// order of arrival, so that all of them finish.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "engine/prompt_cost.h"
#include "engine/sequence.h"
#include "engine/step_pacer.h"
#include "kv/kv_memory.h"

namespace ingle {

inline constexpr uint32_t kMaxGuesses = 3;  // of all sequences together
// Prompts that come while no answer runs are computed in whole steps even when the first of them have their answers,
// since all are answered sooner if these wait for the others a little. Bounds what that may delay an answer: by one
// prompt, and by all together. What costs more doesn't belong to a burst.
inline constexpr double kBurstPrompt = 256, kBurst = 4096;

struct SchedulerOptions {
  uint32_t pages = 0;                    // of group 0's pool; a sequence may grow to all of them
  std::vector<WindowPool> windows = {};  // of groups 1, 2, ...
  uint32_t prefill_chunk = 512;          // prompt tokens per step at most
  uint32_t max_sequences = 32;           // running at once; also how many decode tokens a step has at most
  bool prefix_cache = true;
  PromptCost prompt_cost = {};
  // Of an encoder: a prompt is computed in one step. prefill_chunk has room for the longest.
  bool whole_prompts = false;

  // Most tokens a step may have.
  uint32_t max_batch_tokens() const { return prefill_chunk + max_sequences + kMaxGuesses; }
};

// One row of logits, or of hidden states, of a step.
struct OutputRow {
  Sequence* sequence = nullptr;
  uint32_t position = 0;
  bool deliver = false;  // the request asked for the logits of this prompt position
  bool sample = false;   // the last known token or a guess: what follows it is picked from this row
};

struct Step {
  Batch batch;
  std::vector<Sequence*> sequences;  // of batch.sequences
  std::vector<OutputRow> rows;       // of batch.output_rows
  std::vector<OutputRow> hidden;     // of batch.hidden_rows: what pooling takes
  uint32_t decoding = 0;             // tokens of sequences that decode; the others are of prompts
  double prompt_cost = 0;            // of the others
  uint32_t picking = 0;              // sequences without a token in the step, since their next one isn't picked yet

  uint32_t answers() const { return decoding + picking; }
};

class Scheduler {
 public:
  explicit Scheduler(const SchedulerOptions& options);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // The sequence waits from now on; it must have tokens, fit the pool and stay where it is until it is removed.
  void add(Sequence* sequence);
  // Ends a sequence, waiting or running, between steps. Its pages are free, but for what the prefix cache keeps.
  void remove(Sequence* sequence);

  // The decoding sequence's next token and those after it may be these, at most kMaxGuesses for all sequences of a
  // step. The next step computes them too, as far as they fit the pages that the sequence has.
  void guess(Sequence* sequence, std::span<const TokenId> tokens);
  // The next step; its batch has no tokens if there is nothing to do. Valid until commit().
  const Step& next(const StepPacer& pacer = StepPacer());
  // The step's keys and values are in the pages.
  void commit();
  // After commit(): the token picked from the sequence's next row. A guess that it is not ends the guesses. A sequence
  // whose token takes longer keeps its place, without guesses, and is computed no further until it is there.
  void append(Sequence* sequence, TokenId token);
  void drop_guesses(Sequence* sequence);

  bool idle() const { return waiting_.empty() && running_.empty(); }
  uint32_t waiting() const { return static_cast<uint32_t>(waiting_.size()); }
  std::span<Sequence* const> running() const { return running_; }
  uint64_t preemptions() const { return preemptions_; }
  const KvMemory& kv() const { return kv_; }

 private:
  void admit();
  bool caches(const Sequence& sequence) const;
  std::span<const TokenId> cacheable(const Sequence& sequence) const;
  void begin(Sequence* sequence, const PrefixCache::Peek& known);
  void look_again(Sequence* sequence);
  bool try_admit(Sequence* sequence);
  bool has_room(const Sequence& newcomer, const PrefixCache::Peek& known) const;
  void grow_running();
  std::vector<Sequence*> in_order() const;
  void preempt(Sequence* sequence);
  void charge(Sequence* sequence);
  void release(Sequence* sequence);
  void remember(Sequence* sequence, uint32_t tokens);
  void remember_step(Sequence* sequence, uint32_t begin);
  bool fits_burst(const Sequence& sequence) const;
  double cost_of(const Sequence& sequence, uint32_t begin, uint32_t tokens) const;
  bool goes_on_with_burst(double& budget, std::vector<Sequence*>& prompts);
  uint32_t slice_of(const Sequence& sequence, uint32_t most, double budget, uint32_t used) const;
  void plan_prefill(double budget, std::vector<uint32_t>& tokens);
  void record(Sequence* sequence, uint32_t tokens);

  const SchedulerOptions options_;
  KvMemory kv_;
  FairShare shares_;
  std::vector<Sequence*> waiting_, running_;  // each by arrival
  uint64_t preemptions_ = 0;
  double burst_left_ = 0;  // of its cost
  Step step_;
};

}  // namespace ingle
