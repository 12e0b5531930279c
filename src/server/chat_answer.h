// What chat answers have in common, whatever the API: reasoning, content and tool calls told apart, by choice, between
// the engine's events and a writer of the API's words. One thread at a time, as its Answer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/chat_tools.h"
#include "server/generation_answer.h"
#include "text/answer_parser.h"
#include "text/chat_prompt.h"

namespace ingle {

// How the answers to this prompt are to be read. Sets what the engine has to do for it: show the marks of calls.
std::shared_ptr<const AnswerParserOptions> plan_chat_answer(const ChatPrompt& chat, const ChatPrompt::Rendered& prompt,
                                                            const ChatTools& tools, Request& request);

// A writer of chat answers derives from this in place of AnswerWriter and gets what is new as deltas. In a stream a
// call is kCallBegin, kCallArguments (maybe several times, maybe never) and kCallEnd, one call after the other.
class ChatAnswerWriter : public AnswerWriter {
 public:
  explicit ChatAnswerWriter(std::shared_ptr<const AnswerParserOptions> options) : options_(std::move(options)) {}

  std::string news(uint32_t choice, const TokenEvent& event) final;
  std::string whole(const std::vector<TokenEvent>& answers, const Usage& usage) final;

 protected:
  struct ChatNews {
    uint32_t choice;
    const TokenEvent& event;          // its tokens, log-probabilities and finish; its text is in the deltas
    std::vector<AnswerDelta> deltas;  // may be none
    bool calls_tools;                 // the choice has called a tool, now or before
  };
  struct ChatChoice {
    const TokenEvent& event;
    ParsedAnswer answer;
  };
  virtual std::string chat_news(const ChatNews& news) = 0;
  virtual std::string chat_whole(const std::vector<ChatChoice>& choices, const Usage& usage) = 0;

 private:
  AnswerParser& parser(uint32_t choice);

  const std::shared_ptr<const AnswerParserOptions> options_;
  std::vector<std::unique_ptr<AnswerParser>> parsers_;  // by choice, of a stream
};

}  // namespace ingle
