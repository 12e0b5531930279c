#include "support/model_runner.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "kv/window.h"

namespace ingle::test {
namespace {

constexpr uint32_t kPages = 128;
constexpr uint32_t kMaxBatchTokens = 2048;  // the longest chunk and what companions add

template <typename T>
T take(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().to_string());
  return std::move(result).value();
}

// One sequence's progress through its tokens.
struct Run {
  std::vector<int32_t> tokens;
  std::vector<PageTable> tables;  // by layer group
  uint32_t shared_pages = 0;      // at the start, another run's
  uint32_t done = 0;
  uint32_t chunk = 1;

  uint32_t next() const { return std::min<uint32_t>(chunk, static_cast<uint32_t>(tokens.size()) - done); }
};

// The pages of each group that no run holds; the last is taken first.
struct Pools {
  explicit Pools(const std::vector<KvGroup>& layer_groups) : groups(layer_groups), free(layer_groups.size()) {
    for (std::vector<PageId>& pages : free) {
      for (PageId page = 0; page < kPages; page++) pages.push_back(page);
    }
  }

  const std::vector<KvGroup>& groups;
  std::vector<std::vector<PageId>> free;
};

void share_prefix(Run& run, const Run& prefix) {
  run.shared_pages = prefix.done / kPageTokens;
  run.done = prefix.done;
  run.tables = prefix.tables;
}

// Before a step: the pages of its `count` tokens; those that a window has left behind are somebody's next ones.
void give_pages(Run& run, uint32_t count, Pools& pools) {
  run.tables.resize(pools.groups.size());
  for (size_t g = 0; g < run.tables.size(); g++) {
    PageTable& table = run.tables[g];
    for (const uint32_t end = first_visible_page(pools.groups[g].window, run.done); table.first < end; table.first++) {
      if (table.first >= run.shared_pages) pools.free[g].push_back(table.pages[table.first]);
      table.pages[table.first] = kNoPage;
    }
    while (table.pages.size() < pages_for(run.done + count)) {
      if (pools.free[g].empty()) throw std::runtime_error("the run needs more pages than the test's backends have");
      table.pages.push_back(pools.free[g].back());
      pools.free[g].pop_back();
    }
  }
}

// Steps all runs until they are done; collects the logits, or the hidden states, of runs[0].
std::vector<float> step_all(Backend& backend, std::vector<Run>& runs, Pools& pools, const Graph& graph) {
  std::vector<float> result;
  const bool logits = graph.logits().has_value();
  const uint32_t width = logits ? graph.vocab() : graph.hidden_width();
  const auto collect = [&](uint32_t, uint32_t rows, const float* values) {
    result.insert(result.end(), values, values + size_t{rows} * width);
  };
  while (runs[0].done < runs[0].tokens.size()) {
    Batch batch;
    // The tested sequence comes last, behind whatever its companions do.
    for (size_t i = runs.size(); i-- > 0;) {
      Run& run = runs[i];
      const uint32_t count = run.next();
      if (count == 0) continue;
      const auto first = static_cast<uint32_t>(batch.tokens.size());
      give_pages(run, count, pools);
      batch.sequences.push_back({first, count, run.done, run.tables});
      const auto begin = run.tokens.begin() + run.done;
      batch.tokens.insert(batch.tokens.end(), begin, begin + count);
      for (uint32_t t = 0; t < count && i == 0; t++)
        (logits ? batch.output_rows : batch.hidden_rows).push_back(first + t);
      run.done += count;
    }
    backend.execute(batch, collect, collect);
  }
  return result;
}

}  // namespace

ModelRunner::ModelRunner(const std::filesystem::path& path)
    : file_(std::make_unique<GgufFile>(take(GgufFile::open(path)))), model_(take(build_model(*file_))) {}

Backend& ModelRunner::backend(const RunSettings& settings) {
  std::unique_ptr<Backend>& backend = backends_[{settings.isa, settings.threads, settings.kv_type, settings.fuse}];
  if (backend != nullptr) return *backend;
  BackendOptions options;
  options.threads = settings.threads;
  options.isa = settings.isa;
  options.kv_type = settings.kv_type;
  options.pages.assign(kv_groups(model_->graph, settings.kv_type).size(), kPages);
  options.max_batch_tokens = kMaxBatchTokens;
  if (!settings.fuse) {
    options.dump_ops = "no op has this name";
    options.on_dump = [](const std::string&, std::span<const float>, uint32_t) {};
  }
  backend = take(make_cpu_backend(model_->graph, options));
  return *backend;
}

std::vector<float> ModelRunner::outputs(const std::vector<int32_t>& tokens, const RunSettings& settings) {
  std::vector<Run> runs(1);
  runs[0].tokens = tokens;
  runs[0].chunk = is_encoder() ? kMaxBatchTokens : settings.chunk;
  for (uint32_t i = 0; i < settings.companions; i++) {
    Run companion;
    companion.tokens = random_tokens(static_cast<uint32_t>(tokens.size()) / 2 + 13 * i + 1, vocab(), 100 + i);
    companion.chunk = is_encoder() ? kMaxBatchTokens : 3 + 5 * i;
    runs.push_back(std::move(companion));
  }
  const std::vector<KvGroup> groups = kv_groups(model_->graph, settings.kv_type);
  Pools pools(groups);
  if (settings.shared_prefix > 0) {
    std::vector<Run> prefix(1);
    prefix[0].tokens.assign(tokens.begin(), tokens.begin() + settings.shared_prefix);
    prefix[0].chunk = 5;
    step_all(backend(settings), prefix, pools, model_->graph);
    share_prefix(runs[0], prefix[0]);
  }
  return step_all(backend(settings), runs, pools, model_->graph);
}

uint64_t digest(const std::vector<float>& values) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const float value : values) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    for (int i = 0; i < 4; i++) hash = (hash ^ (bits >> (8 * i) & 0xff)) * 0x100000001b3;
  }
  return hash;
}

std::vector<int32_t> random_tokens(uint32_t count, uint32_t vocab, uint32_t seed) {
  std::vector<int32_t> tokens(count);
  uint64_t state = seed * 0x9e3779b97f4a7c15 + 1;
  for (int32_t& token : tokens) {
    state = state * 6364136223846793005 + 1442695040888963407;
    token = static_cast<int32_t>((state >> 33) % vocab);
  }
  return tokens;
}

}  // namespace ingle::test
