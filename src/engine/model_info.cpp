#include "engine/model_info.h"

#include <fmt/format.h>

#include "format/summary.h"

namespace ingle {

Result<SamplingParams> default_sampling(const GgufFile& file) {
  SamplingParams params;
  ASSIGN_OR_RETURN(params.temperature, file.get_or<float>("general.sampling.temp", params.temperature));
  ASSIGN_OR_RETURN(params.top_k, file.get_or<int32_t>("general.sampling.top_k", params.top_k));
  ASSIGN_OR_RETURN(params.top_p, file.get_or<float>("general.sampling.top_p", params.top_p));
  ASSIGN_OR_RETURN(params.min_p, file.get_or<float>("general.sampling.min_p", params.min_p));
  ASSIGN_OR_RETURN(params.repeat_penalty, file.get_or<float>("general.sampling.penalty_repeat", params.repeat_penalty));
  ASSIGN_OR_RETURN(params.repeat_last_n, file.get_or<int32_t>("general.sampling.penalty_last_n", params.repeat_last_n));
  if (params.top_k < 0) params.top_k = 0;  // written so by those for whom every value below 1 means off
  if (const Status status = params.validate(); !status.ok()) {
    return Error{ErrorCode::kInvalidData,
                 fmt::format("the file's defaults (general.sampling.*) are no good: {}", status.error().message),
                 status.error().remedy};
  }
  return params;
}

Result<ModelInfo> model_info(const GgufFile& file) {
  ModelSummary summary = summarize(file);
  ModelInfo info;
  info.name = std::move(summary.name);
  info.architecture = std::move(summary.architecture);
  info.quantization = std::move(summary.quantization);
  info.file_bytes = summary.file_bytes;
  info.parameters = summary.parameters;
  ASSIGN_OR_RETURN(info.chat_template, file.get_or<std::string>("tokenizer.chat_template", ""));
  ASSIGN_OR_RETURN(info.default_sampling, default_sampling(file));
  return info;
}

}  // namespace ingle
