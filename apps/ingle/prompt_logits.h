// Logits of every position of a given sequence of tokens: what `ingle eval` computes from.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace ingle {

// Runs the tokens as a prompt and calls `each` with the logits [vocab] of its positions in order, on the engine's
// thread while this waits. Stops early when `each` gives an error, which is then the result. All logits are finite.
// Errors: those of Engine::submit and of the run.
Status for_each_prompt_logits(Engine& engine, std::vector<TokenId> tokens,
                              std::function<Status(uint32_t position, std::span<const float> logits)> each);

}  // namespace ingle
