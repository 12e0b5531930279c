#include "nn/config.h"

#include <fmt/format.h>

#include <cmath>

#include "tensor/dtype.h"

namespace ingle::nn {
namespace {

// Far above any published model, far below what would wrap a size.
constexpr uint32_t kMaxLayers = 1024, kMaxWidth = 1 << 20, kMaxHeadDim = 1024, kMaxContext = 1 << 24,
                   kMaxTokenTypes = 1 << 16;

struct Reader {
  const GgufFile& file;
  std::string prefix;

  std::string key(std::string_view name) const { return prefix + std::string(name); }

  Result<uint32_t> count(std::string_view name, uint32_t max, uint32_t absent = 0) const {
    if (absent == 0 && !file.has(key(name))) return file.get<uint32_t>(key(name));
    ASSIGN_OR_RETURN(const uint32_t value, file.get_or<uint32_t>(key(name), absent));
    if (value >= 1 && value <= max) return value;
    return Error{ErrorCode::kInvalidData, fmt::format("{} is {}, outside 1 to {}", key(name), value, max), ""};
  }

  Result<float> number(std::string_view name, float absent, float min, float max) const {
    ASSIGN_OR_RETURN(const float value, file.get_or<float>(key(name), absent));
    if (value >= min && value <= max) return value;
    return Error{ErrorCode::kInvalidData, fmt::format("{} is {}, outside {} to {}", key(name), value, min, max), ""};
  }
};

Status read_rope(const Reader& read, Config& c) {
  ASSIGN_OR_RETURN(c.rope.base, read.number("rope.freq_base", 10000.0f, 1.0f, 1e12f));
  ASSIGN_OR_RETURN(c.rope.dims, read.count("rope.dimension_count", c.head_dim, c.head_dim));
  if (c.rope.dims % 2 != 0) {
    return Error{ErrorCode::kInvalidData, fmt::format("{} is odd", read.key("rope.dimension_count")), ""};
  }
  // Older files name the factor alone.
  const std::string usual = read.file.has(read.key("rope.scaling.factor")) ? "linear" : "none";
  ASSIGN_OR_RETURN(const std::string scaling, read.file.get_or<std::string>(read.key("rope.scaling.type"), usual));
  if (scaling == "linear") {
    ASSIGN_OR_RETURN(c.rope.linear_scale, read.number("rope.scaling.factor", 1.0f, 1.0f, 1024.0f));
  } else if (scaling != "none") {
    return Error{ErrorCode::kUnsupported, fmt::format("rope scaling \"{}\" is not known", scaling),
                 "known are \"none\", \"linear\" and the tensor rope_freqs.weight"};
  }
  const GgufTensor* factors = read.file.find_tensor("rope_freqs.weight");
  if (factors == nullptr) return {};
  if (factors->values() != c.rope.dims / 2 || factors->type != DType::kF32) {
    return Error{ErrorCode::kInvalidData,
                 fmt::format("tensor \"rope_freqs.weight\" must hold {} values of type F32", c.rope.dims / 2), ""};
  }
  c.rope.factors.resize(c.rope.dims / 2);
  dequantize(factors->type, factors->data, c.rope.factors.data(), c.rope.factors.size());
  for (const float factor : c.rope.factors) {
    if (!(factor > 0 && std::isfinite(factor))) {
      return Error{ErrorCode::kInvalidData, "tensor \"rope_freqs.weight\" holds a value that is not positive", ""};
    }
  }
  return {};
}

Status read_attention(const Reader& read, Config& c) {
  ASSIGN_OR_RETURN(c.heads, read.count("attention.head_count", 4096));
  ASSIGN_OR_RETURN(c.kv_heads, read.count("attention.head_count_kv", c.heads, c.heads));
  if (c.heads % c.kv_heads != 0) {
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{} = {} is no multiple of head_count_kv = {}", read.key("attention.head_count"), c.heads,
                             c.kv_heads),
                 ""};
  }
  if (!read.file.has(read.key("attention.key_length")) && c.dim % c.heads != 0) {
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{} is missing and embedding_length {} is no multiple of {} heads",
                             read.key("attention.key_length"), c.dim, c.heads),
                 ""};
  }
  ASSIGN_OR_RETURN(c.head_dim, read.count("attention.key_length", kMaxHeadDim, std::max(1u, c.dim / c.heads)));
  ASSIGN_OR_RETURN(const uint32_t value_length, read.count("attention.value_length", kMaxHeadDim, c.head_dim));
  if (value_length != c.head_dim) {
    return Error{
        ErrorCode::kUnsupported,
        fmt::format("{} is {} where keys have {}", read.key("attention.value_length"), value_length, c.head_dim),
        "keys and values of different lengths are not supported"};
  }
  const float usual = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
  c.attention_scale_in_file = read.file.has(read.key("attention.scale"));
  ASSIGN_OR_RETURN(c.attention_scale, read.number("attention.scale", usual, 1e-6f, 1e6f));
  ASSIGN_OR_RETURN(c.attention_softcap, read.number("attn_logit_softcapping", 0.0f, 0.0f, 1e6f));
  ASSIGN_OR_RETURN(c.logits_softcap, read.number("final_logit_softcapping", 0.0f, 0.0f, 1e6f));
  return {};
}

