#include "server/embedding_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ingle {
namespace {

// Enough to fill the engine's steps with short texts.
constexpr size_t kAtOnce = 16;

std::optional<ApiError> refuse_input(const std::vector<std::vector<TokenId>>& inputs, uint32_t context) {
  for (size_t i = 0; i < inputs.size(); i++) {
    if (inputs[i].empty()) return invalid_field("input", fmt::format("input {} has no tokens", i));
    if (inputs[i].size() <= context) continue;
    return ApiError{.status = 400,
                    .message = fmt::format("This model's maximum context length is {} tokens. However, input {} has {} "
                                           "tokens (shorten it, or set truncate)",  // as in generation.cpp
                                           context, i, inputs[i].size()),
                    .param = "input",
                    .code = kContextExceeded};
  }
  return std::nullopt;
}

}  // namespace

EmbeddingRun::EmbeddingRun(std::shared_ptr<ServedModel> model, const Request& request,
                           std::vector<std::vector<TokenId>> inputs, uint32_t at_once, Places::Taken places,
                           std::shared_ptr<KeyAccount> account)
    : model_(std::move(model)),
      account_(std::move(account)),
      request_(request),
      at_once_(at_once),
      places_(std::move(places)),
      inputs_(std::move(inputs)) {
  vectors_.resize(inputs_.size());
  for (const auto& input : inputs_) prompt_tokens_ += input.size();
}

EmbeddingRun::~EmbeddingRun() {
  open_.clear();
  give_back_places();
}

void EmbeddingRun::give_back_places() {
  places_.give_back();
  if (account_ != nullptr) account_->give_back(std::exchange(answers_, 0));
}

std::variant<std::unique_ptr<EmbeddingRun>, ApiError> EmbeddingRun::start(std::shared_ptr<ServedModel> model,
                                                                          const Request& request,
                                                                          std::vector<std::vector<TokenId>> inputs,
                                                                          std::shared_ptr<KeyAccount> account) {
  if (std::optional<ApiError> refused = refuse_input(inputs, model->engine->info().context)) return *refused;
  const auto most = static_cast<uint32_t>(std::min(inputs.size(), kAtOnce));
  if (account != nullptr) {
    if (std::optional<ApiError> refused = account->take(1, KeyAccount::Clock::now())) return *refused;
  }
  std::optional<Places::Taken> places = model->places->take_some(request.cache_owner, most);
  if (!places) {
    if (account != nullptr) account->give_back(1);
    return queue_full(*model);
  }
  const uint32_t at_once = places->count();
  std::unique_ptr<EmbeddingRun> run(
      new EmbeddingRun(std::move(model), request, std::move(inputs), at_once, std::move(*places), std::move(account)));
  if (run->account_ != nullptr) run->account_->count_tokens(run->prompt_tokens_, KeyAccount::Clock::now());
  if (std::optional<ApiError> refused = run->send_next()) return *refused;
  return run;
}

std::optional<ApiError> EmbeddingRun::send_next() {
  while (open_.size() < at_once_ && sent_ < inputs_.size()) {
    Request one = request_;
    one.prompt = std::move(inputs_[sent_]);
    Result<std::unique_ptr<TokenStream>> stream = model_->engine->submit(std::move(one));
    if (!stream.ok()) return api_error(stream.error());
    open_.push_back({sent_++, std::move(stream).value()});
  }
  return std::nullopt;
}

std::optional<ApiError> EmbeddingRun::advance() {
  for (Open& open : open_) {
    std::optional<TokenEvent> event = open.stream->try_next();
    if (!event) continue;
    if (event->finish == FinishReason::kCancelled) return shutting_down();
    if (event->finish == FinishReason::kError) return api_error(*event->error);
    vectors_[open.input] = std::move(event->embedding);
    open.stream.reset();
    done_++;
  }
  std::erase_if(open_, [](const Open& open) { return open.stream == nullptr; });
  if (finished()) give_back_places();
  return send_next();
}

void truncate_embedding_input(std::vector<TokenId>& tokens, uint32_t limit, const Tokenizer& tokenizer) {
  if (tokens.size() <= limit || limit == 0) return;
  const TokenId last = tokens.back();
  tokens.resize(limit);
  if (tokenizer.adds_eos()) tokens.back() = last;
}

}  // namespace ingle
