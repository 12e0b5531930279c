// For tests: the scheduler alone over the toy model, every promise of a step checked as it is made.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/page_audit_test.h"
#include "engine/scheduler.h"
#include "engine/toy_backend_test.h"
#include "kv/window.h"

namespace ingle {

using Tokens = std::vector<TokenId>;

inline TokenId toy_next(std::span<const TokenId> tokens) { return static_cast<TokenId>(toy_state(tokens) % 3); }

inline std::unique_ptr<Sequence> make_sequence(uint64_t arrival, Tokens prompt) {
  auto sequence = std::make_unique<Sequence>();
  sequence->arrival = arrival;
  sequence->prompt_tokens = static_cast<uint32_t>(prompt.size());
  sequence->tokens = std::move(prompt);
  return sequence;
}

// A scheduler and the toy model: runs steps, extends sequences and ends those that reach their length.
class SchedulerWorld {
 public:
  explicit SchedulerWorld(const SchedulerOptions& options)
      : options_(options), scheduler(options), backend_(options, 2) {}

  void submit(Tokens prompt, uint32_t length, bool use_cache = true, bool all_logits = false) {
    auto sequence = make_sequence(++arrivals_, std::move(prompt));
    sequence->use_prefix_cache = use_cache && !all_logits;
    sequence->all_prompt_logits = all_logits;
    scheduler.add(sequence.get());
    active.push_back({std::move(sequence), length, 0});
  }

  // Of the last one submitted.
  void set_turn(int32_t priority, uint64_t user) {
    Sequence* sequence = active.back().sequence.get();
    scheduler.remove(sequence);
    sequence->priority = priority;
    sequence->user = user;
    scheduler.add(sequence);
  }

  void cancel(size_t index) {
    scheduler.remove(active[index].sequence.get());
    active.erase(active.begin() + index);
  }

  // Runs one step; false if there was nothing to do.
  bool step(const StepPacer& pacer = StepPacer()) {
    const Step& step = scheduler.next(pacer);
    check_pages();
    if (step.batch.tokens.empty()) return false;
    check_step(step);
    backend_.execute(step.batch, [&](uint32_t first, uint32_t rows, const float*) {
      for (uint32_t r = first; r < first + rows; r++) {
        if (!step.rows[r].deliver) continue;
        EXPECT_EQ(find(step.rows[r].sequence).delivered++, step.rows[r].position);
      }
    });
    const std::vector<OutputRow> rows = step.rows;
    scheduler.commit();
    for (const OutputRow& row : rows) {
      if (!row.sample) continue;
      scheduler.append(row.sequence, toy_next(row.sequence->tokens));
      if (row.sequence->length() < find(row.sequence).length) continue;
      const auto done =
          std::find_if(active.begin(), active.end(), [&](const Active& a) { return a.sequence.get() == row.sequence; });
      check_answer(*done);
      scheduler.remove(row.sequence);
      finish_order.push_back(row.sequence->arrival);
      active.erase(done);
      finished++;
    }
    check_pages();
    check_windows();
    return true;
  }

  struct Active {
    std::unique_ptr<Sequence> sequence;
    uint32_t length;
    uint32_t delivered;
  };

 private:
  Active& find(const Sequence* sequence) {
    return *std::find_if(active.begin(), active.end(), [&](const Active& a) { return a.sequence.get() == sequence; });
  }

  void check_answer(const Active& done) {
    const Sequence& s = *done.sequence;
    for (uint32_t i = s.prompt_tokens; i < s.length(); i++) {
      ASSERT_EQ(s.tokens[i], toy_next(std::span(s.tokens).first(i)));
    }
    EXPECT_EQ(done.delivered, s.all_prompt_logits ? s.prompt_tokens : 0);
  }

  void check_step(const Step& step) {
    uint32_t decode = 0, prefill = 0;
    for (size_t i = 0; i < step.sequences.size(); i++) {
      const BatchSequence& part = step.batch.sequences[i];
      ASSERT_EQ(part.position, step.sequences[i]->computed);
      (part.tokens == 1 ? decode : prefill) += part.tokens;
      // What is written is nobody else's, the cache's neither.
      for (uint32_t j = part.position / kPageTokens; j <= (part.position + part.tokens - 1) / kPageTokens; j++) {
        for (uint32_t g = 0; g < scheduler.kv().groups(); g++) {
          ASSERT_EQ(scheduler.kv().pool(g).references(part.tables[g].pages[j]), 1u);
        }
      }
    }
    ASSERT_LE(prefill, options_.prefill_chunk);
    ASSERT_LE(step.batch.tokens.size(), options_.max_batch_tokens());
    ASSERT_LE(step.sequences.size(), options_.max_sequences);
  }

  void check_pages() {
    std::vector<const Sequence*> sequences;
    for (const Active& a : active) sequences.push_back(a.sequence.get());
    ASSERT_EQ(audit_pages(scheduler, sequences), "");
  }

  // Between steps a sequence holds no more of a windowed group than it could need.
  void check_windows() {
    for (const Active& a : active) {
      for (uint32_t g = 1; g < a.sequence->tables.size(); g++) {
        const PageTable& table = a.sequence->tables[g];
        const uint32_t window = options_.windows[g - 1].window;
        ASSERT_LE(table.pages.size() - table.first, resting_pages(window));
        ASSERT_LE(table.first, first_visible_page(window, a.sequence->computed));
      }
    }
  }

  const SchedulerOptions options_;

 public:
  Scheduler scheduler;
  std::vector<Active> active;
  std::vector<uint64_t> finish_order;  // arrivals
  uint32_t finished = 0;

 private:
  ToyBackend backend_;
  uint64_t arrivals_ = 0;
};

}  // namespace ingle
