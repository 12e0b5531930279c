// Qwen2 and Qwen2.5, Coder and DeepSeek-R1-Distill-Qwen included (Qwen Team, 2024): Llama's layer with biases on Q, K
// and V.
#include "models/families.h"
#include "models/pre_norm_decoder.h"

namespace ingle::models {

void record_qwen2(Graph& graph, const Weights& w, const nn::Config& c) {
  record_pre_norm_decoder(graph, w, c, [&](uint32_t layer) {
    return nn::Attention::Options{.spec = c.attention(layer), .rope = c.rope, .norm_epsilon = c.norm_epsilon};
  });
}

}  // namespace ingle::models
