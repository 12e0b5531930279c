#include "server/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ingle {
namespace {

constexpr uint64_t kMaxScores = 1u << 20;

// Agents know by the words "maximum context length" that they have to shorten what they say.
ApiError too_long(size_t tokens, uint32_t context) {
  return {.status = 400,
          .message = fmt::format("This model's maximum context length is {} tokens. However, the prompt has {} tokens "
                                 "(shorten the prompt)",
                                 context, tokens),
          .param = {},
          .code = kContextExceeded};
}

// What an answer with log-probabilities takes, in numbers: while it is made, and as text many times that.
uint64_t score_count(const Request& request, uint64_t prompt_tokens, uint32_t context) {
  uint64_t count = 0;
  if (request.prompt_logprobs) count += prompt_tokens * (1 + uint64_t{*request.prompt_logprobs});
  if (!request.logprobs) return count;
  const uint64_t room = std::max<uint64_t>(context - prompt_tokens, 1);
  const uint64_t tokens = request.max_tokens == 0 ? room : std::min<uint64_t>(request.max_tokens, room);
  return count + tokens * (1 + uint64_t{request.top_logprobs});
}

}  // namespace

Generation::Generation(std::shared_ptr<ServedModel> model, uint32_t choices_per_prompt, Places::Taken places,
                       std::shared_ptr<KeyAccount> account)
    : model_(std::move(model)),
      account_(std::move(account)),
      choices_per_prompt_(choices_per_prompt),
      places_(std::move(places)) {}

Generation::~Generation() {
  streams_.clear();
  give_back_places();
}

void Generation::give_back_places() {
  places_.give_back();
  if (account_ != nullptr) account_->give_back(std::exchange(answers_, 0));
}

std::variant<std::unique_ptr<Generation>, ApiError> Generation::start(std::shared_ptr<ServedModel> model,
                                                                      const Request& request,
                                                                      const std::vector<std::vector<TokenId>>& prompts,
                                                                      uint32_t choices_per_prompt,
                                                                      std::shared_ptr<KeyAccount> account) {
  Engine& engine = *model->engine;
  for (const auto& prompt : prompts) {
    if (prompt.size() > engine.info().context) return too_long(prompt.size(), engine.info().context);
  }
  uint64_t scores = 0;
  for (const auto& prompt : prompts) {
    scores += choices_per_prompt * score_count(request, prompt.size(), engine.info().context);
  }
  if (scores > kMaxScores) {
    return invalid_field("logprobs", fmt::format("{} log-probabilities may come of this, {} are allowed (lower "
                                                 "max_tokens, n or the number of alternatives)",
                                                 scores, kMaxScores));
  }
  const auto total = static_cast<uint32_t>(prompts.size()) * choices_per_prompt;
  if (const uint32_t most = model->places->most_of_one(); total > most) {
    return invalid_field("n", fmt::format("{} answers are asked for, the server takes {} at most", total, most));
  }
  if (account != nullptr) {
    if (std::optional<ApiError> refused = account->take(total, KeyAccount::Clock::now())) return *refused;
  }
  std::optional<Places::Taken> places = model->places->take(request.cache_owner, total);
  if (!places) {
    if (account != nullptr) account->give_back(total);
    return queue_full(*model);
  }
  std::unique_ptr<Generation> generation(
      new Generation(std::move(model), choices_per_prompt, std::move(*places), std::move(account)));
  generation->answers_ = total;
  uint64_t prompt_tokens = 0;
  for (const auto& prompt : prompts) {
    for (uint32_t choice = 0; choice < choices_per_prompt; choice++) {
      Request one = request;
      one.prompt = prompt;
      one.choice = choice;
      Result<std::unique_ptr<TokenStream>> stream = engine.submit(std::move(one));
      if (!stream.ok()) return api_error(stream.error());
      generation->streams_.push_back(std::move(stream).value());
    }
    prompt_tokens += prompt.size();
  }
  generation->count(prompt_tokens);
  generation->finished_.assign(total, false);
  generation->unfinished_ = total;
  return generation;
}

void Generation::count(uint64_t tokens) {
  if (account_ != nullptr && tokens > 0) account_->count_tokens(tokens, KeyAccount::Clock::now());
}

std::vector<Generation::News> Generation::take() {
  std::vector<News> news;
  uint64_t tokens = 0;
  for (uint32_t choice = 0; choice < choices(); choice++) {
    if (finished_[choice]) continue;
    std::optional<TokenEvent> event = streams_[choice]->try_next();
    if (!event) continue;
    if (event->finish != FinishReason::kNone) {
      finished_[choice] = true;
      unfinished_--;
    }
    tokens += event->tokens.size();
    news.push_back({choice, std::move(*event)});
  }
  count(tokens);
  // Others need not wait until a slow client has read the last of it.
  if (finished()) give_back_places();
  return news;
}

Usage Generation::usage() const {
  Usage usage;
  for (uint32_t choice = 0; choice < choices(); choice++) {
    const RequestStats stats = streams_[choice]->stats();
    usage.completion_tokens += stats.generated_tokens;
    usage.prompt_ms = std::max(usage.prompt_ms, stats.prompt_ms);
    usage.generation_ms = std::max(usage.generation_ms, stats.generation_ms);
    if (choice % choices_per_prompt_ != 0) continue;
    usage.prompt_tokens += stats.prompt_tokens;
    usage.cached_tokens += stats.cached_tokens;
  }
  return usage;
}

}  // namespace ingle