Status read_window(const Reader& read, Config& c) {
  ASSIGN_OR_RETURN(c.window, read.file.get_or<uint32_t>(read.key("attention.sliding_window"), 0));
  ASSIGN_OR_RETURN(c.window_rope_base, read.number("rope.freq_base_swa", 0.0f, 0.0f, 1e12f));
  const std::string key = read.key("attention.sliding_window_pattern");
  const GgufValue* pattern = read.file.find(key);
  if (pattern == nullptr) return {};
  if (!std::holds_alternative<GgufArray>(*pattern)) {
    ASSIGN_OR_RETURN(c.window_pattern, read.count("attention.sliding_window_pattern", kMaxLayers));
    return {};
  }
  ASSIGN_OR_RETURN(const std::vector<bool>* layers, read.file.bools(key));
  if (layers->size() != c.layers) {
    return Error{ErrorCode::kInvalidData, fmt::format("{} has {} values for {} layers", key, layers->size(), c.layers),
                 ""};
  }
  c.window_layers = *layers;
  return {};
}

Status read_encoder(const Reader& read, Config& c) {
  if (read.file.has(read.key("attention.causal"))) {
    ASSIGN_OR_RETURN(c.causal, read.file.get<bool>(read.key("attention.causal")));
  }
  ASSIGN_OR_RETURN(c.pooling_type, read.file.get_or<uint32_t>(read.key("pooling_type"), 0));
  // Not of the architecture, but that is where the format has it.
  constexpr const char* kTokenTypes = "tokenizer.ggml.token_type_count";
  ASSIGN_OR_RETURN(c.token_types, read.file.get_or<uint32_t>(kTokenTypes, 0));
  if (c.token_types <= kMaxTokenTypes) return {};
  return Error{ErrorCode::kInvalidData,
               fmt::format("{} is {}, more than {}", kTokenTypes, c.token_types, kMaxTokenTypes), ""};
}

}  // namespace

Result<Config> Config::from_gguf(const GgufFile& file) {
  Config c;
  ASSIGN_OR_RETURN(c.architecture, file.get<std::string>("general.architecture"));
  const Reader read{file, c.architecture + "."};
  ASSIGN_OR_RETURN(c.layers, read.count("block_count", kMaxLayers));
  ASSIGN_OR_RETURN(c.dim, read.count("embedding_length", kMaxWidth));
  ASSIGN_OR_RETURN(c.mlp_dim, read.count("feed_forward_length", kMaxWidth));
  ASSIGN_OR_RETURN(c.context_length, read.count("context_length", kMaxContext));
  const bool rms = !file.has(read.key("attention.layer_norm_epsilon"));
  const char* epsilon = rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  ASSIGN_OR_RETURN(c.norm_epsilon, read.number(epsilon, 1e-5f, 0.0f, 1.0f));
  RETURN_IF_ERROR(read_attention(read, c));
  RETURN_IF_ERROR(read_window(read, c));
  RETURN_IF_ERROR(read_rope(read, c));
  RETURN_IF_ERROR(read_encoder(read, c));
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2 || embedding->shape[1] > (1u << 24)) {
    return Error{ErrorCode::kInvalidData, "tensor \"token_embd.weight\" is missing or is no matrix",
                 embedding == nullptr && file.tensors().empty() ? "the file holds a vocabulary but no model" : ""};
  }
  c.vocab = static_cast<uint32_t>(embedding->shape[1]);
  return c;
}

AttentionSpec Config::attention(uint32_t layer) const {
  return {.layer = layer,
          .heads = heads,
          .kv_heads = kv_heads,
          .head_dim = head_dim,
          .window = 0,
          .scale = attention_scale,
          .softcap = attention_softcap};
}

}  // namespace ingle::nn
