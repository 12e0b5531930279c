#include "prompt_logits.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

namespace ingle {

Status for_each_prompt_logits(Engine& engine, std::vector<TokenId> tokens,
                              std::function<Status(uint32_t, std::span<const float>)> each) {
  struct Shared {
    std::atomic<bool> stop{false};
    std::optional<Error> error;  // written before `stop`
  } shared;
  Request request;
  request.prompt = std::move(tokens);
  request.max_tokens = 1;
  request.ignore_eos = true;
  request.sampling.temperature = 0;
  request.on_prompt_logits = [&](uint32_t position, std::span<const float> logits) {
    if (shared.stop.load(std::memory_order_relaxed)) return;
    Status status;
    if (!std::all_of(logits.begin(), logits.end(), [](float l) { return std::isfinite(l); })) {
      status = Error{ErrorCode::kInternal, "logits at position " + std::to_string(position) + " are not finite", ""};
    } else {
      status = each(position, logits);
    }
    if (status.ok()) return;
    shared.error = status.error();
    shared.stop.store(true, std::memory_order_release);
  };
  ASSIGN_OR_RETURN(const std::unique_ptr<TokenStream> stream, engine.submit(std::move(request)));
  while (true) {
    const TokenEvent event = stream->next();
    if (shared.stop.load(std::memory_order_acquire)) return *shared.error;
    if (event.error) return *event.error;
    if (event.finish != FinishReason::kNone) return {};
  }
}

}  // namespace ingle
