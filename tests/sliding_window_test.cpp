// A model with sliding windows, run by the scheduler over pools that are barely large enough: whatever pages have come
// and gone, the logits have the bits of the same tokens run straight through the backend.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "engine/scheduler.h"
#include "kv/window.h"
#include "support/model_runner.h"

namespace ingle::test {
namespace {

using Tokens = std::vector<int32_t>;
constexpr uint32_t kContextPages = 20;

// Sequences whose next tokens are given beforehand, so that their logits can be compared.
class World {
 public:
  // Of each windowed group's pool: what the least takes, and `spare` pages.
  World(const std::string& model, uint32_t spare, uint32_t prefill_chunk, bool prefix_cache)
      : runner_(std::filesystem::path(INGLE_TESTS) / "models" / (model + ".gguf")) {
    BackendOptions backend_options;
    backend_options.threads = 1;
    backend_options.pages = {kContextPages};
    SchedulerOptions options;
    options.pages = kContextPages;
    for (const KvGroup& group : kv_groups(runner_.graph(), backend_options.kv_type)) {
      if (group.window == 0) continue;
      options.windows.push_back({.window = group.window, .pages = resting_pages(group.window) + spare});
      backend_options.pages.push_back(options.windows.back().pages);
    }
    options.prefill_chunk = prefill_chunk;
    options.max_sequences = 4;
    options.prefix_cache = prefix_cache;
    backend_options.max_batch_tokens = options.max_batch_tokens();
    windows = options.windows;
    backend_ = std::move(make_cpu_backend(runner_.graph(), backend_options)).value();
    scheduler = std::make_unique<Scheduler>(options);
  }

  uint32_t vocab() const { return runner_.vocab(); }

  void submit(const Tokens& tokens, uint32_t prompt_tokens) {
    Active& active = active_.emplace_back();
    active.tokens = tokens;
    active.sequence = std::make_unique<Sequence>();
    active.sequence->arrival = ++arrivals_;
    active.sequence->prompt_tokens = prompt_tokens;
    active.sequence->tokens.assign(tokens.begin(), tokens.begin() + prompt_tokens);
    scheduler->add(active.sequence.get());
  }

