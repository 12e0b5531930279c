// The thread that runs batched steps for one model: takes requests in, schedules, executes, picks tokens, streams text
// out. Owned by the Engine; submit() from any thread, everything else in here happens on the loop's thread.
// A request that fails ends alone. Cancelled requests give their pages back before the next step. An answer whose mask
// is late sits out steps until it is there.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "backend/backend.h"
#include "engine/engine.h"
#include "engine/engine_metrics.h"
#include "engine/mailbox.h"
#include "engine/mask_worker.h"
#include "engine/pooler.h"
#include "engine/prompt_lookup.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/speculation.h"
#include "engine/step_pacer.h"
#include "text/detokenizer.h"
#include "text/stop_strings.h"
#include "text/tokenizer.h"

namespace ingle {

inline constexpr uint32_t kMaxWaiting = 4096;  // requests
inline constexpr uint32_t kMaxTopLogprobs = 64;
inline constexpr uint32_t kMaxStopStrings = 64;
inline constexpr size_t kMaxStopBytes = 4096;   // of one stop string
inline constexpr size_t kMaxStopsBytes = 8192;  // of all together: each answer has an automaton of them

struct EngineLoopOptions {
  uint32_t vocab = 0;                // width of the logits, rows of the embedding
  uint32_t hidden_width = 0;         // of the hidden states
  bool generates = true;             // else an encoder: it has no logits
  Pooling pooling = Pooling::kLast;  // where a request for an embedding does not say
  uint32_t context = 0;              // tokens per sequence at most; the scheduler's pages hold it
  SchedulerOptions scheduler;
  double max_step_ms = 0;  // as EngineOptions has it
  bool speculate = true;   // likewise
  // For constraints' next masks, once the logits are there: a step waits for all of its own so long and then goes on
  // without those that are late; an answer waits so long for one, and then fails.
  std::chrono::milliseconds mask_grace{5}, mask_patience{1000};
  // What steps take is learned by this clock, and how much of a step's grace is left; tests have one that no other load
  // moves.
  std::function<std::chrono::steady_clock::time_point()> step_clock = std::chrono::steady_clock::now;
};

class EngineLoop {
 public:
  // The tokenizer outlives the loop. The backend has the scheduler's pages and takes its max_batch_tokens().
  EngineLoop(const EngineLoopOptions& options, std::unique_ptr<Backend> backend, const Tokenizer& tokenizer);
  ~EngineLoop();
  EngineLoop(const EngineLoop&) = delete;
  EngineLoop& operator=(const EngineLoop&) = delete;

  // As Engine::submit.
  Result<std::unique_ptr<TokenStream>> submit(Request request);
  // As Engine::settle.
  void settle() { backend_->settle(); }
  // As Engine::stalled_for.
  std::chrono::milliseconds stalled_for() const;
  const EngineMetrics& metrics() const { return metrics_; }

 private:
  using Clock = std::chrono::steady_clock;

  // A request on its way.
  struct Active {
    Active(const Tokenizer& tokenizer, Request given);

    Request request;  // but for the prompt
    Sequence sequence;
    Detokenizer detokenizer;
    StopStrings stops;
    AnswerEnd is_over;  // if the request has it
    PromptLookup lookup;
    GuessRecord guess_record;
    uint32_t guessed = 0, right_guesses = 0;  // in the last step
    std::shared_ptr<Mailbox> mailbox;
    std::optional<Pooler> pooler;           // of a request for an embedding
    std::shared_ptr<MaskWorker::Job> mask;  // with a constraint
    std::vector<TokenId> not_masked;        // with a constraint: what was generated since its masks were begun
    // While the mask of its next token is late: what the token is picked from, and all its tokens are computed. Else
    // empty.
    std::vector<float> kept_logits;
    uint32_t limit = 0;  // tokens generated at most
    uint32_t generated = 0;
    std::vector<PromptScore> prompt_scores;  // until the first token
    std::optional<Error> failed;             // while its prompt was scored
    Clock::time_point submitted{}, started{}, first_token{}, last_token{};
  };
  // What was picked from a row of the step.
  struct Picked {
    Active* active = nullptr;
    uint32_t position = 0;  // of the row; the token is that of the next position
    Result<TokenId> token = kNoToken;
    Sampler::Logprobs logprobs;
  };

  Status validate(const Request& request) const;
  Status validate_embedding(const Request& request) const;
  Status validate_generation(const Request& request) const;
  void run();
  void note_progress();
  void note_mask();
  bool take_requests(bool nothing_to_compute);
  void drop_cancelled();
  void pick_kept();
  void guess();
  uint32_t guess(Active& active, uint32_t tokens, uint32_t most);
  void begin_masks();
  bool run_step();
  void score_prompt_token(Active& active, uint32_t position, std::span<const float> logits);
  bool came_true(const Active& active, const OutputRow& row) const;
  std::optional<Result<MaskWorker::Mask>> wait_for_mask(const Active& active, uint32_t ahead);
  std::optional<Result<TokenId>> pick_token(Active& active, uint32_t position, std::span<const float> logits);
  bool pick_next(Active& active, uint32_t position, std::span<const float> logits);
  void pick_row(const OutputRow& row, std::span<const float> logits);
  void pool_row(const OutputRow& row, std::span<const float> hidden);
  void deliver_picked();
  bool deliver(Picked& picked);
  void deliver_embedding(Active& active);
  void finish(Active& active, TokenEvent last);
  void count_step(size_t tokens, Clock::duration took);
  void count_places();
  void count_token(Active& active);
  Active& find(const Sequence* sequence);

  const EngineLoopOptions options_;
  const std::unique_ptr<Backend> backend_;
  const Tokenizer& tokenizer_;
  const std::vector<TokenId> eog_;
  Scheduler scheduler_;
  StepPacer pacer_;
  Speculation speculation_;
  Sampler sampler_;
  std::vector<std::unique_ptr<Active>> active_;  // by arrival
  std::vector<Picked> picked_;                   // in this step, or before it from what was kept
  std::vector<Active*> pooled_;                  // whose last hidden state came in this step
  Clock::duration grace_left_{};                 // what may still be waited for masks in this step
  EngineMetrics metrics_;
  std::atomic<Clock::rep> last_progress_{0};  // 0: there is nothing to do

  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::vector<std::unique_ptr<Active>> inbox_;
  uint64_t arrivals_ = 0;
  uint32_t unfinished_ = 0;  // in the inbox or active
  bool mask_came_ = false;   // since requests were taken
  bool stop_ = false;

  MaskWorker masks_;    // its threads use the mutex
  std::thread thread_;  // last: it uses all the others
};

}  // namespace ingle
