// What chat answers have in common, whatever the API: reasoning, content and tool calls told apart, by choice, between
// the engine's events and a writer of the API's words, and the tokens of the reasoning counted. One thread at a time,
// as its Answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/chat_tools.h"
#include "server/generation_answer.h"
#include "text/answer_parser.h"
#include "text/answer_tokens.h"
#include "text/chat_prompt.h"

namespace ingle {

struct ChatRequest;

// How the answers to this prompt are to be read. Sets what the engine has to do for it: show the marks of calls.
std::shared_ptr<AnswerParserOptions> plan_chat_answer(const ChatPrompt& chat, const ChatPrompt::Rendered& prompt,
                                                      const ChatTools& tools, Request& request);

// As Request::begin_end, for answers read so: where one call is all that an answer may have, nothing behind it is told,
// so nothing is generated there. Else empty.
std::function<AnswerEnd()> end_after_only_call(const AnswerParserOptions& reading);

// A writer of chat answers derives from this in place of AnswerWriter and gets what is new as deltas. A
// call is kCallBegin, kCallArguments (maybe several times, maybe never) and kCallEnd, one call after the other.
class ChatAnswerWriter : public AnswerWriter {
 public:
  // `tells_parts`: whether the writer wants to know which part of an answer each token belongs to.
  explicit ChatAnswerWriter(const ChatRequest& asked, bool tells_parts = false);
  ~ChatAnswerWriter() override;

  std::string news(uint32_t choice, const TokenEvent& event) final;
  std::string end(const Usage& usage) final;
  std::string whole(const std::vector<TokenEvent>& answers, const Usage& usage) final;

 protected:
  struct ChatNews {
    uint32_t choice;
    const TokenEvent& event;          // its tokens, log-probabilities and finish; its text is in the deltas
    std::vector<AnswerDelta> deltas;  // may be none
    bool calls_tools;                 // the choice has called a tool, now or before, and was not cut off in a call
    // If the writer wants them: those of the oldest tokens that were not told of before, as AnswerTokens has them.
    std::vector<AnswerTokens::Part> parts;
  };
  struct ChatChoice {
    const TokenEvent& event;
    ParsedAnswer answer;
    std::vector<AnswerDelta> deltas;        // the same in its order
    std::vector<AnswerTokens::Part> parts;  // of all tokens, if the writer wants them
  };
  // The usage has the reasoning's tokens, too.
  virtual std::string chat_news(const ChatNews& news) = 0;
  virtual std::string chat_end(const Usage& usage) = 0;
  virtual std::string chat_whole(const std::vector<ChatChoice>& choices, const Usage& usage) = 0;

 private:
  struct Choice;
  std::unique_ptr<Choice> new_choice() const;
  Choice& choice(uint32_t index);
  std::vector<AnswerTokens::Part> parts_of(Choice& choice, const TokenEvent& event) const;

  const std::shared_ptr<const AnswerParserOptions> options_;
  const Tokenizer* const tokenizer_;  // null: tokens are not looked at
  const bool tells_parts_;
  std::vector<std::unique_ptr<Choice>> choices_;  // of a stream
};

}  // namespace ingle
