// The hyperparameters that transformer families share, read from a GGUF file's metadata and checked once.
// Key names and defaults: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "format/gguf.h"
#include "graph/graph.h"

namespace ingle::nn {

struct Config {
  std::string architecture;
  uint32_t layers = 0, dim = 0, heads = 0, kv_heads = 0, head_dim = 0, mlp_dim = 0, vocab = 0;
  uint32_t context_length = 0;  // trained, tokens
  float norm_epsilon = 1e-5f;   // of RMS norms or layer norms, whichever the family has
  RopeSpec rope;                // base, dims, linear scale, and the factors of rope_freqs.weight
  float attention_scale = 0;    // of q.k; 1 / sqrt(head_dim) unless the file says otherwise
  bool attention_scale_in_file = false;
  uint32_t window = 0;              // of sliding layers; 0: the file has none
  uint32_t window_pattern = 0;      // every window_pattern-th layer is full; 0: not in the file
  std::vector<bool> window_layers;  // [layers], which of them slide; or empty: not in the file
  float window_rope_base = 0;       // of sliding layers; 0: not in the file
  float attention_softcap = 0, logits_softcap = 0;
  std::optional<bool> causal;  // attention, where the file says it
  uint32_t pooling_type = 0;   // of embeddings, in llama.cpp's numbers; 0: not in the file, or none
  uint32_t token_types = 0;    // rows of token_types.weight; 0: the file has none

  // Errors: kInvalidData names a missing or absurd key, kUnsupported a variant that we don't compute.
  static Result<Config> from_gguf(const GgufFile& file);

  AttentionSpec attention(uint32_t layer) const;
};

}  // namespace ingle::nn
