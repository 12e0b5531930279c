// Gemma 3, text (Gemma Team, 2025): norms before and after attention and MLP, five sliding-window layers for each full
// one with a rope base of their own, embeddings scaled by sqrt(dim). GGUF stores the norms' weights with 1 added.
#include <cmath>

#include "models/families.h"
#include "nn/blocks.h"

namespace ingle::models {
namespace {

constexpr uint32_t kFullEvery = 6;          // of the published models; the file may name another pattern
constexpr float kLocalRopeBase = 10000.0f;  // sliding layers; published files have no key for it
constexpr uint32_t k27bLayers = 62;

struct Gemma3Layer {
  nn::RmsNorm attn_norm, post_attn_norm, mlp_norm, post_mlp_norm;
  nn::Attention attn;
  nn::GatedMlp mlp;

  Gemma3Layer(const Weights& w, const nn::Config& c, const nn::Attention::Options& attention)
      : attn_norm(w, "attn_norm", c.dim, c.norm_epsilon),
        post_attn_norm(w, "post_attention_norm", c.dim, c.norm_epsilon),
        mlp_norm(w, "ffn_norm", c.dim, c.norm_epsilon),
        post_mlp_norm(w, "post_ffw_norm", c.dim, c.norm_epsilon),
        attn(w, c.dim, attention),
        mlp(w, c.dim, c.mlp_dim, ActivationKind::kGeluTanh) {}

  Value attend(Value x) const { return x + post_attn_norm(attn(attn_norm(x))); }
  Value feed_forward(Value x) const { return x + post_mlp_norm(mlp(mlp_norm(x))); }
};

bool slides(const nn::Config& c, uint32_t layer) {
  if (c.window == 0) return false;
  if (!c.window_layers.empty()) return c.window_layers[layer];
  return (layer + 1) % (c.window_pattern > 0 ? c.window_pattern : kFullEvery) != 0;
}

nn::Attention::Options attention_options(const nn::Config& c, uint32_t layer) {
  nn::Attention::Options options{
      .spec = c.attention(layer), .rope = c.rope, .norm_epsilon = c.norm_epsilon, .qk_norm = true};
  if (slides(c, layer)) {
    options.spec.window = c.window;
    options.rope.base = c.window_rope_base > 0 ? c.window_rope_base : kLocalRopeBase;
    options.rope.linear_scale = 1;
  }
  // The 27B model alone scales by the width per head instead of the head's own; its file has no key for that.
  if (c.layers == k27bLayers && !c.attention_scale_in_file) {
    options.spec.scale = 1.0f / std::sqrt(static_cast<float>(c.dim / c.heads));
  }
  return options;
}

}  // namespace

void record_gemma3(Graph& graph, const Weights& w, const nn::Config& c) {
  const nn::Embedding embedding(w, c.vocab, c.dim);
  const nn::RmsNorm output_norm(w, "output_norm", c.dim, c.norm_epsilon);
  Value x = embedding.embed(graph, std::sqrt(static_cast<float>(c.dim)));
  for (uint32_t i = 0; i < c.layers; i++) {
    const Graph::Scope scope(graph, "layers." + std::to_string(i));
    const Gemma3Layer layer(w["blk"][i], c, attention_options(c, i));
    x = layer.attend(x);
    if (i + 1 == c.layers) x = graph.select_outputs(x);  // as in pre_norm_decoder.h
    x = layer.feed_forward(x);
  }
  x = output_norm(x);
  graph.set_hidden(x);
  x = embedding.logits(x);
  if (c.logits_softcap > 0) x = graph.softcap(x, c.logits_softcap);
  graph.set_logits(x);
}

}  // namespace ingle::models
