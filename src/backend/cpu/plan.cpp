#include "backend/cpu/plan.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "backend/backend.h"
#include "backend/cpu/kernels/activation_block.h"
#include "base/check.h"
#include "base/checked.h"

namespace ingle::cpu {
namespace {

// Of buffer rows: a matmul writes whole groups of rows of its weight, so that a width is padded to a whole group.
constexpr size_t kRowAlignment = kGroupRows * sizeof(float);
constexpr size_t kNoTrack = SIZE_MAX;
// Fewer in a step, and threads wait for the one with the longest share.
constexpr uint32_t kTasksPerThread = 3;

class Planner {
 public:
  Planner(const Graph& graph, const PackedWeights& weights, const PlanOptions& options)
      : graph_(graph), weights_(weights), options_(options), groups_(kv_groups(graph, options.kv_type)) {}

  Plan run() {
    find_last_readers();
    buffer_of_.assign(graph_.widths().size(), kNoBuffer);
    plan_.layers.resize(graph_.layers());
    add_rope_angles();
    for (index_ = 0; index_ < graph_.ops().size();) {
      const size_t first = index_;
      const Op& op = graph_.ops()[index_];
      if (op.kind == OpKind::kLinear) {
        add_matmul();
      } else if (op.kind == OpKind::kAttention) {
        add_attention(op);
      } else if (op.kind == OpKind::kStoreKv) {
        add_store_kv(op);
      } else {
        add_row_op(op);
      }
      release_values(first);
    }
    plan_.hidden = buffer_of_[graph_.hidden()];
    if (graph_.logits()) plan_.logits = buffer_of_[*graph_.logits()];
    return std::move(plan_);
  }

 private:
  std::vector<Step>& steps() {
    if (index_ >= graph_.hidden_ops()) return plan_.head_tail;
    return in_head_ ? plan_.head : plan_.body;
  }

  Step& step_of(StepKind kind) {
    const bool extend =
        options_.fuse && kind == StepKind::kRows && !steps().empty() && steps().back().kind == StepKind::kRows;
    if (!extend) {
      steps().emplace_back().kind = kind;
      reusable_.insert(reusable_.end(), released_.begin(), released_.end());
      released_.clear();
    }
    return steps().back();
  }

  // A buffer freed while a row chain is built may still be read by another token's chain only in its own row, but a
  // narrower reuse is not worth the reasoning: what is released becomes reusable with the next step.
  void release_values(size_t first) {
    if (!options_.fuse) return;
    for (size_t i = first; i < index_; i++) {
      const Op& op = graph_.ops()[i];
      for (uint32_t k = 0; k < op.inputs; k++) {
        uint32_t& buffer = buffer_of_[op.in[k]];
        if (last_reader_[op.in[k]] >= index_ || buffer == kNoBuffer) continue;
        released_.push_back(buffer);
        buffer = kNoBuffer;
      }
    }
    for (const auto& [value, buffer] : quantized_) {
      if (last_reader_[value] < index_) released_.push_back(buffer);
    }
    std::erase_if(quantized_, [&](const auto& entry) { return last_reader_[entry.first] < index_; });
  }

  void find_last_readers() {
    last_reader_.assign(graph_.widths().size(), 0);
    for (size_t i = 0; i < graph_.ops().size(); i++) {
      const Op& op = graph_.ops()[i];
      for (uint32_t k = 0; k < op.inputs; k++) last_reader_[op.in[k]] = i;
    }
    last_reader_[graph_.hidden()] = graph_.ops().size();
    if (graph_.logits()) last_reader_[*graph_.logits()] = graph_.ops().size();
  }

