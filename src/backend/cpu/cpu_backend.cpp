// The CPU backend: packs the weights, plans the graph, and runs the plan's steps on its threads with one barrier
// between.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <optional>
#include <utility>

#include "backend/backend.h"
#include "backend/cpu/attention_step.h"
#include "backend/cpu/kernels/activation_block.h"
#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/packed_weights.h"
#include "backend/cpu/plan.h"
#include "base/anonymous_memory.h"
#include "base/check.h"
#include "base/checked.h"
#include "base/thread_pool.h"

namespace ingle {
namespace cpu {
namespace {

// Those of a row that a row op is to do.
struct Channels {
  uint32_t first = 0, count = 0;
};

struct alignas(64) Counter {
  std::atomic<uint32_t> next{0};
};

class CpuBackend final : public Backend {
 public:
  static Result<std::unique_ptr<Backend>> make(const Graph& graph, const BackendOptions& options);

  using Backend::execute;
  void execute(const Batch& batch, const LogitsSink& logits, const HiddenSink& hidden) override;
  void settle() override { weights_.settle(); }
  std::string description() const override {
    return fmt::format("cpu {}, {} thread{}", table_.name, pool_.size(), pool_.size() == 1 ? "" : "s");
  }

 private:
  CpuBackend(const KernelTable& table, const BackendOptions& options)
      : table_(table), options_(options), pool_(options.threads) {}

  Status allocate_buffers();
  Status allocate_kv();
  Status create_attention(const Graph& graph);

  void locate_tokens(const Batch& batch);
  void copy_pages(const Batch& batch);
  // `selected`: of the head, the batch's rows that its rows are.
  void run_steps(const std::vector<Step>& steps, std::vector<Counter>& counters, uint32_t rows,
                 const uint32_t* selected, uint32_t thread);
  void run_head(std::span<const uint32_t> wanted, bool logits, const HiddenSink& sink, uint32_t thread);
  void run_rows(const Step& step, Counter& counter, uint32_t rows, const uint32_t* selected);
  void run_row_op(const RowOp& op, uint32_t row, const uint32_t* selected, Channels channels);
  uint32_t embedded_row(const Op& op, uint32_t index) const;
  void run_matmul(const Step& step, Counter& counter, uint32_t rows, uint32_t thread);
  void run_track(const MatmulTrack& track, uint32_t first_group, uint32_t groups, uint32_t column, uint32_t columns,
                 std::byte* scratch);
  void run_attention(const Step& step, Counter& counter, uint32_t thread);
  void dump(const Step& step, uint32_t rows) const;
  void reset(std::vector<Counter>& counters) {
    for (Counter& counter : counters) counter.next.store(0, std::memory_order_relaxed);
  }

  float* row(uint32_t buffer, uint32_t index) {
    return reinterpret_cast<float*>(buffers_[buffer] + index * plan_.buffers[buffer].row_bytes);
  }
  std::byte* kv_page(uint32_t layer, PageId page) {
    return kv_layers_[layer] + page * kv_page_bytes_[plan_.layers[layer].group];
  }

  const KernelTable& table_;
  const BackendOptions options_;
  ThreadPool pool_;
  PackedWeights weights_;
  Plan plan_;
  AnonymousMemory buffer_memory_, kv_memory_;
  std::vector<std::byte*> buffers_;              // per Plan::buffers
  std::vector<size_t> kv_page_bytes_;            // of each layer group: all its layers
  std::vector<std::byte*> kv_groups_;            // each layer group's page 0
  std::vector<std::byte*> kv_layers_;            // each layer's part of its group's page 0
  std::vector<AnonymousMemory> matmul_scratch_;  // per thread
  std::vector<float> rope_angles_;               // per rope: [max_batch_tokens][2][pairs]
  std::vector<size_t> rope_offsets_;
  std::vector<std::pair<AttentionSpec, AttentionRunner>> attention_;    // one per kind of layer
  std::vector<Counter> body_counters_, head_counters_, tail_counters_;  // per step of the plan

