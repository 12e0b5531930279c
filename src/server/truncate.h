// Prompts that are too long are errors, unless the request says that their beginning may be cut off.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "server/request_fields.h"
#include "text/tokenizer.h"

namespace ingle {

struct TruncateOptions {
  std::optional<uint32_t> tokens;  // that the prompt keeps
  // Of a prompt that does not fit: as many as leave a quarter of the context, or max_tokens if that is less.
  bool to_context = false;
};

// truncate_prompt_tokens (vLLM's; -1 is truncate) and truncate (ours).
void read_truncate_options(RequestFields& fields, TruncateOptions& out);

// Cuts off the beginning of a prompt as `options` say, but for the model's BOS in front. Whether there was something to
// cut. `max_tokens`: of the answer; 0: not given.
bool truncate_prompt(const TruncateOptions& options, const Tokenizer& tokenizer, uint32_t context, uint32_t max_tokens,
                     std::vector<TokenId>& prompt);

}  // namespace ingle
