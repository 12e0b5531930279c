#include "server/chat_answer.h"

#include <utility>

namespace ingle {

std::shared_ptr<const AnswerParserOptions> plan_chat_answer(const ChatPrompt& chat, const ChatPrompt::Rendered& prompt,
                                                            const ChatTools& tools, Request& request) {
  auto options = std::make_shared<AnswerParserOptions>();
  options->syntax = chat.syntax();
  options->tools = tools.callable;
  options->in_reasoning = prompt.in_reasoning;
  options->one_call = !tools.parallel;
  // Then a grammar sees to it that what begins as a call is one (call_grammar.h).
  options->stream_arguments = tools.must_call();
  request.shown_control = chat.syntax().reasoning_tokens;
  if (!tools.callable.empty()) {
    const std::vector<TokenId>& marks = chat.syntax().call_tokens;
    request.shown_control.insert(request.shown_control.end(), marks.begin(), marks.end());
  }
  return options;
}

AnswerParser& ChatAnswerWriter::parser(uint32_t choice) {
  while (parsers_.size() <= choice) parsers_.push_back(std::make_unique<AnswerParser>(options_));
  return *parsers_[choice];
}

std::string ChatAnswerWriter::news(uint32_t choice, const TokenEvent& event) {
  AnswerParser& reader = parser(choice);
  std::vector<AnswerDelta> deltas = reader.push(event.text);
  if (event.finish != FinishReason::kNone) {
    // Those of the end may go on where the others ended; an API's client joins them.
    for (AnswerDelta& delta : reader.finish()) deltas.push_back(std::move(delta));
  }
  return chat_news({choice, event, std::move(deltas), reader.calls() > 0});
}

std::string ChatAnswerWriter::whole(const std::vector<TokenEvent>& answers, const Usage& usage) {
  std::vector<ChatChoice> choices;
  for (const TokenEvent& event : answers) {
    AnswerParser reader(options_);
    ParsedAnswer answer;
    for (const AnswerDelta& delta : reader.push(event.text)) answer.add(delta);
    for (const AnswerDelta& delta : reader.finish()) answer.add(delta);
    choices.push_back({event, std::move(answer)});
  }
  return chat_whole(choices, usage);
}

}  // namespace ingle
