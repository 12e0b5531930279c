// The layer that Llama and its descendants share: norm before attention, norm before a gated MLP, residuals around
// both.
#pragma once

#include "format/weights.h"
#include "graph/graph.h"
#include "nn/blocks.h"
#include "nn/config.h"

namespace ingle::models {

struct PreNormLayer {
  nn::RmsNorm attn_norm, mlp_norm;
  nn::Attention attn;
  nn::GatedMlp mlp;

  PreNormLayer(const Weights& w, const nn::Config& c, const nn::Attention::Options& attention)
      : attn_norm(w, "attn_norm", c.dim, c.norm_epsilon),
        mlp_norm(w, "ffn_norm", c.dim, c.norm_epsilon),
        attn(w, c.dim, attention),
        mlp(w, c.dim, c.mlp_dim, ActivationKind::kSilu) {}

  Value attend(Value x) const { return x + attn(attn_norm(x)); }
  Value feed_forward(Value x) const { return x + mlp(mlp_norm(x)); }
};

// Embedding, layers, final norm and logits. `attention(layer)` gives the options of a layer's attention.
template <typename AttentionOptions>
void record_pre_norm_decoder(Graph& graph, const Weights& w, const nn::Config& c, AttentionOptions attention) {
  const nn::Embedding embedding(w, c.vocab, c.dim);
  const nn::RmsNorm output_norm(w, "output_norm", c.dim, c.norm_epsilon);
  Value x = embedding.embed(graph, 1.0f);
  for (uint32_t i = 0; i < c.layers; i++) {
    const Graph::Scope scope(graph, "layers." + std::to_string(i));
    const PreNormLayer layer(w["blk"][i], c, attention(i));
    x = layer.attend(x);
    // Nothing after the last attention looks at other tokens: from here on only those whose logits are wanted.
    if (i + 1 == c.layers) x = graph.select_outputs(x);
    x = layer.feed_forward(x);
  }
  x = output_norm(x);
  graph.set_hidden(x);
  graph.set_logits(embedding.logits(x));
}

}  // namespace ingle::models