  uint32_t new_buffer(uint32_t width, bool quantized, DType type = DType::kF32) {
    const size_t bytes = quantized ? activation_bytes(type, width) : width * sizeof(float);
    const BufferSpec spec{width, round_up(bytes, kRowAlignment), quantized, in_head_};
    const auto same = std::find_if(reusable_.begin(), reusable_.end(), [&](uint32_t id) {
      const BufferSpec& have = plan_.buffers[id];
      return have.row_bytes == spec.row_bytes && have.quantized == quantized && have.head == in_head_;
    });
    if (same != reusable_.end()) {
      const uint32_t id = *same;
      reusable_.erase(same);
      plan_.buffers[id] = spec;
      return id;
    }
    plan_.buffers.push_back(spec);
    return static_cast<uint32_t>(plan_.buffers.size() - 1);
  }

  uint32_t define(uint32_t value) { return buffer_of_[value] = new_buffer(graph_.widths()[value], false); }

  uint32_t rope_index(const RopeSpec& spec) {
    const auto it = std::find(rope_specs_.begin(), rope_specs_.end(), spec);
    if (it != rope_specs_.end()) return static_cast<uint32_t>(it - rope_specs_.begin());
    rope_specs_.push_back(spec);
    plan_.ropes.emplace_back(spec.base, spec.dims, spec.linear_scale, spec.factors);
    return static_cast<uint32_t>(rope_specs_.size() - 1);
  }

  void add_rope_angles() {
    for (const Op& op : graph_.ops()) {
      if (op.kind == OpKind::kRope) rope_index(op.rope);
    }
    for (uint32_t i = 0; i < plan_.ropes.size(); i++) {
      step_of(StepKind::kRows).rows.push_back({.kind = RowKind::kRopeAngles, .rope = i});
    }
  }

  static RowKind row_kind(OpKind kind) {
    switch (kind) {
      case OpKind::kEmbed:
        return RowKind::kEmbed;
      case OpKind::kRmsNorm:
        return RowKind::kRmsNorm;
      case OpKind::kLayerNorm:
        return RowKind::kLayerNorm;
      case OpKind::kRope:
        return RowKind::kRope;
      case OpKind::kAdd:
        return RowKind::kAdd;
      case OpKind::kGated:
        return RowKind::kGated;
      case OpKind::kActivate:
        return RowKind::kActivate;
      case OpKind::kSelectOutputs:
        return RowKind::kSelectOutputs;
      case OpKind::kSoftcap:
        return RowKind::kSoftcap;
      case OpKind::kScale:
        return RowKind::kScale;
      case OpKind::kStoreKv:
      case OpKind::kLinear:
      case OpKind::kAttention:
        break;
    }
    CHECK(false);
    return RowKind::kAdd;
  }

  void add_row_op(const Op& op) {
    if (op.kind == OpKind::kSelectOutputs) {
      in_head_ = true;
      // Nothing of the body is reused: its buffers have as many rows as the batch.
      reusable_.clear();
      released_.clear();
    }
    RowOp row{.kind = row_kind(op.kind), .op = &op};
    for (uint32_t k = 0; k < op.inputs; k++) row.in[k] = buffer_of_[op.in[k]];
    row.width = op.inputs > 0 ? graph_.widths()[op.in[0]] : op.weight.cols;
    if (op.kind == OpKind::kEmbed) row.matrix = &weights_.matrix(op.weight);
    if (op.kind == OpKind::kRmsNorm || op.kind == OpKind::kLayerNorm) row.vector = weights_.vector(op.weight);
    if (op.kind == OpKind::kLayerNorm) row.bias = weights_.vector(op.bias);
    if (op.kind == OpKind::kRope) row.rope = rope_index(op.rope);
    std::vector<RowOp>& chain = chain_for(row);
    row.out = define(op.out);
    chain.push_back(row);
    index_++;
  }

  void add_store_kv(const Op& op) {
    plan_.layers[op.attention.layer] = {.layout = {options_.kv_type, op.attention.kv_heads, op.attention.head_dim},
                                        .group = kv_group_of(groups_, op.attention.window)};
    for (uint32_t k = 0; k < 2; k++) {
      const RowOp row{.kind = k == 0 ? RowKind::kStoreKeys : RowKind::kStoreValues,
                      .op = &op,
                      .in = {buffer_of_[op.in[k]], kNoBuffer},
                      .width = graph_.widths()[op.in[k]]};
      chain_for(row).push_back(row);
    }
    index_++;
  }