  // Of the batch being run.
  const Batch* batch_ = nullptr;
  std::vector<uint32_t> positions_;         // per token
  std::vector<std::vector<PageId>> pages_;  // per layer group and token: the page that holds it
};

bool same_kind(const AttentionSpec& a, const AttentionSpec& b) {
  return a.heads == b.heads && a.kv_heads == b.kv_heads && a.window == b.window && a.causal == b.causal;
}

Activation activation_of(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::kSilu:
      return Activation::kSilu;
    case ActivationKind::kGeluTanh:
      return Activation::kGeluTanh;
    case ActivationKind::kGeluErf:
      break;
  }
  return Activation::kGeluErf;
}

Result<std::unique_ptr<Backend>> CpuBackend::make(const Graph& graph, const BackendOptions& options) {
  const KernelTable* table = find_table(options.isa);
  if (table == nullptr) {
    std::vector<std::string_view> names;
    for (const KernelTable* known : available_tables()) names.push_back(known->name);
    return Error{ErrorCode::kInvalidArgument, fmt::format("this CPU has no instruction set \"{}\"", options.isa),
                 fmt::format("it runs: {}", fmt::join(names, ", "))};
  }
  CHECK(options.threads >= 1 && options.max_batch_tokens >= 1);
  std::unique_ptr<CpuBackend> backend(new CpuBackend(*table, options));
  ASSIGN_OR_RETURN(backend->weights_, PackedWeights::pack(graph, *table, backend->pool_, options.on_progress));
  CHECK(options.pages.size() == kv_groups(graph, options.kv_type).size());
  backend->pages_.resize(options.pages.size());
  backend->plan_ =
      make_plan(graph, backend->weights_,
                {.kv_type = options.kv_type, .threads = options.threads, .fuse = options.dump_ops.empty()});
  RETURN_IF_ERROR(backend->allocate_buffers());
  RETURN_IF_ERROR(backend->allocate_kv());
  RETURN_IF_ERROR(backend->create_attention(graph));
  return std::unique_ptr<Backend>(std::move(backend));
}

Status CpuBackend::allocate_buffers() {
  size_t total = 0;
  std::vector<size_t> offsets;
  for (const BufferSpec& spec : plan_.buffers) {
    offsets.push_back(total);
    total += round_up(spec.row_bytes * (spec.head ? kHeadRows : options_.max_batch_tokens), size_t{4096});
  }
  ASSIGN_OR_RETURN(buffer_memory_, AnonymousMemory::allocate(total, false));
  for (const size_t offset : offsets) buffers_.push_back(buffer_memory_.data() + offset);

  size_t floats = 0;
  for (const RopeTable& rope : plan_.ropes) {
    rope_offsets_.push_back(floats);
    floats += size_t{options_.max_batch_tokens} * 2 * rope.pairs();
  }
  rope_angles_.resize(floats);
  for (uint32_t i = 0; i < pool_.size(); i++) {
    ASSIGN_OR_RETURN(AnonymousMemory scratch, AnonymousMemory::allocate(table_.matmul_scratch_bytes, false));
    matmul_scratch_.push_back(std::move(scratch));
  }
  body_counters_ = std::vector<Counter>(plan_.body.size());
  head_counters_ = std::vector<Counter>(plan_.head.size());
  tail_counters_ = std::vector<Counter>(plan_.head_tail.size());
  positions_.reserve(options_.max_batch_tokens);
  for (std::vector<PageId>& pages : pages_) pages.reserve(options_.max_batch_tokens);
  return {};
}

Status CpuBackend::allocate_kv() {
  const auto too_long = [] {
    return Error{ErrorCode::kInvalidArgument, "the KV pools' size overflows", "ask for a shorter context"};
  };
  // A page holds a group's layers one after the other, so that tokens take new memory from the system steadily: with
  // each layer's pages in a row, all layers came to their next huge page in the same step, which took 0.3 s.
  kv_page_bytes_.assign(options_.pages.size(), 0);
  std::vector<size_t> in_page;
  for (const KvLayer& layer : plan_.layers) {
    in_page.push_back(kv_page_bytes_[layer.group]);
    kv_page_bytes_[layer.group] += layer.layout.page_bytes();
  }
  std::vector<uint64_t> offsets;  // of groups
  std::optional<uint64_t> total = 0;
  for (size_t g = 0; g < kv_page_bytes_.size(); g++) {
    offsets.push_back(*total);
    const auto bytes = checked_mul(kv_page_bytes_[g], options_.pages[g]);
    if (bytes) total = checked_add(*total, *bytes);
    if (!bytes || !total) return too_long();
  }
  ASSIGN_OR_RETURN(kv_memory_, AnonymousMemory::allocate(*total, true));
  for (const uint64_t offset : offsets) kv_groups_.push_back(kv_memory_.data() + offset);
  for (size_t i = 0; i < in_page.size(); i++) {
    kv_layers_.push_back(kv_groups_[plan_.layers[i].group] + in_page[i]);
  }
  return {};
}

Status CpuBackend::create_attention(const Graph& graph) {
  for (const Op& op : graph.ops()) {
    if (op.kind != OpKind::kAttention) continue;
    const auto known = std::find_if(attention_.begin(), attention_.end(),
                                    [&](const auto& entry) { return same_kind(entry.first, op.attention); });
    if (known != attention_.end()) continue;
    ASSIGN_OR_RETURN(AttentionRunner runner, AttentionRunner::create(table_, graph, pool_.size(),
                                                                     options_.max_batch_tokens, options_.pages[0]));
    attention_.emplace_back(op.attention, std::move(runner));
  }
  return {};
}

void CpuBackend::locate_tokens(const Batch& batch) {
  CHECK(!batch.tokens.empty() && batch.tokens.size() <= options_.max_batch_tokens);
  positions_.clear();
  for (std::vector<PageId>& pages : pages_) pages.clear();
  for (const BatchSequence& sequence : batch.sequences) {
    CHECK(sequence.first_token == positions_.size() && sequence.tables.size() == pages_.size());
    for (uint32_t i = 0; i < sequence.tokens; i++) {
      const uint32_t position = sequence.position + i, page = position / kPageTokens;
      positions_.push_back(position);
      for (size_t g = 0; g < pages_.size(); g++) {
        CHECK(page < sequence.tables[g].pages.size());
        pages_[g].push_back(sequence.tables[g].pages[page]);
        CHECK(pages_[g].back() < options_.pages[g]);
      }
    }
  }
  CHECK(positions_.size() == batch.tokens.size());
}

void CpuBackend::copy_pages(const Batch& batch) {
  for (const PageCopy& copy : batch.copies) {
    CHECK(copy.from < options_.pages[copy.group] && copy.to < options_.pages[copy.group] && copy.from != copy.to);
    const size_t bytes = kv_page_bytes_[copy.group];
    std::memcpy(kv_groups_[copy.group] + copy.to * bytes, kv_groups_[copy.group] + copy.from * bytes, bytes);
  }
}

void CpuBackend::execute(const Batch& batch, const LogitsSink& logits, const HiddenSink& hidden) {
  CHECK(batch.output_rows.empty() || plan_.logits != kNoBuffer);
  batch_ = &batch;
  locate_tokens(batch);
  copy_pages(batch);
  for (auto& [spec, runner] : attention_) runner.prepare(batch, spec);
  for (std::vector<Counter>* counters : {&body_counters_, &head_counters_, &tail_counters_}) reset(*counters);
  const auto work = [&](uint32_t thread) {
    run_steps(plan_.body, body_counters_, static_cast<uint32_t>(batch.tokens.size()), nullptr, thread);
    run_head(batch.output_rows, true, logits, thread);
    run_head(batch.hidden_rows, false, hidden, thread);
  };
  pool_.run(std::ref(work));  // which is small enough to need no memory
}

void CpuBackend::run_head(std::span<const uint32_t> wanted, bool logits, const HiddenSink& sink, uint32_t thread) {
  const uint32_t result = logits ? plan_.logits : plan_.hidden;
  for (size_t first = 0; first < wanted.size(); first += kHeadRows) {
    const auto rows = static_cast<uint32_t>(std::min<size_t>(kHeadRows, wanted.size() - first));
    run_steps(plan_.head, head_counters_, rows, wanted.data() + first, thread);
    if (logits) run_steps(plan_.head_tail, tail_counters_, rows, nullptr, thread);
    if (thread == 0) {
      const uint32_t width = plan_.buffers[result].width;
      float* values = row(result, 0);
      if (plan_.buffers[result].row_bytes != width * sizeof(float)) {
        for (uint32_t r = 1; r < rows; r++) std::copy_n(row(result, r), width, values + size_t{r} * width);
      }
      sink(static_cast<uint32_t>(first), rows, values);
      reset(head_counters_);
      reset(tail_counters_);
    }
    pool_.barrier();
  }
}

void CpuBackend::run_steps(const std::vector<Step>& steps, std::vector<Counter>& counters, uint32_t rows,
                           const uint32_t* selected, uint32_t thread) {
  for (size_t i = 0; i < steps.size(); i++) {
    const Step& step = steps[i];
    switch (step.kind) {
      case StepKind::kRows:
        run_rows(step, counters[i], rows, selected);
        break;
      case StepKind::kMatmul:
        run_matmul(step, counters[i], rows, thread);
        break;
      case StepKind::kAttention:
        run_attention(step, counters[i], thread);
        break;
    }
    pool_.barrier();
    if (options_.dump_ops.empty()) continue;
    if (thread == 0) dump(step, rows);
    pool_.barrier();
  }
}

void CpuBackend::run_rows(const Step& step, Counter& counter, uint32_t rows, const uint32_t* selected) {
  const uint32_t chunk = std::max(1u, rows / (pool_.size() * 4));
  for (uint32_t first = counter.next.fetch_add(chunk, std::memory_order_relaxed); first < rows;
       first = counter.next.fetch_add(chunk, std::memory_order_relaxed)) {
    for (uint32_t r = first; r < std::min(first + chunk, rows); r++) {
      for (const RowOp& op : step.rows) run_row_op(op, r, selected, {0, op.width});
    }
  }
}

uint32_t CpuBackend::embedded_row(const Op& op, uint32_t index) const {
  switch (op.embed_by) {
    case EmbedBy::kToken:
      return static_cast<uint32_t>(batch_->tokens[index]);
    case EmbedBy::kPosition:
      return positions_[index];
    case EmbedBy::kFirstRow:
      break;
  }
  return 0;
}

void CpuBackend::run_row_op(const RowOp& r, uint32_t index, const uint32_t* selected, Channels channels) {
  const Op* op = r.op;
  const uint32_t first = channels.first, count = channels.count;
  const float* a = r.in[0] == kNoBuffer ? nullptr : row(r.in[0], index) + first;
  const float* b = r.in[1] == kNoBuffer ? nullptr : row(r.in[1], index) + first;
  float* out = r.out == kNoBuffer || r.kind == RowKind::kQuantize ? nullptr : row(r.out, index) + first;
  const auto angles = [&](uint32_t rope) {
    return rope_angles_.data() + rope_offsets_[rope] + size_t{index} * 2 * plan_.ropes[rope].pairs();
  };
  switch (r.kind) {
    case RowKind::kRopeAngles:
      plan_.ropes[r.rope].cos_sin(positions_[index], angles(r.rope), angles(r.rope) + plan_.ropes[r.rope].pairs());
      return;
    case RowKind::kEmbed: {
      const uint32_t from = embedded_row(*op, index);
      CHECK(from < r.matrix->rows);
      table_.unpack_row(*r.matrix, from, out);
      if (op->factor != 1) table_.scale(out, op->factor, count, out);
      return;
    }
    case RowKind::kRmsNorm:
      for (uint32_t i = 0; i < count; i += op->group) {
        table_.rms_norm(a + i, r.vector, op->factor, op->group, out + i);
      }
      return;
    case RowKind::kLayerNorm:
      return table_.layer_norm(a, r.vector, r.bias, op->factor, count, out);
    case RowKind::kBias:
      return table_.add(a, r.vector + first, count, out);
    case RowKind::kRope:
      return table_.rope(a, angles(r.rope), angles(r.rope) + plan_.ropes[r.rope].pairs(), count / op->group, op->group,
                         plan_.ropes[r.rope].pairs(), op->rope.interleaved, out);
    case RowKind::kStoreKeys:
    case RowKind::kStoreValues: {
      const uint32_t layer = op->attention.layer;
      const KvLayer& kv = plan_.layers[layer];
      const KvHeads heads{first / kv.layout.head_dim, count / kv.layout.head_dim};
      const auto store = r.kind == RowKind::kStoreKeys ? table_.store_keys : table_.store_values;
      return store(kv.layout, kv_page(layer, pages_[kv.group][index]), positions_[index] % kPageTokens, heads, a);
    }
    case RowKind::kAdd:
      return table_.add(a, b, count, out);
    case RowKind::kGated:
      return table_.gated(activation_of(op->activation), a, b, count, out);
    case RowKind::kActivate:
      return table_.activate(activation_of(op->activation), a, count, out);
    case RowKind::kSelectOutputs:
      std::copy_n(row(r.in[0], selected[index]), r.width, out);
      return;
    case RowKind::kSoftcap:
      return table_.softcap(a, op->factor, count, out);
    case RowKind::kScale:
      return table_.scale(a, op->factor, count, out);
    case RowKind::kQuantize:
      return table_.quantize(a, count,
                             reinterpret_cast<ActivationBlock*>(row(r.out, index)) + first / kActivationBlock);
  }
}

void CpuBackend::run_matmul(const Step& step, Counter& counter, uint32_t rows, uint32_t thread) {
  const uint32_t blocks = ceil_div(rows, table_.column_block), column_block = ceil_div(ceil_div(rows, blocks), 8u) * 8;
  uint32_t groups = 0;
  for (const MatmulTrack& track : step.tracks) groups += track.groups() * static_cast<uint32_t>(track.outputs.size());
  // Long runs of groups, as they lie together in memory and share what is prepared per tile of columns, yet enough
  // visits to the counter to keep unequal threads equally long at work.
  const uint32_t run = std::clamp(groups * blocks / (pool_.size() * 4), 1u, blocks == 1 ? 32u : 64u);
  const auto run_of = [&](const MatmulTrack& track) {
    return ceil_div(std::max(1u, run / static_cast<uint32_t>(track.outputs.size())), track.granule) * track.granule;
  };
  const auto runs_of = [&](const MatmulTrack& track) { return ceil_div(track.groups(), run_of(track)); };
  uint32_t runs = 0;
  for (const MatmulTrack& track : step.tracks) runs += runs_of(track);
  for (uint32_t task = counter.next.fetch_add(1, std::memory_order_relaxed); task < blocks * runs;
       task = counter.next.fetch_add(1, std::memory_order_relaxed)) {
    const uint32_t column = task / runs * column_block;
    uint32_t index = task % runs;
    auto track = step.tracks.begin();
    for (; index >= runs_of(*track); track++) index -= runs_of(*track);
    const uint32_t first = index * run_of(*track);
    run_track(*track, first, std::min(run_of(*track), track->groups() - first), column,
              std::min(column_block, rows - column), matmul_scratch_[thread].data());
  }
}

void CpuBackend::run_track(const MatmulTrack& track, uint32_t first_group, uint32_t groups, uint32_t column,
                           uint32_t columns, std::byte* scratch) {
  const uint32_t first = first_group * kGroupRows;
  for (const MatmulOutput& output : track.outputs) {
    table_.matmul(*output.matrix, first_group, groups, row(output.in, column), plan_.buffers[output.in].row_bytes,
                  columns, row(output.out, column) + first, plan_.buffers[output.out].row_bytes / sizeof(float),
                  scratch);
  }
  for (uint32_t c = column; c < column + columns; c++) {
    for (const RowOp& op : track.epilogue)
      run_row_op(op, c, nullptr, {first, std::min(groups * kGroupRows, op.width - first)});
  }
}

void CpuBackend::run_attention(const Step& step, Counter& counter, uint32_t thread) {
  const AttentionSpec& spec = step.attention->attention;
  const auto entry = std::find_if(attention_.begin(), attention_.end(),
                                  [&](const auto& known) { return same_kind(known.first, spec); });
  const uint32_t quantized = step.rows.empty() ? kNoBuffer : step.rows[0].out;
  const AttentionCall call{.spec = &spec,
                           .group = plan_.layers[spec.layer].group,
                           .layout = plan_.layers[spec.layer].layout,
                           .layer_pages = kv_layers_[spec.layer],
                           .page_stride = kv_page_bytes_[plan_.layers[spec.layer].group],
                           .q = row(step.in, 0),
                           .q_stride = plan_.buffers[step.in].row_bytes / sizeof(float),
                           .out = row(step.out, 0),
                           .out_stride = plan_.buffers[step.out].row_bytes / sizeof(float),
                           .quantized = quantized == kNoBuffer ? nullptr : buffers_[quantized],
                           .quantized_stride = quantized == kNoBuffer ? 0 : plan_.buffers[quantized].row_bytes};
  entry->second.run(call, counter.next, thread);
}

void CpuBackend::dump(const Step& step, uint32_t rows) const {
  const auto emit = [&](const Op* op, uint32_t buffer) {
    if (op == nullptr || buffer == kNoBuffer || plan_.buffers[buffer].quantized) return;
    if (op->name.find(options_.dump_ops) == std::string::npos) return;
    const BufferSpec& spec = plan_.buffers[buffer];
    std::vector<float> values;
    for (uint32_t r = 0; r < rows; r++) {
      const auto* from = reinterpret_cast<const float*>(buffers_[buffer] + r * spec.row_bytes);
      values.insert(values.end(), from, from + spec.width);
    }
    options_.on_dump(op->name, values, spec.width);
  };
  for (const RowOp& op : step.rows) emit(op.op, op.out);
  for (const MatmulTrack& track : step.tracks) {
    for (const MatmulOutput& output : track.outputs) {
      if (output.op->bias.empty()) emit(output.op, output.out);
    }
  }
  emit(step.attention, step.out);
}

}  // namespace
}  // namespace cpu

std::vector<KvGroup> kv_groups(const Graph& graph, KvType type) {
  std::vector<KvGroup> groups = {KvGroup{}};
  std::vector<bool> seen(graph.layers());  // several ops may share a layer's pages
  for (const Op& op : graph.ops()) {
    if (op.kind != OpKind::kStoreKv || seen[op.attention.layer]) continue;
    seen[op.attention.layer] = true;
    const uint32_t group = cpu::kv_group_of(groups, op.attention.window);
    if (group == groups.size()) groups.push_back({.window = op.attention.window, .page_bytes = 0});
    groups[group].page_bytes += cpu::KvLayout{type, op.attention.kv_heads, op.attention.head_dim}.page_bytes();
  }
  return groups;
}

Result<std::unique_ptr<Backend>> make_cpu_backend(const Graph& graph, const BackendOptions& options) {
  return cpu::CpuBackend::make(graph, options);
}

}  // namespace ingle
