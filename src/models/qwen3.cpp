// Qwen3, dense (Qwen Team, 2025): no biases, and each head's query and key are normalised before the rotation.
#include "models/families.h"
#include "models/pre_norm_decoder.h"

namespace ingle::models {

void record_qwen3(Graph& graph, const Weights& w, const nn::Config& c) {
  record_pre_norm_decoder(graph, w, c, [&](uint32_t layer) {
    return nn::Attention::Options{
        .spec = c.attention(layer), .rope = c.rope, .norm_epsilon = c.norm_epsilon, .qk_norm = true};
  });
}

}  // namespace ingle::models