  // Where a row op is done: by the step that computes its input, if it needs but few of the channels at a time; else in
  // a chain after it.
  std::vector<RowOp>& chain_for(const RowOp& row) {
    if (options_.fuse && !steps().empty()) {
      Step& last = steps().back();
      if (last.kind == StepKind::kAttention && fits_attention(last, row)) return last.rows;
      if (last.kind == StepKind::kMatmul) {
        if (MatmulTrack* track = track_for(last, row)) return track->epilogue;
      }
    }
    return step_of(StepKind::kRows).rows;
  }

  // A tile of attention ends with whole heads.
  static bool fits_attention(const Step& step, const RowOp& row) {
    return row.kind == RowKind::kQuantize && row.in[0] == step.out &&
           step.attention->attention.head_dim % kActivationBlock == 0;
  }

  // The track that computes the row op's input, after joining it with that of the other input; null if the op can't be
  // done there.
  MatmulTrack* track_for(Step& step, const RowOp& row) {
    const uint32_t channels = channels_together(row);
    if (channels == 0 || channels % kGroupRows != 0) return nullptr;
    size_t found[2] = {kNoTrack, kNoTrack};
    for (uint32_t k = 0; k < 2; k++) {
      if (row.in[k] != kNoBuffer) found[k] = track_of(step, row.in[k]);
    }
    if (found[0] == kNoTrack) std::swap(found[0], found[1]);
    if (found[0] == kNoTrack) return nullptr;
    MatmulTrack& track = step.tracks[found[0]];
    const bool join = found[1] != kNoTrack && found[1] != found[0];
    uint32_t granule = std::lcm(track.granule, channels / kGroupRows);
    if (join) granule = std::lcm(granule, step.tracks[found[1]].granule);
    if (track.outputs[0].matrix->rows != row.width || !leaves_enough_tasks(step, granule)) return nullptr;
    if (join && step.tracks[found[1]].outputs[0].matrix->rows != row.width) return nullptr;
    track.granule = granule;
    if (!join) return &track;
    MatmulTrack& other = step.tracks[found[1]];
    track.outputs.insert(track.outputs.end(), other.outputs.begin(), other.outputs.end());
    track.epilogue.insert(track.epilogue.end(), other.epilogue.begin(), other.epilogue.end());
    step.tracks.erase(step.tracks.begin() + static_cast<std::ptrdiff_t>(found[1]));
    return &step.tracks[found[0] - (found[1] < found[0] ? 1 : 0)];
  }

  static size_t track_of(const Step& step, uint32_t buffer) {
    for (size_t i = 0; i < step.tracks.size(); i++) {
      const MatmulTrack& track = step.tracks[i];
      for (const MatmulOutput& output : track.outputs) {
        if (output.out == buffer) return i;
      }
      for (const RowOp& row : track.epilogue) {
        if (row.out == buffer) return i;
      }
    }
    return kNoTrack;
  }

  // Large heads and many threads: better a step more than idle threads.
  bool leaves_enough_tasks(const Step& step, uint32_t granule) const {
    uint32_t groups = 0;
    for (const MatmulTrack& track : step.tracks) groups += track.groups() * static_cast<uint32_t>(track.outputs.size());
    return granule == 1 || groups / granule >= kTasksPerThread * options_.threads;
  }

