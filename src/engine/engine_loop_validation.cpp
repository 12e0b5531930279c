// What a request may not ask of the engine.
#include <fmt/format.h>

#include <utility>

#include "engine/engine_loop.h"

namespace ingle {
namespace {

Error invalid(std::string field, std::string message, std::string remedy = "") {
  return {ErrorCode::kInvalidArgument, std::move(message), std::move(remedy), std::move(field)};
}

}  // namespace

Status EngineLoop::validate(const Request& request) const {
  if (request.prompt.empty()) return invalid("", "the prompt has no tokens");
  if (request.prompt.size() > options_.context) {
    return invalid(
        "", fmt::format("the prompt has {} tokens, the context holds {}", request.prompt.size(), options_.context),
        "shorten the prompt or load the model with a longer context");
  }
  for (size_t i = 0; i < request.prompt.size(); i++) {
    const TokenId id = request.prompt[i];
    if (id >= 0 && static_cast<uint32_t>(id) < options_.vocab) continue;
    return invalid("",
                   fmt::format("token {} of the prompt is {}, outside the vocabulary of {}", i, id, options_.vocab));
  }
  return request.embedding ? validate_embedding(request) : validate_generation(request);
}

Status EngineLoop::validate_embedding(const Request& request) const {
  if (request.embedding->dimensions > options_.hidden_width) {
    return invalid("dimensions", fmt::format("an embedding of {} dimensions is asked for, the model's have {}",
                                             request.embedding->dimensions, options_.hidden_width));
  }
  if (request.embedding->pooling == Pooling::kFirst && options_.generates) {
    return invalid("pooling",
                   "the first token's hidden state knows nothing of the others in a model that generates text",
                   "take the mean or the last token's");
  }
  return {};
}

Status EngineLoop::validate_generation(const Request& request) const {
  if (!options_.generates) {
    return Error{ErrorCode::kUnsupported, "the model makes embeddings, it can't generate text",
                 "ask it for embeddings, or take a language model"};
  }
  RETURN_IF_ERROR(request.sampling.validate());
  for (const auto& [id, bias] : request.sampling.logit_bias) {
    if (id >= 0 && static_cast<uint32_t>(id) < options_.vocab) continue;
    return invalid("logit_bias",
                   fmt::format("logit_bias names token {}, outside the vocabulary of {}", id, options_.vocab));
  }
  if (request.max_tokens > 0 && request.min_tokens > request.max_tokens) {
    return invalid("min_tokens",
                   fmt::format("min_tokens is {}, more than max_tokens, {}", request.min_tokens, request.max_tokens));
  }
  if (request.priority < -kMostPriority || request.priority > kMostPriority) {
    return invalid("priority", fmt::format("priority is {}", request.priority),
                   fmt::format("it must be from {} to {}", -kMostPriority, kMostPriority));
  }
  const uint32_t alternatives = std::max(request.top_logprobs, request.prompt_logprobs.value_or(0));
  if (alternatives > kMaxTopLogprobs) {
    return invalid(request.top_logprobs > kMaxTopLogprobs ? "top_logprobs" : "prompt_logprobs",
                   fmt::format("{} alternatives are asked for of each token", alternatives),
                   fmt::format("top_logprobs and prompt_logprobs must be at most {}", kMaxTopLogprobs));
  }
  if (request.stop.size() > kMaxStopStrings) {
    return invalid("stop", fmt::format("there are {} stop strings", request.stop.size()),
                   fmt::format("{} are allowed", kMaxStopStrings));
  }
  size_t stop_bytes = 0;
  for (const std::string& stop : request.stop) {
    if (stop.size() > kMaxStopBytes) {
      return invalid("stop", fmt::format("a stop string has {} bytes", stop.size()),
                     fmt::format("{} are allowed", kMaxStopBytes));
    }
    stop_bytes += stop.size();
  }
  if (stop_bytes > kMaxStopsBytes) {
    return invalid("stop", fmt::format("the stop strings have {} bytes together", stop_bytes),
                   fmt::format("{} are allowed", kMaxStopsBytes));
  }
  return {};
}

}  // namespace ingle
