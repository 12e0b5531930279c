// BERT (Devlin et al., 2018) as encoders of sentences have it (Reimers and Gurevych, 2019), such as all-MiniLM-L6-v2:
// embeddings of token, position and sentence, norms after each half of a layer, biases everywhere, attention in both
// directions. There are no logits: its final hidden states are pooled. All text is of sentence A, the first type.
#include "models/families.h"
#include "nn/blocks.h"

namespace ingle::models {
namespace {

struct BertLayer {
  nn::Attention attn;
  nn::LayerNorm attn_norm;
  nn::Mlp mlp;
  nn::LayerNorm mlp_norm;

  BertLayer(const Weights& w, const nn::Config& c, const nn::Attention::Options& attention)
      : attn(w, c.dim, attention),
        attn_norm(w, "attn_output_norm", c.dim, c.norm_epsilon),
        mlp(w, c.dim, c.mlp_dim, ActivationKind::kGeluErf),
        mlp_norm(w, "layer_output_norm", c.dim, c.norm_epsilon) {}

  Value attend(Value x) const { return attn_norm(x + attn(x)); }
  Value feed_forward(Value x) const { return mlp_norm(x + mlp(x)); }
};

Value embed(Graph& graph, const Weights& w, const nn::Config& c) {
  const nn::LayerNorm norm(w, "token_embd_norm", c.dim, c.norm_epsilon);
  const Tensor tokens = w["token_embd"].matrix("weight", c.vocab, c.dim);
  const Tensor positions = w["position_embd"].matrix("weight", c.context_length, c.dim);
  Value x = graph.embed(tokens, 1.0f, EmbedBy::kToken, "embed");
  if (c.token_types > 0) {  // files of RoBERTa's kin have none
    const Tensor types = w["token_types"].matrix("weight", c.token_types, c.dim);
    x = x + graph.embed(types, 1.0f, EmbedBy::kFirstRow, "embed_type");
  }
  return norm(x + graph.embed(positions, 1.0f, EmbedBy::kPosition, "embed_position"));
}

}  // namespace

void record_bert(Graph& graph, const Weights& w, const nn::Config& c) {
  Value x = embed(graph, w, c);
  for (uint32_t i = 0; i < c.layers; i++) {
    const Graph::Scope scope(graph, "layers." + std::to_string(i));
    // Keys and values are of no use once their layer's attention is done: all layers have the pages of one.
    AttentionSpec spec = c.attention(0);
    spec.causal = false;
    const BertLayer layer(w["blk"][i], c, {.spec = spec, .rope = {}});
    x = layer.attend(x);
    x = layer.feed_forward(x);
  }
  graph.set_hidden(graph.select_outputs(x));
}

}  // namespace ingle::models