  // How many channels a row op must be given together, a multiple of which may be done alone; 0: all of them.
  static uint32_t channels_together(const RowOp& row) {
    switch (row.kind) {
      case RowKind::kBias:
      case RowKind::kAdd:
      case RowKind::kGated:
      case RowKind::kActivate:
      case RowKind::kSoftcap:
      case RowKind::kScale:
        return kGroupRows;
      case RowKind::kQuantize:
        return kActivationBlock;
      case RowKind::kRmsNorm:
      case RowKind::kRope:
        return row.op->group;
      case RowKind::kStoreKeys:
      case RowKind::kStoreValues:
        return row.op->attention.head_dim;
      case RowKind::kRopeAngles:
      case RowKind::kEmbed:
      case RowKind::kLayerNorm:
      case RowKind::kSelectOutputs:
        break;
    }
    return 0;
  }

  // The run of linears that read one value, as one step; their biases begin the next chain.
  void add_matmul() {
    const uint32_t value = graph_.ops()[index_].in[0];
    const size_t first = index_;
    size_t end = first + 1;
    while (options_.fuse && end < graph_.ops().size() && end != graph_.hidden_ops() &&
           graph_.ops()[end].kind == OpKind::kLinear && graph_.ops()[end].in[0] == value) {
      end++;
    }
    for (size_t i = first; i < end; i++) {
      const Op& op = graph_.ops()[i];
      if (is_block_quantized(op.weight.type) && !quantized_.contains(value)) add_quantize(op, value);
      plan_.max_matmul_cols = std::max(plan_.max_matmul_cols, op.weight.cols);
    }
    Step& step = step_of(StepKind::kMatmul);
    for (size_t i = first; i < end; i++) {
      const Op& op = graph_.ops()[i];
      const uint32_t in = is_block_quantized(op.weight.type) ? quantized_.at(value) : buffer_of_[value];
      const MatmulOutput output{&op, &weights_.matrix(op.weight), in, define(op.out)};
      step.tracks.emplace_back().outputs.push_back(output);
    }
    for (size_t i = first; i < end; i++) {
      const Op& op = graph_.ops()[i];
      if (op.bias.empty()) continue;
      const uint32_t buffer = buffer_of_[op.out];
      const RowOp row{.kind = RowKind::kBias,
                      .op = &op,
                      .in = {buffer, kNoBuffer},
                      .out = buffer,
                      .width = op.weight.rows,
                      .vector = weights_.vector(op.bias)};
      chain_for(row).push_back(row);
    }
    index_ = end;
  }

  void add_quantize(const Op& op, uint32_t value) {
    const uint32_t width = graph_.widths()[value];
    RowOp row{.kind = RowKind::kQuantize, .op = &op, .in = {buffer_of_[value], kNoBuffer}, .width = width};
    std::vector<RowOp>& chain = chain_for(row);
    row.out = quantized_[value] = new_buffer(width, true, op.weight.type);
    chain.push_back(row);
  }

  void add_attention(const Op& op) {
    CHECK(!in_head_);
    Step& step = step_of(StepKind::kAttention);
    step.attention = &op;
    step.in = buffer_of_[op.in[0]];
    step.out = define(op.out);
    index_++;
  }

  const Graph& graph_;
  const PackedWeights& weights_;
  const PlanOptions options_;
  const std::vector<KvGroup> groups_;
  Plan plan_;
  bool in_head_ = false;
  size_t index_ = 0;
  std::vector<size_t> last_reader_;         // op index per value
  std::vector<uint32_t> buffer_of_;         // per value
  std::map<uint32_t, uint32_t> quantized_;  // value -> quantised buffer
  std::vector<uint32_t> reusable_, released_;
  std::vector<RopeSpec> rope_specs_;
};

}  // namespace

uint32_t kv_group_of(std::span<const KvGroup> groups, uint32_t window) {
  const auto same = std::find_if(groups.begin(), groups.end(), [&](const KvGroup& g) { return g.window == window; });
  return static_cast<uint32_t>(same - groups.begin());
}

Plan make_plan(const Graph& graph, const PackedWeights& weights, const PlanOptions& options) {
  return Planner(graph, weights, options).run();
}

}  // namespace ingle::cpu
