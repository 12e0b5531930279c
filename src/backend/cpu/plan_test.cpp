#include "backend/cpu/plan.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "base/thread_pool.h"

namespace ingle::cpu {
namespace {

constexpr uint32_t kVocab = 96;

// A model as its files describe them: which biases and norms it has, and its shapes.
struct Shape {
  uint32_t layers = 2, heads = 6, kv_heads = 2, head_dim = 32, hidden = 192, feed_forward = 512;
  bool bias = false, head_norms = false, post_norms = false;
};

class Recorder {
 public:
  explicit Recorder(const Shape& shape) : shape_(shape) {
    Value x = graph_.embed(matrix(kVocab, shape.hidden), 1, EmbedBy::kToken, "embed");
    for (uint32_t layer = 0; layer < shape.layers; layer++) x = mlp(attend(x, layer));
    x = norm(graph_.select_outputs(x));
    graph_.set_hidden(x);
    graph_.set_logits(graph_.linear(x, matrix(kVocab, shape.hidden), {}, "output"));
  }

  const Graph& graph() const { return graph_; }
  Plan plan(const PlanOptions& options) {
    ThreadPool pool(1);
    weights_ = *PackedWeights::pack(graph_, *find_table("scalar"), pool, {});
    return make_plan(graph_, weights_, options);
  }

 private:
  Tensor tensor(DType type, uint32_t rows, uint32_t cols) {
    Tensor result;
    result.type = type;
    result.rows = rows;
    result.cols = cols;
    result.data = bytes_.emplace_back(result.bytes()).data();
    return result;
  }
  Tensor matrix(uint32_t rows, uint32_t cols) { return tensor(DType::kQ8_0, rows, cols); }
  Tensor bias(uint32_t width) { return shape_.bias ? tensor(DType::kF32, 1, width) : Tensor{}; }
  Value norm(Value x) { return graph_.rms_norm(x, tensor(DType::kF32, 1, x.width()), 1e-6f, "norm"); }
  Value head_norm(Value x) {
    return shape_.head_norms ? graph_.rms_norm(x, tensor(DType::kF32, 1, shape_.head_dim), 1e-6f, "norm") : x;
  }
  Value post_norm(Value x) { return shape_.post_norms ? norm(x) : x; }
  Value project(Value x, uint32_t width) { return graph_.linear(x, matrix(width, x.width()), bias(width), "linear"); }

  Value attend(Value x, uint32_t layer) {
    AttentionSpec spec;
    spec.layer = layer;
    spec.heads = shape_.heads;
    spec.kv_heads = shape_.kv_heads;
    spec.head_dim = shape_.head_dim;
    RopeSpec rope;
    rope.dims = shape_.head_dim;
    const Value normed = norm(x);
    const Value q = project(normed, shape_.heads * shape_.head_dim);
    const Value k = project(normed, shape_.kv_heads * shape_.head_dim);
    const Value v = project(normed, shape_.kv_heads * shape_.head_dim);
    const Value q_rotated = graph_.rope(head_norm(q), shape_.head_dim, rope, "rope");
    const Value k_rotated = graph_.rope(head_norm(k), shape_.head_dim, rope, "rope");
    graph_.store_kv(k_rotated, v, spec);
    return x + post_norm(project(graph_.attention(q_rotated, spec), shape_.hidden));
  }
  Value mlp(Value x) {
    const Value normed = norm(x);
    const Value gate = project(normed, shape_.feed_forward), up = project(normed, shape_.feed_forward);
    return x + post_norm(project(graph_.gated(gate, up, ActivationKind::kSilu), shape_.hidden));
  }

  const Shape shape_;
  Graph graph_;
  std::deque<std::vector<uint8_t>> bytes_;
  PackedWeights weights_;
};

TEST(Plan, ALayerIsSevenStepsWhateverItsFamily) {
  for (const bool bias : {false, true}) {
    for (const bool head_norms : {false, true}) {
      for (const bool post_norms : {false, true}) {
        Shape shape{.bias = bias, .head_norms = head_norms, .post_norms = post_norms};
        const size_t steps = Recorder(shape).plan({.threads = 2}).body.size();
        shape.layers++;
        EXPECT_EQ(Recorder(shape).plan({.threads = 2}).body.size() - steps, 7u) << bias << head_norms << post_norms;
      }
    }
  }
}

TEST(Plan, WithoutFusionEveryOpIsItsOwnStep) {
  Recorder model({.bias = true});
  const Plan plan = model.plan({.fuse = false});
  EXPECT_GT(plan.body.size(), size_t{30});
  for (const Step& step : plan.body) EXPECT_LE(step.rows.size() + step.tracks.size(), 2u);
}

// Embeddings need no logits: those are apart from what leads to the hidden state.
TEST(Plan, TheLogitsAreApartFromTheHiddenState) {
  for (const bool fuse : {true, false}) {
    const Plan plan = Recorder({}).plan({.fuse = fuse});
    const auto matmuls = [](const std::vector<Step>& steps) {
      size_t count = 0;
      for (const Step& step : steps) count += step.tracks.size();
      return count;
    };
    EXPECT_EQ(matmuls(plan.head), 0u);
    EXPECT_EQ(matmuls(plan.head_tail), 1u);
    EXPECT_EQ(plan.buffers[plan.hidden].width, Shape().hidden);
    EXPECT_EQ(plan.buffers[plan.logits].width, kVocab);
    EXPECT_NE(plan.hidden, plan.logits);
  }
}

// Every row op's channels lie within one task.
TEST(Plan, TasksTearNothingApart) {
  for (const uint32_t head_dim : {16u, 24u, 32u, 48u, 80u, 128u}) {
    Recorder model({.heads = 8, .head_dim = head_dim, .bias = true, .head_norms = true});
    for (const Step& step : model.plan({.threads = 1}).body) {
      for (const MatmulTrack& track : step.tracks) {
        for (const MatmulOutput& output : track.outputs) EXPECT_EQ(output.matrix->groups(), track.groups());
        for (const RowOp& row : track.epilogue) {
          const bool by_head = row.kind == RowKind::kRope || row.kind == RowKind::kRmsNorm ||
                               row.kind == RowKind::kStoreKeys || row.kind == RowKind::kStoreValues;
          const uint32_t together = by_head ? head_dim : row.kind == RowKind::kQuantize ? 32 : kGroupRows;
          EXPECT_EQ(track.granule * kGroupRows % together, 0u) << head_dim;
        }
      }
    }
  }
}

TEST(Plan, LargeHeadsDoNotLeaveThreadsIdle) {
  Recorder model({.heads = 4, .kv_heads = 1, .head_dim = 256});
  for (const uint32_t threads : {1u, 12u}) {
    const Plan plan = model.plan({.threads = threads});
    const MatmulTrack& q = plan.body[1].tracks[0];
    EXPECT_EQ(q.granule, threads == 1 ? 16u : 1u);
    EXPECT_EQ(q.epilogue.empty(), threads != 1);
  }
}

}  // namespace
}  // namespace ingle::cpu
