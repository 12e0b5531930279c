// The blocks that model families are made of. A constructor binds and checks its weights once; a call records ops.
// Weights are named as GGUF names them. Optional tensors (biases, QK norms) are bound when the file has them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "format/weights.h"
#include "graph/graph.h"

namespace ingle::nn {

// y = x W^T (+ b). x [tokens, in] -> [tokens, out]
class Linear {
 public:
  Linear(const Weights& w, const std::string& name, uint32_t in, uint32_t out);
  Value operator()(Value x) const;

 private:
  std::string name_;
  Tensor weight_, bias_;
};

// Root mean square layer normalisation (Zhang and Sennrich, 2019) over runs of `width` channels.
class RmsNorm {
 public:
  RmsNorm(const Weights& w, const std::string& name, uint32_t width, float epsilon);
  Value operator()(Value x) const;

 private:
  std::string name_;
  Tensor weight_;
  float epsilon_;
};

// Layer normalisation (Ba et al., 2016) over `width` channels.
class LayerNorm {
 public:
  LayerNorm(const Weights& w, const std::string& name, uint32_t width, float epsilon);
  Value operator()(Value x) const;

 private:
  std::string name_;
  Tensor weight_, bias_;
  float epsilon_;
};

// Multi-head attention with grouped queries over the KV pages of one layer. x [tokens, dim] -> [tokens, dim]
class Attention {
 public:
  struct Options {
    AttentionSpec spec;
    RopeSpec rope;  // dims = 0: no rotation, positions are in the embeddings
    float norm_epsilon = 1e-6f;
    bool qk_norm = false;  // the family requires norms of each head's query and key
  };
  Attention(const Weights& w, uint32_t dim, const Options& options);
  Value operator()(Value x) const;

 private:
  Options options_;
  Linear q_, k_, v_, out_;
  std::optional<RmsNorm> q_norm_, k_norm_;
};

// The gated feed-forward network (Shazeer, 2020): down(activation(gate(x)) * up(x)).
class GatedMlp {
 public:
  GatedMlp(const Weights& w, uint32_t dim, uint32_t hidden, ActivationKind activation);
  Value operator()(Value x) const;

 private:
  ActivationKind activation_;
  Linear gate_, up_, down_;
};

// The feed-forward network of the first transformers (Vaswani et al., 2017): down(activation(up(x))).
class Mlp {
 public:
  Mlp(const Weights& w, uint32_t dim, uint32_t hidden, ActivationKind activation);
  Value operator()(Value x) const;

 private:
  ActivationKind activation_;
  Linear up_, down_;
};

// Token embedding, and the logits matrix where the file ties both (has no output.weight).
class Embedding {
 public:
  Embedding(const Weights& w, uint32_t vocab, uint32_t dim);
  Value embed(Graph& graph, float factor) const;
  Value logits(Value x) const;

 private:
  Tensor weight_, output_, no_bias_;
};

}  // namespace ingle::nn
