// For the tests of writers of answers: how to read answers that have calls of f and g as Hermes writes them, a chat
// request with such answers, and events of an answer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/chat_request.h"

namespace ingle {

inline std::shared_ptr<const AnswerParserOptions> hermes_reading() {
  AnswerParserOptions reading;
  reading.syntax.calls = CallFormat::kHermes;
  reading.syntax.reasoning_open = "<think>";
  reading.syntax.reasoning_close = "</think>";
  reading.tools = {{.name = "f", .text_parameters = {}}, {.name = "g", .text_parameters = {}}};
  return std::make_shared<AnswerParserOptions>(reading);
}

inline ChatRequest chat_with_tools() {
  ChatRequest out;
  out.prompt = {1, 2, 3};
  out.reading = hermes_reading();
  return out;
}

inline TokenEvent answer_event(const std::string& text, FinishReason finish = FinishReason::kNone) {
  TokenEvent out;
  out.text = text;
  out.finish = finish;
  return out;
}

// Of an answer that has these tokens, the first with the log-probability -1, the next with -2 and so on.
inline TokenEvent tokens_event(const Tokenizer& tokenizer, const std::vector<std::string>& pieces,
                               FinishReason finish = FinishReason::kNone) {
  TokenEvent out;
  out.finish = finish;
  for (const std::string& piece : pieces) {
    out.tokens.push_back(tokenizer.find_token(piece));
    out.logprobs.push_back(-static_cast<float>(out.tokens.size()));
    out.top_logprobs.push_back({{out.tokens.back(), out.logprobs.back()}});
    if (!tokenizer.is_control(out.tokens.back())) out.text += piece;
  }
  return out;
}

inline Usage usage_of_test() {
  Usage usage;
  usage.prompt_tokens = 10;
  usage.cached_tokens = 4;
  usage.completion_tokens = 7;
  usage.prompt_ms = 2;
  usage.generation_ms = 3;
  return usage;
}

}  // namespace ingle
