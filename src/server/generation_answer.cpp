#include "server/generation_answer.h"

#include <iterator>
#include <optional>
#include <utility>

namespace ingle {
namespace {

template <typename T>
void append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
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
  answers_.resize(generation_->choices());
}

Answer::Part GenerationAnswer::take() {
  if (stopped_) return fail(shutting_down());
  std::vector<Generation::News> news = generation_->take();
  for (const Generation::News& one : news) {
    if (const std::optional<ApiError> failure = failure_of(one.event)) return fail(*failure);
  }
  return stream_ ? stream_part(news) : whole_part(news);
}

Answer::Part GenerationAnswer::fail(const ApiError& error) {
  if (started_) return {.start = {}, .more = writer_->failure(error), .last = true};
  return {.start = error_response(error, errors_), .more = {}, .last = true};
}

Answer::Part GenerationAnswer::stream_part(const std::vector<Generation::News>& news) {
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
  for (const auto& [choice, event] : news) part.more += writer_->news(choice, event);
  if (generation_->finished()) {
    part.more += writer_->end(generation_->usage());
    part.last = true;
  }
  return part;
}

Answer::Part GenerationAnswer::whole_part(std::vector<Generation::News>& news) {
  for (auto& [choice, event] : news) {
    TokenEvent& all = answers_[choice];
    append(all.tokens, event.tokens);
    append(all.logprobs, event.logprobs);
    append(all.top_logprobs, event.top_logprobs);
    all.text += event.text;
    all.finish = event.finish;
  }
  Part part;
  if (!generation_->finished()) return part;
  part.start = HttpResponse{};
  part.start->body = writer_->whole(answers_, generation_->usage());
  part.last = true;
  return part;
}

}  // namespace ingle
