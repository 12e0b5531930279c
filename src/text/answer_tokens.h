// Tells which part of an answer each of its tokens belongs to, as AnswerParser splits the answer's text. Owned by the
// reader of the answer; one thread at a time. A function of the tokens alone, however they come.
#pragma once

#include <memory>
#include <vector>

#include "text/answer_parser.h"
#include "text/detokenizer.h"

namespace ingle {

class AnswerTokens {
 public:
  using Part = AnswerParser::Part;

  // The tokenizer must outlive it.
  AnswerTokens(const Tokenizer& tokenizer, const std::shared_ptr<const AnswerParserOptions>& options);

  // The parts of the oldest tokens that have not been told of yet, as far as `token`, the answer's next one, settles
  // them. The marks of reasoning and calls belong to them, and the white space behind the marks.
  std::vector<Part> push(TokenId token);
  // Those that the answer's end settles: all that are left.
  std::vector<Part> finish();

 private:
  std::vector<Part> settled(Part part);

  Detokenizer detokenizer_;
  AnswerParser parser_;
  size_t untold_ = 0;   // tokens
  size_t content_ = 0;  // the first of them, which have brought content, whatever what waits with the last will be
  uint32_t calls_ = 0;  // when something was last settled
};

// The control tokens whose text the reader of an answer has to see.
std::vector<TokenId> shown_control(const AnswerParserOptions& options);

}  // namespace ingle
