#include "server/truncate.h"

#include <algorithm>
#include <limits>

namespace ingle {
namespace {

// Many clients ask for as many tokens as an answer may ever have.
uint32_t room_for_prompt(uint32_t context, uint32_t max_tokens) {
  const uint32_t most = context / 4;
  const uint32_t answer = max_tokens > 0 ? std::min(max_tokens, most) : most;
  return std::max(context - answer, 1u);
}

}  // namespace

void read_truncate_options(RequestFields& fields, TruncateOptions& out) {
  fields.read("truncate", out.to_context);
  if (!fields.has("truncate_prompt_tokens")) return;
  int32_t tokens = 0;
  fields.read("truncate_prompt_tokens", tokens, -1, std::numeric_limits<int32_t>::max());
  if (tokens == 0) return fields.refuse("truncate_prompt_tokens", "must be -1, or 1 or more");
  if (tokens < 0) {
    out.to_context = true;
  } else {
    out.tokens = static_cast<uint32_t>(tokens);
  }
}

bool truncate_prompt(const TruncateOptions& options, const Tokenizer& tokenizer, uint32_t context, uint32_t max_tokens,
                     std::vector<TokenId>& prompt) {
  size_t keep = prompt.size();
  if (options.tokens) keep = std::min<size_t>(keep, *options.tokens);
  if (options.to_context && keep >= context) keep = std::min<size_t>(keep, room_for_prompt(context, max_tokens));
  if (keep >= prompt.size()) return false;
  const bool has_bos = tokenizer.adds_bos() && prompt.front() == tokenizer.bos() && keep > 1;
  const auto first = static_cast<ptrdiff_t>(has_bos);
  prompt.erase(prompt.begin() + first, prompt.end() - static_cast<ptrdiff_t>(keep) + first);
  return true;
}

}  // namespace ingle
