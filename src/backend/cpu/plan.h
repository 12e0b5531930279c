// A graph turned into the steps that the CPU runs between barriers, with a buffer for every value.
// Linears that read the same value share its quantised activations and one step. Ops that need only a few neighbouring
// channels (bias, norm of a head, rope, storing K and V, activation, quantisation) are done by the thread that has just
// computed those; others that work on one token at a time are chained, so that a thread carries a token through all of
// them. That makes seven steps a layer. No fusion changes a result.
// Built once at load; constant afterwards.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/packed_weights.h"
#include "backend/cpu/rope_table.h"
#include "graph/graph.h"
#include "kv/kv_types.h"

namespace ingle::cpu {

inline constexpr uint32_t kNoBuffer = UINT32_MAX;
// Logits are computed for at most this many rows at a time, so that their buffer stays small with large vocabularies.
inline constexpr uint32_t kHeadRows = 32;

// What one token-wise operation does; in and out are rows of buffers.
enum class RowKind : uint8_t {
  kRopeAngles,  // cosines and sines of the token's position, into the table `rope`
  kEmbed,
  kRmsNorm,
  kLayerNorm,
  kBias,
  kRope,
  kStoreKeys,
  kStoreValues,
  kAdd,
  kGated,
  kActivate,
  kSelectOutputs,
  kSoftcap,
  kScale,
  kQuantize,  // in[0] as ActivationBlocks into the quantised buffer `out`
};

struct RowOp {
  RowKind kind;
  const Op* op = nullptr;  // the op it computes; for kBias and kQuantize the linear that needs it
  uint32_t in[2] = {kNoBuffer, kNoBuffer};
  uint32_t out = kNoBuffer;
  uint32_t width = 0;                    // of in[0]
  uint32_t rope = 0;                     // index into Plan::ropes
  const float* vector = nullptr;         // norm weight or bias
  const float* bias = nullptr;           // of kLayerNorm
  const PackedMatrix* matrix = nullptr;  // of kEmbed
};

struct MatmulOutput {
  const Op* op = nullptr;
  const PackedMatrix* matrix = nullptr;
  uint32_t in = kNoBuffer;  // a quantised buffer for block-quantised weights, else a float buffer
  uint32_t out = kNoBuffer;
};

// Matmuls of one width whose groups a task computes together, and what it then does to their channels.
struct MatmulTrack {
  std::vector<MatmulOutput> outputs;
  std::vector<RowOp> epilogue;
  uint32_t granule = 1;  // a task's groups begin at a multiple of it, so that no row op's channels are torn apart

  uint32_t groups() const { return outputs[0].matrix->groups(); }
};

enum class StepKind : uint8_t { kRows, kMatmul, kAttention };

struct Step {
  StepKind kind = StepKind::kRows;
  std::vector<RowOp> rows;  // of kAttention: quantisation of its result, at most
  std::vector<MatmulTrack> tracks;
  const Op* attention = nullptr;
  uint32_t in = kNoBuffer, out = kNoBuffer;  // of attention
};

struct BufferSpec {
  uint32_t width = 0;    // floats per row
  size_t row_bytes = 0;  // with padding, a multiple of 64
  bool quantized = false;
  bool head = false;  // kHeadRows rows instead of max_batch_tokens
};

// Where a layer's keys and values lie.
struct KvLayer {
  KvLayout layout;
  uint32_t group = 0;  // of kv_groups()
};

struct Plan {
  std::vector<Step> body;       // for all tokens of the batch
  std::vector<Step> head;       // from select_outputs to the hidden state: for blocks of up to kHeadRows wanted rows
  std::vector<Step> head_tail;  // from the hidden state to the logits, where these are wanted
  std::vector<BufferSpec> buffers;
  std::vector<RopeTable> ropes;
  std::vector<KvLayer> layers;
  uint32_t hidden = kNoBuffer;
  uint32_t logits = kNoBuffer;  // none in an encoder
  uint32_t max_matmul_cols = 0;
};

// The group of the layers with this window; as many as there are if none has it.
uint32_t kv_group_of(std::span<const KvGroup> groups, uint32_t window);

struct PlanOptions {
  KvType kv_type = KvType::kF16;
  uint32_t threads = 1;  // that should find work in every step
  bool fuse =
      true;  // false keeps every op's output in a buffer and a step of its own, for --dump-ops; the bits are the same
};

Plan make_plan(const Graph& graph, const PackedWeights& weights, const PlanOptions& options);

}  // namespace ingle::cpu
