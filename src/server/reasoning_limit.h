// Bounds how many tokens an answer reasons for: once they are used up, the end of the reasoning is written for the
// model, token by token, and it goes on with the answer. A Constraint (engine/constraint.h), around another one where
// the answer has to have a form besides.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/constraint.h"
#include "text/answer_parser.h"
#include "text/tokenizer.h"

namespace ingle {

struct ReasoningLimit {
  uint32_t tokens = 0;       // of reasoning, once it has begun; what ends it comes on top
  std::vector<TokenId> end;  // that is written then: the closing mark, and the white space that models write behind it
  AnswerSyntax syntax;       // its marks
  bool in_reasoning = false;
  const Tokenizer* tokenizer = nullptr;
  uint32_t vocab = 0;  // ids that a mask has
};

// `reading`: of the answer. `vocab`: width of the logits. The tokenizer must outlive it. Null if the model does not
// tell its reasoning apart: then there is nothing to bound.
std::shared_ptr<const ReasoningLimit> reasoning_limit(uint32_t tokens, const Tokenizer& tokenizer, uint32_t vocab,
                                                      const AnswerParserOptions& reading);

// Where `inner`, if there is one, does not let the end be written, as in the middle of something, it waits for a place
// where that may be. Without a limit `inner` itself.
std::shared_ptr<const Constraint> with_reasoning_limit(std::shared_ptr<const ReasoningLimit> limit,
                                                       std::shared_ptr<const Constraint> inner);

}  // namespace ingle
