// The answer to a request for generated text, whatever the API: reads the choices as they come, and has a writer say
// them in the API's words, as a stream of events or as one body at the end.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/generation.h"
#include "server/http.h"

namespace ingle {

class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  virtual const char* stream_type() const = 0;  // Content-Type of the stream
  // The text of the stream for what is new of one choice; before the first event, for its beginning; after the last,
  // for its end; and for an end in failure.
  virtual std::string begin(uint32_t choices) = 0;
  virtual std::string news(uint32_t choice, const TokenEvent& event) = 0;
  virtual std::string end(const Usage& usage) = 0;
  virtual std::string failure(const ApiError& error) = 0;
  // Of a stream that has begun: what clients pass over. By default a comment, as streams of events may have it.
  virtual std::string heartbeat() { return ": keep-alive\n\n"; }
  // The body that says it all at once; answers by choice.
  virtual std::string whole(const std::vector<TokenEvent>& answers, const Usage& usage) = 0;
};

class GenerationAnswer final : public Answer {
 public:
  // `errors`: of a failure before the answer has begun.
  GenerationAnswer(std::unique_ptr<Generation> generation, std::unique_ptr<AnswerWriter> writer, bool stream,
                   ErrorForm errors);
  Part take() override;
  bool is_slow() override;
  std::string heartbeat() override { return started_ ? writer_->heartbeat() : std::string(); }
  void stop() override { stopped_ = true; }

 private:
  void gather();
  Part fail(const ApiError& error);
  Part stream_part();
  Part whole_part();

  const std::unique_ptr<Generation> generation_;
  const std::unique_ptr<AnswerWriter> writer_;
  const bool stream_;
  const ErrorForm errors_;
  bool started_ = false, stopped_ = false;
  std::vector<TokenEvent> news_;  // by choice: what was not said yet
};

}  // namespace ingle
