// The fields that say how an answer is generated, which OpenAI's chat and text completions share, and those of vLLM and
// llama.cpp that their users send along.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "engine/request.h"
#include "server/reasoning_limit.h"
#include "server/request_fields.h"
#include "server/structured_output.h"
#include "server/truncate.h"

namespace ingle {

inline constexpr uint32_t kMaxChoices = 128;  // n, and prompts times n
inline constexpr uint32_t kMaxTopLogprobs = 20;
inline constexpr uint32_t kMaxTokens = 0x7fffffff;  // that max_tokens may say

struct GenerationFields {
  Request request;                     // but for the prompt
  std::optional<WantedOutput> output;  // start_answer() makes the request's constraint of it, where there is none yet
  uint32_t choices = 1;
  bool stream = false, include_usage = false;
  bool may_be_empty = false;   // max_tokens may be 0; set by the caller
  bool tokens_as_ids = false;  // log-probabilities name tokens as "token_id:123"
  TruncateOptions truncate;
  std::optional<uint32_t> thinking_budget;                // tokens of reasoning that a chat may have
  std::shared_ptr<const ReasoningLimit> reasoning_limit;  // the same, made ready; null: none
};

// Sets what the fields say over what `out` has: the model's defaults. Without a seed one is drawn. Fields that ask for
// what we can't do yet are errors, since an answer without it would not be what was asked for.
void read_generation_fields(RequestFields& fields, GenerationFields& out);

// priority and user, which say whose turn it is: of embeddings too.
void read_turn(RequestFields& fields, Request& request);

}  // namespace ingle
