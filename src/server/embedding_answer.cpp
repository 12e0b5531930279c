#include "server/embedding_answer.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "server/generation_fields.h"

namespace ingle {
namespace {

constexpr size_t kSlowNumbers = 4096;  // take a millisecond or so to write

class EmbeddingAnswer final : public Answer {
 public:
  EmbeddingAnswer(std::unique_ptr<EmbeddingRun> run, EmbeddingBody body, ErrorForm errors)
      : run_(std::move(run)), body_(std::move(body)), errors_(std::move(errors)) {}

  Part take() override {
    if (stopped_) return fail(shutting_down());
    if (const std::optional<ApiError> error = run_->advance()) return fail(*error);
    Part part;
    if (!run_->finished()) return part;
    part.start = HttpResponse{};
    part.start->body = body_(run_->vectors(), run_->prompt_tokens());
    part.last = true;
    return part;
  }

  bool is_slow() override {
    const std::vector<std::vector<float>>& vectors = run_->vectors();
    return vectors.size() * vectors.front().size() >= kSlowNumbers;
  }

  void stop() override { stopped_ = true; }

 private:
  Part fail(const ApiError& error) const { return {.start = error_response(error, errors_), .more = {}, .last = true}; }

  const std::unique_ptr<EmbeddingRun> run_;
  const EmbeddingBody body_;
  const ErrorForm errors_;
  bool stopped_ = false;
};

}  // namespace

Reply embedding_answer(const ApiCall& call, const EmbeddingOptions& options, std::vector<std::vector<TokenId>> inputs,
                       EmbeddingBody body) {
  Request request;
  request.embedding = options;
  request.on_event = call.request.wake;
  request.cache_owner = call.request.cache_owner;
  read_turn(call.fields, request);
  if (call.fields.error()) return *call.fields.error();
  if (call.request.has_key) request.user = 0;  // as in start_answer
  auto started = EmbeddingRun::start(call.model, request, std::move(inputs), call.request.account);
  if (const ApiError* error = std::get_if<ApiError>(&started)) return *error;
  return std::make_unique<EmbeddingAnswer>(std::move(std::get<0>(started)), std::move(body), error_form(call.request));
}

std::string float_array(const std::vector<float>& values) {
  std::string out = "[";
  for (const float value : values) {
    if (out.size() > 1) out += ',';
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
  return out + "]";
}

}  // namespace ingle
