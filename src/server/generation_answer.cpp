#include "server/generation_answer.h"

#include <iterator>
#include <optional>
#include <utility>

namespace ingle {
namespace {

constexpr size_t kSlowScores = 1024;  // take a millisecond or so to write

template <typename T>
void append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

bool is_new(const TokenEvent& event) {
  return !event.tokens.empty() || !event.text.empty() || event.finish != FinishReason::kNone;
}

// Log-probabilities are most of what is written.
size_t scores_in(const TokenEvent& event) {
  size_t count = event.logprobs.size();
  for (const auto& top : event.top_logprobs) count += top.size();
  for (const PromptScore& score : event.prompt_scores) count += 1 + score.top.size();
  return count;
}

std::optional<ApiError> failure_of(const TokenEvent& event) {
  if (event.finish == FinishReason::kCancelled) return shutting_down();
  if (event.finish != FinishReason::kError) return std::nullopt;
  return api_error(event.error.value_or(Error{ErrorCode::kInternal, "the model failed", ""}));
}

}  // namespace

GenerationAnswer::GenerationAnswer(std::unique_ptr<Generation> generation, std::unique_ptr<AnswerWriter> writer,
                                   bool stream, ErrorForm errors)
    : generation_(std::move(generation)), writer_(std::move(writer)), stream_(stream), errors_(std::move(errors)) {
  news_.resize(generation_->choices());
}

void GenerationAnswer::gather() {
  for (auto& [choice, event] : generation_->take()) {
    TokenEvent& all = news_[choice];
    append(all.tokens, event.tokens);
    append(all.logprobs, event.logprobs);
    append(all.top_logprobs, event.top_logprobs);
    append(all.prompt_scores, event.prompt_scores);
    all.text += event.text;
    all.finish = event.finish;
    all.stop = event.stop;
    all.error = std::move(event.error);
  }
}

bool GenerationAnswer::is_slow() {
  gather();
  if (!stream_ && !generation_->finished()) return false;
  size_t count = 0;
  for (const TokenEvent& event : news_) count += scores_in(event);
  return count > kSlowScores;
}

Answer::Part GenerationAnswer::take() {
  if (stopped_) return fail(shutting_down());
  gather();
  for (const TokenEvent& event : news_) {
    if (const std::optional<ApiError> failure = failure_of(event)) return fail(*failure);
  }
  return stream_ ? stream_part() : whole_part();
}

Answer::Part GenerationAnswer::fail(const ApiError& error) {
  if (started_) return {.start = {}, .more = writer_->failure(error), .last = true};
  return {.start = error_response(error, errors_), .more = {}, .last = true};
}

Answer::Part GenerationAnswer::stream_part() {
  Part part;
  if (!started_) {
    started_ = true;
    HttpResponse response;
    response.content_type = writer_->stream_type();
    // Proxies such as nginx would hold the events back.
    response.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
    response.body = writer_->begin(generation_->choices());
    part.start = std::move(response);
  }
  for (uint32_t choice = 0; choice < news_.size(); choice++) {
    if (is_new(news_[choice])) part.more += writer_->news(choice, std::exchange(news_[choice], {}));
  }
  if (generation_->finished()) {
    part.more += writer_->end(generation_->usage());
    part.last = true;
  }
  return part;
}

Answer::Part GenerationAnswer::whole_part() {
  Part part;
  if (!generation_->finished()) return part;
  part.start = HttpResponse{};
  part.start->body = writer_->whole(news_, generation_->usage());
  part.last = true;
  return part;
}

}  // namespace ingle
