// Thousands of loads on the scheduler. INGLE_SIMULATION_SEEDS says how many, INGLE_SIMULATION_FIRST with which to
// begin.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kv/window.h"
#include "load/simulation.h"

namespace ingle {
namespace {

uint64_t number_from(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

const uint64_t kFirst = number_from("INGLE_SIMULATION_FIRST", 0);
const uint64_t kSeeds = number_from("INGLE_SIMULATION_SEEDS", 1500);

std::string again(uint64_t seed) {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  return fmt::format("again: INGLE_SIMULATION_FIRST={} INGLE_SIMULATION_SEEDS=1 {} --gtest_filter={}.{}", seed,
                     testing::internal::GetArgvs().front(), test.test_suite_name(), test.name());
}

TEST(SchedulerSimulation, KeepsItsPromisesUnderEveryLoad) {
  uint64_t preemptions = 0, finished = 0, left = 0, late = 0, right_guesses = 0, wrong_guesses = 0;
  uint32_t most_passes = 0;
  for (uint64_t seed = kFirst; seed < kFirst + kSeeds; seed++) {
    Simulation simulation(random_plan(seed));
    ASSERT_EQ(simulation.run(), "") << again(seed);
    preemptions += simulation.preemptions();
    finished += simulation.finished();
    left += simulation.left();
    late += simulation.late();
    right_guesses += simulation.right_guesses();
    wrong_guesses += simulation.wrong_guesses();
    most_passes = std::max(most_passes, simulation.most_passes());
  }
  if (kSeeds < 100) return;
  // The loads are such that there is something to check.
  EXPECT_GT(preemptions, kSeeds);
  EXPECT_GT(finished, 10 * kSeeds);
  EXPECT_GT(left, kSeeds);
  EXPECT_GT(late, 10 * kSeeds);
  EXPECT_GT(right_guesses, 10 * kSeeds);
  EXPECT_GT(wrong_guesses, 10 * kSeeds);
  EXPECT_EQ(most_passes, kMostPassedOver);
}

// Owners that always have requests waiting, of sizes of their own.
struct Backlog {
  uint64_t owner = 0;
  uint32_t prompt = 1, answer = 1, waiting = 1;  // tokens, tokens, requests
  uint64_t served = 0;                           // tokens, weighed as FairShare does
};

class FairnessWorld {
 public:
  FairnessWorld(const SchedulerOptions& options, std::vector<Backlog> owners)
      : scheduler_(options), owners_(std::move(owners)) {}

  void step() {
    for (Backlog& owner : owners_) refill(owner);
    const Step& step = scheduler_.next();
    for (size_t i = 0; i < step.sequences.size(); i++) {
      const uint32_t begin = step.batch.sequences[i].position, tokens = step.batch.sequences[i].tokens;
      const bool answer = begin >= step.sequences[i]->prompt_tokens;
      owners_[step.sequences[i]->user].served += answer ? FairShare::kAnswerWeight * tokens : tokens;
    }
    const std::vector<OutputRow> rows = step.rows;
    scheduler_.commit();
    for (const OutputRow& row : rows) {
      scheduler_.append(row.sequence, 1);
      const Backlog& owner = owners_[row.sequence->user];
      if (row.sequence->length() < owner.prompt + owner.answer) continue;
      scheduler_.remove(row.sequence);
      sequences_.erase(row.sequence->arrival);
    }
  }

  uint64_t widest_gap() const {
    const auto less = [](const Backlog& a, const Backlog& b) { return a.served < b.served; };
    const auto [least, most] = std::minmax_element(owners_.begin(), owners_.end(), less);
    return most->served - least->served;
  }
  uint64_t preemptions() const { return scheduler_.preemptions(); }
  const std::vector<Backlog>& owners() const { return owners_; }

  ~FairnessWorld() {
    for (auto& [arrival, sequence] : sequences_) scheduler_.remove(sequence.get());
  }

 private:
  void refill(const Backlog& owner) {
    uint32_t waiting = 0;
    for (const auto& [arrival, sequence] : sequences_) {
      waiting += sequence->user == owner.owner && sequence->tables.empty();
    }
    for (; waiting < owner.waiting; waiting++) {
      auto sequence = std::make_unique<Sequence>();
      sequence->arrival = ++arrivals_;
      sequence->user = owner.owner;
      sequence->tokens.assign(owner.prompt, 0);
      sequence->prompt_tokens = owner.prompt;
      scheduler_.add(sequence.get());
      sequences_.emplace(arrivals_, std::move(sequence));
    }
  }

  Scheduler scheduler_;
  std::vector<Backlog> owners_;  // owner i is at i
  std::map<uint64_t, std::unique_ptr<Sequence>> sequences_;
  uint64_t arrivals_ = 0;
};

// What one owner may be ahead of another: all places were its own, from the moment when it had least.
TEST(SchedulerSimulation, OwnersThatAlwaysWaitAreServedEqually) {
  for (uint64_t seed = kFirst; seed < kFirst + kSeeds / 20 + 1; seed++) {
    SimulatedChance chance(seed);
    SchedulerOptions options{.pages = 0, .prefill_chunk = 16 + chance.below(100), .prefix_cache = false};
    options.max_sequences = 1 + chance.below(8);
    std::vector<Backlog> owners(2 + chance.below(4));
    uint32_t longest_prompt = 0, longest_answer = 0;
    for (size_t i = 0; i < owners.size(); i++) {
      owners[i] = {.owner = i, .prompt = 1 + chance.below(200), .answer = 1 + chance.below(40)};
      // More than may be admitted at a time, so that there is always one left.
      owners[i].waiting = options.max_sequences + 1 + chance.below(chance.one_in(2) ? 2 : 20);
      longest_prompt = std::max(longest_prompt, owners[i].prompt);
      longest_answer = std::max(longest_answer, owners[i].answer);
    }
    options.pages = (options.max_sequences + 1) * (pages_for(longest_prompt + longest_answer) + 1);
    const uint64_t allowed = uint64_t{longest_prompt} * (options.max_sequences + 1) +
                             FairShare::kAnswerWeight * longest_answer * options.max_sequences;
    FairnessWorld world(options, std::move(owners));
    while (world.owners().front().served < 10 * allowed) {
      world.step();
      ASSERT_LE(world.widest_gap(), allowed) << again(seed);
    }
    ASSERT_EQ(world.preemptions(), 0u);
  }
}

}  // namespace
}  // namespace ingle
