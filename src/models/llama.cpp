// Llama 2 and 3.x (Touvron et al., 2023; Llama Team, 2024) and what shares their architecture: SmolLM2, Mistral,
// TinyLlama, DeepSeek-R1-Distill-Llama. GGUF stores Q and K rows permuted, so that rotated pairs are neighbours.
#include "models/families.h"
#include "models/pre_norm_decoder.h"

namespace ingle::models {

void record_llama(Graph& graph, const Weights& w, const nn::Config& c) {
  RopeSpec rope = c.rope;
  rope.interleaved = true;
  record_pre_norm_decoder(graph, w, c, [&](uint32_t layer) {
    return nn::Attention::Options{.spec = c.attention(layer), .rope = rope, .norm_epsilon = c.norm_epsilon};
  });
}

}  // namespace ingle::models
