// The scheduler under load, without a model: clients that come, wait, leave and are served in virtual time. A seed
// decides everything: the machine, the pools, who asks for what and when. After every step the promises of scheduler.h
// are checked by what can be seen from outside. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/scheduler.h"

namespace ingle {

// The same numbers on every machine.
class SimulatedChance {
 public:
  explicit SimulatedChance(uint64_t seed) : state_(seed) {}
  uint32_t below(uint32_t n);  // n at least 1
  bool one_in(uint32_t n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

struct SimulatedClient {
  std::unique_ptr<Sequence> sequence;
  double comes_ms = 0;
  double leaves_ms = 0;  // whether it is served or not; 0: once it is
  uint32_t answer_tokens = 1;
  uint32_t late_every = 0;  // its token at every so manieth position is picked late; 0: none is
  double late_ms = 0;
  uint32_t guesses_of_ten = 0;  // guesses at its next tokens that are right, of ten; 0: nobody guesses

  // What was seen of it.
  double picks_ms = 0;      // when a token that is late will be picked; 0: none is late
  uint32_t delivered = 0;   // rows of its prompt's logits
  uint32_t passes = 0;      // by more urgent ones, while it had waited longest
  uint32_t turns_lost = 0;  // slices that others of its priority had since its last one
};

struct SimulationPlan {
  SchedulerOptions scheduler;
  double max_step_ms = 0, weights_ms = 1, token_ms = 1;  // of the machine
  std::vector<SimulatedClient> clients;                  // by comes_ms; arrivals are numbered in that order
};

SimulationPlan random_plan(uint64_t seed);

class Simulation {
 public:
  explicit Simulation(SimulationPlan plan);
  // Until all clients are gone. The first broken promise; empty if none was.
  std::string run();

  uint64_t steps() const { return steps_; }
  uint32_t finished() const { return finished_; }
  uint64_t late() const { return late_; }
  uint64_t right_guesses() const { return right_guesses_; }
  uint64_t wrong_guesses() const { return wrong_guesses_; }
  uint32_t left() const { return left_; }
  uint64_t preemptions() const { return scheduler_.preemptions(); }
  uint32_t most_passes() const { return most_passes_; }

 private:
  // Who waits and runs, before a step is planned.
  struct Before {
    std::vector<const Sequence*> running, waiting;
    std::vector<uint64_t> overdue;  // arrivals
    bool was_running(const Sequence* sequence) const;
    bool was_overdue(const Sequence* sequence) const;
  };

  void come_and_leave();
  void pick_late();
  void guess();
  void step();
  void wait_for_late();
  Before look() const;
  void check_order(const Before& before);
  void check_victims(const Before& before);
  void check_passes(const Before& before);
  void check_step(const Step& step);
  void check_turns(const Step& step);
  void answer(const std::vector<OutputRow>& rows);
  TokenId token_at(const Sequence& sequence, uint32_t position) const;
  void append(Sequence* sequence);
  void end(size_t index);
  void audit();
  void fault(const std::string& what);
  SimulatedClient& client_of(const Sequence* sequence);

  SimulationPlan plan_;
  Scheduler scheduler_;
  StepPacer pacer_;
  size_t next_ = 0;              // of the plan's clients
  std::vector<size_t> present_;  // clients that wait or run, by arrival
  double now_ms_ = 0;
  uint64_t steps_ = 0, step_limit_ = 0, late_ = 0;  // the last: tokens
  uint64_t right_guesses_ = 0, wrong_guesses_ = 0;
  double burst_left_ = 0;  // cost of prompts that the pacer does not count
  uint32_t finished_ = 0, left_ = 0, most_passes_ = 0;
  std::string fault_;
};

}  // namespace ingle
