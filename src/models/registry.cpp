#include <fmt/format.h>

#include <array>
#include <string_view>

#include "models/families.h"
#include "models/model.h"

namespace ingle {
namespace {

struct Family {
  std::string_view architecture;  // general.architecture
  void (*record)(Graph&, const Weights&, const nn::Config&);
};

constexpr std::array kFamilies = {
    Family{"bert", models::record_bert},   Family{"gemma3", models::record_gemma3},
    Family{"llama", models::record_llama}, Family{"qwen2", models::record_qwen2},
    Family{"qwen3", models::record_qwen3},
};

const Family* find_family(std::string_view architecture) {
  for (const Family& family : kFamilies) {
    if (family.architecture == architecture) return &family;
  }
  return nullptr;
}

// llama.cpp's numbers: 0 none, 1 mean, 2 first, 3 last, 4 the score of a reranker.
Result<Pooling> find_pooling(const nn::Config& c, bool causal) {
  switch (c.pooling_type) {
    case 1:
      return Pooling::kMean;
    case 2:
      if (!causal) return Pooling::kFirst;
      break;
    case 3:
      return Pooling::kLast;
    case 0:
      return causal ? Pooling::kLast : Pooling::kMean;
    default:
      if (causal) return Pooling::kLast;  // it is a language model all the same
      break;
  }
  return Error{ErrorCode::kUnsupported,
               fmt::format("{}.pooling_type {} is not supported", c.architecture, c.pooling_type),
               "supported are 1 (mean), 2 (first token, where attention is not causal) and 3 (last token)"};
}

}  // namespace

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) names.emplace_back(family.architecture);
  return names;
}

Result<std::unique_ptr<Model>> build_model(const GgufFile& file) {
  ASSIGN_OR_RETURN(const std::string architecture, file.get<std::string>("general.architecture"));
  const Family* family = find_family(architecture);
  if (family == nullptr) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("general.architecture {} is not supported", gguf_quote(architecture)),
                 fmt::format("known architectures: {}", fmt::join(known_architectures(), ", "))};
  }
  ASSIGN_OR_RETURN(const nn::Config config, nn::Config::from_gguf(file));
  auto model = std::make_unique<Model>();
  const Weights weights(file);
  family->record(model->graph, weights, config);
  if (!weights.status().ok()) return weights.status().error();
  const bool causal = model->graph.causal();
  if (config.causal.value_or(causal) != causal) {
    return Error{
        ErrorCode::kUnsupported,
        fmt::format("{}.attention.causal is {}, which is not known of this architecture", architecture, !causal), ""};
  }
  ASSIGN_OR_RETURN(model->pooling, find_pooling(config, causal));
  model->architecture = architecture;
  model->layers = config.layers;
  model->context_length = config.context_length;
  model->embedding_length = config.dim;
  model->vocab = config.vocab;
  return model;
}

}  // namespace ingle