  void cancel(size_t index) {
    scheduler->remove(active_[index].sequence.get());
    active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  size_t active() const { return active_.size(); }
  const Sequence& sequence(size_t index) const { return *active_[index].sequence; }

  bool step() {
    const Step& step = scheduler->next();
    if (step.batch.tokens.empty()) return false;
    backend_->execute(step.batch, [&](uint32_t first, uint32_t rows, const float* logits) {
      for (uint32_t r = 0; r < rows; r++) {
        check(step.rows[first + r], std::span(logits + size_t{r} * vocab(), vocab()));
      }
    });
    const std::vector<OutputRow> rows = step.rows;
    scheduler->commit();
    for (const OutputRow& row : rows) {
      const auto active = find(row.sequence);
      if (row.position + 1 < active->tokens.size()) {
        scheduler->append(row.sequence, active->tokens[row.position + 1]);
        continue;
      }
      scheduler->remove(row.sequence);
      active_.erase(active);
    }
    return true;
  }

  void finish() {
    while (step()) {
    }
    for (uint32_t g = 0; g < scheduler->kv().groups(); g++) {
      const PagePool& pool = scheduler->kv().pool(g);
      EXPECT_EQ(pool.free() + pool.idle(), pool.size());
    }
  }

  std::unique_ptr<Scheduler> scheduler;
  std::vector<WindowPool> windows;
  uint32_t compared = 0;

 private:
  struct Active {
    Tokens tokens;
    std::unique_ptr<Sequence> sequence;
  };

  std::vector<Active>::iterator find(const Sequence* sequence) {
    return std::find_if(active_.begin(), active_.end(), [&](const Active& a) { return a.sequence.get() == sequence; });
  }

  void check(const OutputRow& row, std::span<const float> logits) {
    const Tokens& tokens = find(row.sequence)->tokens;
    std::vector<float>& all = expected_[tokens];
    if (all.empty()) all = runner_.outputs(tokens, {.isa = {}, .threads = 1});
    const auto expected = std::span(all).subspan(size_t{row.position} * vocab(), vocab());
    ASSERT_TRUE(std::equal(logits.begin(), logits.end(), expected.begin())) << "position " << row.position;
    compared++;
  }

  ModelRunner runner_;
  std::unique_ptr<Backend> backend_;
  std::vector<Active> active_;
  std::map<Tokens, std::vector<float>> expected_;
  uint64_t arrivals_ = 0;
};

constexpr uint32_t kPrompt = 400;

class SlidingWindow : public testing::TestWithParam<std::string> {};

TEST_P(SlidingWindow, PagesComeBackWhileASequenceRuns) {
  World world(GetParam(), 2, 40, true);
  ASSERT_FALSE(world.windows.empty());
  world.submit(random_tokens(kPrompt + 150, world.vocab(), 1), kPrompt);
  while (world.step()) {
    for (size_t g = 0; g < world.windows.size() && world.active() > 0; g++) {
      const PageTable& table = world.sequence(0).tables[g + 1];
      ASSERT_LE(table.pages.size() - table.first, resting_pages(world.windows[g].window));
    }
  }
  EXPECT_EQ(world.compared, 150u + 1);
}

TEST_P(SlidingWindow, AHitDeepInAPrefixAndAMissWhereTheWindowIsGone) {
  World world(GetParam(), 4, 64, true);
  const auto first_position = [&](const Tokens& tokens) {
    world.submit(tokens, kPrompt);
    const uint32_t position = world.scheduler->next().batch.sequences[0].position;
    world.finish();
    return position;
  };
  Tokens tokens = random_tokens(kPrompt + 20, world.vocab(), 1);
  EXPECT_EQ(first_position(tokens), 0u);
  EXPECT_EQ(first_position(tokens), kPrompt - 1) << "all but the last token";
  tokens[250] ^= 1;
  const uint32_t kept = first_position(tokens);
  EXPECT_LT(kept, 224u) << "the pages before 250 are known, their window is not";
  tokens[250] ^= 2;
  EXPECT_EQ(first_position(tokens), 224u) << "where the prompts part";
  // Other prompts need the window's pages, while those of the full layers remain.
  for (uint32_t seed = 2; world.scheduler->kv().peek(std::span(tokens).first(kPrompt)).pages > 0; seed++) {
    ASSERT_LT(seed, 20u);
    world.submit(random_tokens(70, world.vocab(), seed), 70);
    world.finish();
  }
  EXPECT_GT(world.scheduler->kv().peek(std::span(tokens).first(kPrompt)).known, 0u);
  EXPECT_EQ(first_position(tokens), 0u);
}

TEST_P(SlidingWindow, PreemptedAndResumed) {
  for (const bool prefix_cache : {false, true}) {
    World world(GetParam(), 1, 50, prefix_cache);
    for (uint32_t seed = 1; seed <= 3; seed++) world.submit(random_tokens(330, world.vocab(), seed), 20 * seed);
    world.finish();
    EXPECT_GT(world.scheduler->preemptions(), 0u);
    EXPECT_EQ(world.compared, 3u * 331 - (20 + 40 + 60));
  }
}

TEST_P(SlidingWindow, RandomArrivalsAndCancellations) {
  std::minstd_rand random(7);
  for (const uint32_t chunk : {7u, 64u}) {
    World world(GetParam(), 3, chunk, true);
    for (uint32_t submitted = 0; submitted < 25 || world.active() > 0;) {
      if (submitted < 25 && (world.active() == 0 || random() % 30 == 0)) {
        Tokens tokens = random_tokens(300, world.vocab(), static_cast<uint32_t>(1 + random() % 2));
        if (random() % 2 == 0) tokens[100 + 60 * (random() % 2)] ^= 1;
        tokens.resize(250 + 50 * (random() % 2));
        world.submit(tokens, static_cast<uint32_t>(200 + random() % 50));
        submitted++;
      }
      if (random() % 60 == 0) world.cancel(random() % world.active());
      world.step();
      ASSERT_FALSE(HasFatalFailure());
    }
    world.finish();
    EXPECT_GT(world.compared, 300u);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SlidingWindow, testing::Values("tiny-gemma3", "tiny-gemma3-explicit"),
                         [](const auto& model) {
                           std::string name = model.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace ingle::test
