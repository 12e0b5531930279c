// For tests: a backend whose "language model" is a hash chain through the KV pages, and which sees to it that the
// scheduler keeps its promises: pages cover what is written and read, what is read was written before by the same
// tokens at the same positions, in every layer group, and no page is written that another sequence of the batch reads.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "backend/backend.h"
#include "base/check.h"
#include "engine/scheduler.h"

namespace ingle {

inline uint64_t toy_mix(uint64_t state, uint64_t value) {
  uint64_t x = state * 0x9e3779b97f4a7c15u + value + 0x632be59bd9b4e019u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// The state after a token: of the state before it (0 at the start) and the token.
inline uint64_t toy_state(std::span<const int32_t> tokens) {
  uint64_t state = 0;
  for (const int32_t token : tokens) state = toy_mix(state, static_cast<uint64_t>(token));
  return state;
}

// Logits in [-8, 8) that depend on every token so far.
inline std::vector<float> toy_logits(uint64_t state, uint32_t vocab) {
  std::vector<float> logits(vocab);
  for (uint32_t v = 0; v < vocab; v++) logits[v] = static_cast<float>(toy_mix(state, v) >> 40) * 0x1p-20f - 8.0f;
  return logits;
}

// A hidden state is toy_logits() of this width.
inline constexpr uint32_t kToyHidden = 6;

class ToyBackend final : public Backend {
 public:
  ToyBackend(const SchedulerOptions& options, uint32_t vocab)
      : vocab_(vocab), max_batch_tokens_(options.max_batch_tokens()) {
    groups_.push_back({0, std::vector<Slot>(size_t{options.pages} * kPageTokens)});
    for (const WindowPool& pool : options.windows) {
      groups_.push_back({pool.window, std::vector<Slot>(size_t{pool.pages} * kPageTokens)});
    }
  }

  // Called with the logits of every wanted row before the sink, to spoil them; and at the start of every step.
  std::function<void(uint64_t state, std::vector<float>& logits)> on_logits;
  std::function<void()> on_step;
  std::function<void(const Batch& batch)> on_batch;  // likewise
  std::atomic<uint64_t> steps{0}, computed_tokens{0};

  using Backend::execute;
  void execute(const Batch& batch, const LogitsSink& logits, const HiddenSink& hidden) override {
    if (on_step) on_step();
    if (on_batch) on_batch(batch);
    steps++;
    computed_tokens += batch.tokens.size();
    CHECK(!batch.tokens.empty() && batch.tokens.size() <= max_batch_tokens_);
    for (const PageCopy& copy : batch.copies) this->copy(copy);
    check_no_shared_writes(batch);
    std::vector<uint64_t> states;
    for (const BatchSequence& sequence : batch.sequences) {
      CHECK(sequence.tokens > 0 && sequence.first_token == states.size());
      CHECK(sequence.tables.size() == groups_.size());
      uint64_t state = 0;
      for (uint32_t position = 0; position < sequence.position; position++) {
        const Slot& slot = slot_of(0, sequence, position);
        CHECK(slot.position == position && slot.state == toy_mix(state, slot.token));
        state = slot.state;
        for (uint32_t g = 1; g < groups_.size(); g++) check_window(g, sequence, slot);
      }
      for (uint32_t i = 0; i < sequence.tokens; i++) {
        const auto token = static_cast<uint64_t>(batch.tokens[sequence.first_token + i]);
        state = toy_mix(state, token);
        for (uint32_t g = 0; g < groups_.size(); g++) {
          slot_of(g, sequence, sequence.position + i) = {sequence.position + i, token, state};
        }
        states.push_back(state);
      }
    }
    CHECK(states.size() == batch.tokens.size());
    deliver(batch.output_rows, states, logits, [&](uint64_t state) {
      std::vector<float> values = toy_logits(state, vocab_);
      if (on_logits) on_logits(state, values);
      return values;
    });
    deliver(batch.hidden_rows, states, hidden, [](uint64_t state) { return toy_logits(state, kToyHidden); });
  }

  std::string description() const override { return "toy"; }

 private:
  struct Slot {
    uint32_t position = UINT32_MAX;
    uint64_t token = 0, state = 0;
  };

  struct Group {
    uint32_t window;
    std::vector<Slot> slots;
  };

  Slot& slot_of(uint32_t group, const BatchSequence& sequence, uint32_t position) {
    const PageTable& table = sequence.tables[group];
    CHECK(position / kPageTokens >= table.first && position / kPageTokens < table.pages.size());
    const size_t index = size_t{table.pages[position / kPageTokens]} * kPageTokens + position % kPageTokens;
    CHECK(index < groups_[group].slots.size());
    return groups_[group].slots[index];
  }

  void copy(const PageCopy& copy) {
    std::vector<Slot>& slots = groups_[copy.group].slots;
    const size_t from = size_t{copy.from} * kPageTokens, to = size_t{copy.to} * kPageTokens;
    CHECK(from + kPageTokens <= slots.size() && to + kPageTokens <= slots.size() && from != to);
    std::copy_n(slots.begin() + static_cast<ptrdiff_t>(from), kPageTokens, slots.begin() + static_cast<ptrdiff_t>(to));
  }

  // What the first token of the step sees through the group's window is what group 0 has; the rest may be gone.
  void check_window(uint32_t group, const BatchSequence& sequence, const Slot& wanted) {
    if (sequence.position - wanted.position >= groups_[group].window) return;
    const Slot& slot = slot_of(group, sequence, wanted.position);
    CHECK(slot.position == wanted.position && slot.token == wanted.token && slot.state == wanted.state);
  }

  void check_no_shared_writes(const Batch& batch) const {
    for (size_t g = 0; g < groups_.size(); g++) {
      std::multiset<PageId> used;
      for (const BatchSequence& sequence : batch.sequences) {
        const PageTable& table = sequence.tables[g];
        used.insert(table.pages.begin() + table.first, table.pages.end());
      }
      for (const BatchSequence& sequence : batch.sequences) {
        const PageTable& table = sequence.tables[g];
        const uint32_t last = (sequence.position + sequence.tokens - 1) / kPageTokens;
        CHECK(last < table.pages.size());
        for (uint32_t j = sequence.position / kPageTokens; j <= last; j++) CHECK(used.count(table.pages[j]) == 1);
      }
    }
  }

  void deliver(const std::vector<uint32_t>& wanted, const std::vector<uint64_t>& states, const HiddenSink& sink,
               const std::function<std::vector<float>(uint64_t state)>& values_of) {
    constexpr uint32_t kBlockRows = 3;  // small, so that tests meet several blocks
    for (uint32_t first = 0; first < wanted.size(); first += kBlockRows) {
      const uint32_t rows = std::min(kBlockRows, static_cast<uint32_t>(wanted.size()) - first);
      std::vector<float> block;
      for (uint32_t i = first; i < first + rows; i++) {
        CHECK(i == 0 || wanted[i] > wanted[i - 1]);
        const std::vector<float> values = values_of(states[wanted[i]]);
        block.insert(block.end(), values.begin(), values.end());
      }
      sink(first, rows, block.data());
    }
  }

  const uint32_t vocab_, max_batch_tokens_;
  std::vector<Group> groups_;
};

}  // namespace ingle
