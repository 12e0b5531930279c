// The prompts of a request for completions: texts or token ids, one or several, with a suffix or without.
#pragma once

#include <string>
#include <vector>

#include "server/generation_fields.h"
#include "server/served_model.h"

namespace ingle {

struct CompletionPrompt {
  std::vector<TokenId> tokens;
  std::string text;  // as it is echoed
};

// Errors are in `fields`: none at all, what is no prompt, more than kMaxChoices answers in all, a suffix for a model
// that can't fill in.
std::vector<CompletionPrompt> read_completion_prompts(RequestFields& fields, const ServedModel& model,
                                                      const GenerationFields& generation);

}  // namespace ingle
