// For the tests of writers of answers: how to read answers that have calls of f and g as Hermes writes them, a chat
// request with such answers, and events of an answer.
#pragma once

#include <memory>
#include <string>

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
