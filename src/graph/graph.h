// A model's computation as a flat list of ops, recorded once at load by the blocks of src/nn, with the leading
// dimension `tokens` symbolic. A backend plans buffers and fusions from it; nothing here computes. Immutable after
// recording.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace ingle {

class Graph;

// A [tokens, width] float tensor inside a graph. After select_outputs, `tokens` is the number of wanted logits rows.
struct Value {
  Graph* graph = nullptr;
  uint32_t id = 0;
  uint32_t width() const;
};

enum class ActivationKind : uint8_t { kSilu, kGeluTanh, kGeluErf };

// Which row of its matrix an embedding takes for a token.
enum class EmbedBy : uint8_t { kToken, kPosition, kFirstRow };

// Rotary position embedding: angle of pair i at position p is float(p / linear_scale) * base^(-2i/dims) / factors[i].
struct RopeSpec {
  float base = 10000;
  float linear_scale = 1;
  uint32_t dims = 0;           // rotated channels of each head, even
  bool interleaved = false;    // pairs (2i, 2i + 1); else (i, i + dims / 2)
  std::vector<float> factors;  // [dims / 2] or empty

  bool operator==(const RopeSpec&) const = default;
};

struct AttentionSpec {
  uint32_t layer = 0;  // whose KV pages
  uint32_t heads = 0;
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;
  uint32_t window = 0;  // 0: full; else a query sees the keys at positions > its own - window
  float scale = 1;      // of q.k
  float softcap = 0;    // 0: none
  bool causal = true;   // else a query sees all keys of its sequence, which must then be in one step; without window
};

enum class OpKind : uint8_t {
  kEmbed,          // out = rows of `weight` by token id, position, or the first for all (embed_by), times `factor`
  kRmsNorm,        // out = each run of `group` channels of in[0] divided by its root mean square, times weight [group]
  kLayerNorm,      // out = in[0] with mean 0 and variance 1, times weight, plus bias
  kLinear,         // out = in[0] weight^T (+ bias)
  kRope,           // out = in[0] rotated, heads of head_dim = group channels
  kStoreKv,        // in[0], in[1] are this step's keys and values: into the pages of `attention.layer`
  kAttention,      // out = attention of in[0] over the pages of `attention.layer`
  kAdd,            // out = in[0] + in[1]
  kGated,          // out = activation(in[0]) * in[1]
  kActivate,       // out = activation(in[0])
  kSelectOutputs,  // out = the rows of in[0] whose logits, or final hidden states, are wanted
  kSoftcap,        // out = factor * tanh(in[0] / factor)
  kScale,          // out = factor * in[0]
};

struct Op {
  OpKind kind;
  std::string name;  // "layers.3.attn.q", for dumps and errors
  uint32_t out = 0;  // value ids
  uint32_t in[2] = {0, 0};
  uint32_t inputs = 0;
  Tensor weight;       // embed, norms, linear
  Tensor bias;         // layer_norm; linear, may be empty
  float factor = 1;    // embed, softcap, scale; norms: epsilon
  uint32_t group = 0;  // rms_norm: channels per norm; rope: head_dim
  EmbedBy embed_by = EmbedBy::kToken;
  ActivationKind activation = ActivationKind::kSilu;
  RopeSpec rope;
  AttentionSpec attention;
};

class Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // Names of ops recorded while the scope lives begin with `name.`.
  class Scope {
   public:
    Scope(Graph& graph, const std::string& name);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Graph& graph_;
    size_t length_;
  };

  Value embed(const Tensor& weight, float factor, EmbedBy by, const std::string& name);
  Value rms_norm(Value x, const Tensor& weight, float epsilon, const std::string& name);
  Value layer_norm(Value x, const Tensor& weight, const Tensor& bias, float epsilon, const std::string& name);
  Value linear(Value x, const Tensor& weight, const Tensor& bias, const std::string& name);
  Value rope(Value x, uint32_t head_dim, const RopeSpec& spec, const std::string& name);
  void store_kv(Value k, Value v, const AttentionSpec& spec);
  Value attention(Value q, const AttentionSpec& spec);
  Value add(Value a, Value b);
  Value gated(Value gate, Value up, ActivationKind activation);
  Value activate(Value x, ActivationKind activation);
  Value select_outputs(Value x);
  Value softcap(Value x, float cap);
  Value scale(Value x, float factor);
  // The final hidden state, of which embeddings are made, behind select_outputs. Every graph has one.
  void set_hidden(Value hidden);
  // What comes of the hidden state in a language model; an encoder has none.
  void set_logits(Value logits) { logits_ = logits.id; }

  const std::vector<Op>& ops() const { return ops_; }
  const std::vector<uint32_t>& widths() const { return widths_; }  // of each value
  uint32_t hidden() const { return hidden_; }
  std::optional<uint32_t> logits() const { return logits_; }
  size_t hidden_ops() const { return hidden_ops_; }  // how many ops lead to the hidden state; the others to the logits
  uint32_t hidden_width() const { return widths_[hidden_]; }
  uint32_t vocab() const { return logits_ ? widths_[*logits_] : 0; }
  uint32_t layers() const { return layers_; }  // with KV pages
  bool causal() const { return causal_; }

 private:
  Op& record(OpKind kind, const std::string& name, uint32_t width, std::initializer_list<Value> in);

  std::vector<Op> ops_;
  std::vector<uint32_t> widths_;
  std::string scope_;
  uint32_t hidden_ = 0;
  size_t hidden_ops_ = 0;
  std::optional<uint32_t> logits_;
  uint32_t layers_ = 0;
  bool causal_ = true;
};

inline Value operator+(Value a, Value b) { return a.graph->add(a, b); }

}  // namespace ingle
