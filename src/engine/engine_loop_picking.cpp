// What becomes of a step's rows of logits: the next tokens, of answers and where they had been guessed, and how likely
// a prompt's are.
#include <algorithm>
#include <bit>
#include <utility>

#include "engine/engine_loop.h"

namespace ingle {
namespace {

// Whether the mask has any token but these.
bool has_others(std::span<const uint32_t> mask, std::span<const TokenId> these) {
  int64_t count = 0;
  for (const uint32_t word : mask) {
    count += std::popcount(word);
    if (count > static_cast<int64_t>(these.size())) return true;
  }
  for (const TokenId id : these) {
    if (static_cast<size_t>(id) < mask.size() * 32) count -= mask_has(mask, id);
  }
  return count > 0;
}

}  // namespace

// `logits` are those at `position` of the prompt.
void EngineLoop::score_prompt_token(Active& active, uint32_t position, std::span<const float> logits) {
  if (active.failed || position + 1 >= active.sequence.prompt_tokens) return;
  Result<PromptScore> score =
      sampler_.score(logits, active.sequence.tokens[position + 1], *active.request.prompt_logprobs, position);
  if (score.ok()) {
    active.prompt_scores.push_back(std::move(score).value());
  } else {
    active.failed = score.error();
  }
}

// Whether the row, which is that of a guess, has the tokens before it that the answer has.
bool EngineLoop::came_true(const Active& active, const OutputRow& row) const {
  if (picked_.empty()) return false;
  const Picked& before = picked_.back();
  return before.active == &active && before.position + 1 == row.position && before.token.ok() &&
         *before.token == row.sequence->tokens[row.position] && !tokenizer_.is_eog(*before.token);
}

// The mask of the token that comes `ahead` of the answer's next one; nothing if it is late.
std::optional<Result<MaskWorker::Mask>> EngineLoop::wait_for_mask(const Active& active, uint32_t ahead) {
  const Clock::time_point begin = options_.step_clock();
  // What was generated since the masks were begun were guesses then.
  const uint32_t guesses = static_cast<uint32_t>(active.not_masked.size()) + ahead;
  auto mask = masks_.wait(active.mask, guesses, Clock::now() + grace_left_);
  grace_left_ = std::max(grace_left_ - (options_.step_clock() - begin), Clock::duration{});
  return mask;
}

// What follows `position`; nothing if its mask is late.
std::optional<Result<TokenId>> EngineLoop::pick_token(Active& active, uint32_t position,
                                                      std::span<const float> logits) {
  if (active.failed) return *active.failed;
  const Request& request = active.request;
  PickContext context = {.history = std::span(active.sequence.tokens).first(position + 1),
                         .position = position + 1,
                         .choice = request.choice};
  const uint32_t ahead = position + 1 - active.sequence.length();
  if (request.ignore_eos || active.generated + ahead < request.min_tokens) context.suppressed = eog_;
  if (active.mask != nullptr) {
    const std::optional<Result<MaskWorker::Mask>> mask = wait_for_mask(active, ahead);
    if (!mask) return std::nullopt;
    if (!mask->ok()) return mask->error();
    context.allowed = **mask;
    if (!context.suppressed.empty() && !has_others(context.allowed, eog_)) context.suppressed = {};
  }
  return sampler_.pick(logits, request.sampling, context);
}

// False if the mask of what follows `position` is late.
bool EngineLoop::pick_next(Active& active, uint32_t position, std::span<const float> logits) {
  std::optional<Result<TokenId>> token = pick_token(active, position, logits);
  if (!token) return false;
  const Request& request = active.request;
  Picked picked{.active = &active, .position = position, .token = std::move(*token), .logprobs = {}};
  if (picked.token.ok() && (request.logprobs || request.top_logprobs > 0)) {
    picked.logprobs = sampler_.logprobs(logits, *picked.token, request.top_logprobs);
  }
  picked_.push_back(std::move(picked));
  return true;
}

void EngineLoop::pick_row(const OutputRow& row, std::span<const float> logits) {
  Active& active = find(row.sequence);
  if (row.deliver) {
    if (active.request.prompt_logprobs) score_prompt_token(active, row.position, logits);
    if (active.request.on_prompt_logits) {
      active.mailbox->call([&] { active.request.on_prompt_logits(row.position, logits); });
    }
  }
  if (!row.sample) return;
  const uint32_t ahead = row.position + 1 - row.sequence->length();
  if (ahead > 0) {
    if (!came_true(active, row)) return;
    active.right_guesses = ahead;
  }
  if (pick_next(active, row.position, logits)) return;
  active.kept_logits.assign(logits.begin(), logits.end());
  active.guessed = active.right_guesses;  // of the others nothing is known
}

}  // namespace ingle
