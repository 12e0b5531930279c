#include "nn/blocks.h"

namespace ingle::nn {

Linear::Linear(const Weights& w, const std::string& name, uint32_t in, uint32_t out)
    : name_(name), weight_(w[name].matrix("weight", out, in)), bias_(w[name].optional_vector("bias", out)) {}

Value Linear::operator()(Value x) const { return x.graph->linear(x, weight_, bias_, name_); }

RmsNorm::RmsNorm(const Weights& w, const std::string& name, uint32_t width, float epsilon)
    : name_(name), weight_(w[name].vector("weight", width)), epsilon_(epsilon) {}

Value RmsNorm::operator()(Value x) const { return x.graph->rms_norm(x, weight_, epsilon_, name_); }

LayerNorm::LayerNorm(const Weights& w, const std::string& name, uint32_t width, float epsilon)
    : name_(name), weight_(w[name].vector("weight", width)), bias_(w[name].vector("bias", width)), epsilon_(epsilon) {}

Value LayerNorm::operator()(Value x) const { return x.graph->layer_norm(x, weight_, bias_, epsilon_, name_); }

Attention::Attention(const Weights& w, uint32_t dim, const Options& options)
    : options_(options),
      q_(w, "attn_q", dim, options.spec.heads * options.spec.head_dim),
      k_(w, "attn_k", dim, options.spec.kv_heads * options.spec.head_dim),
      v_(w, "attn_v", dim, options.spec.kv_heads * options.spec.head_dim),
      out_(w, "attn_output", options.spec.heads * options.spec.head_dim, dim) {
  if (options.qk_norm || w.has("attn_q_norm.weight")) {
    q_norm_.emplace(w, "attn_q_norm", options.spec.head_dim, options.norm_epsilon);
    k_norm_.emplace(w, "attn_k_norm", options.spec.head_dim, options.norm_epsilon);
  }
}

Value Attention::operator()(Value x) const {
  Graph& graph = *x.graph;
  const uint32_t head_dim = options_.spec.head_dim;
  Value q = q_(x), k = k_(x);
  const Value v = v_(x);
  if (q_norm_) {
    q = (*q_norm_)(q);
    k = (*k_norm_)(k);
  }
  if (options_.rope.dims > 0) {
    q = graph.rope(q, head_dim, options_.rope, "rope_q");
    k = graph.rope(k, head_dim, options_.rope, "rope_k");
  }
  graph.store_kv(k, v, options_.spec);
  return out_(graph.attention(q, options_.spec));
}

GatedMlp::GatedMlp(const Weights& w, uint32_t dim, uint32_t hidden, ActivationKind activation)
    : activation_(activation),
      gate_(w, "ffn_gate", dim, hidden),
      up_(w, "ffn_up", dim, hidden),
      down_(w, "ffn_down", hidden, dim) {}

Value GatedMlp::operator()(Value x) const {
  const Value gate = gate_(x);
  const Value up = up_(x);
  return down_(x.graph->gated(gate, up, activation_));
}

Mlp::Mlp(const Weights& w, uint32_t dim, uint32_t hidden, ActivationKind activation)
    : activation_(activation), up_(w, "ffn_up", dim, hidden), down_(w, "ffn_down", hidden, dim) {}

Value Mlp::operator()(Value x) const { return down_(x.graph->activate(up_(x), activation_)); }

Embedding::Embedding(const Weights& w, uint32_t vocab, uint32_t dim)
    : weight_(w["token_embd"].matrix("weight", vocab, dim)),
      output_(w.has("output.weight") ? w["output"].matrix("weight", vocab, dim) : weight_) {}

Value Embedding::embed(Graph& graph, float factor) const {
  return graph.embed(weight_, factor, EmbedBy::kToken, "embed");
}

Value Embedding::logits(Value x) const { return x.graph->linear(x, output_, no_bias_, "output"); }

}  // namespace ingle::nn
