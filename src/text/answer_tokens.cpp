#include "text/answer_tokens.h"

#include <algorithm>
#include <utility>

namespace ingle {

AnswerTokens::AnswerTokens(const Tokenizer& tokenizer, const std::shared_ptr<const AnswerParserOptions>& options)
    : detokenizer_(tokenizer, {}, shown_control(*options)), parser_(options) {}

std::vector<AnswerTokens::Part> AnswerTokens::push(TokenId token) {
  untold_++;
  for (const AnswerDelta& delta : parser_.push(detokenizer_.push(token))) {
    if (delta.kind == AnswerDelta::Kind::kContent) content_ = untold_;
  }
  const Part part = parser_.part();
  return part == Part::kUnsettled ? std::vector<Part>() : settled(part);
}

std::vector<AnswerTokens::Part> AnswerTokens::finish() {
  parser_.push(detokenizer_.finish());
  parser_.finish();
  const Part part = parser_.part();
  return settled(part == Part::kUnsettled ? Part::kContent : part);
}

// The last token decides, but what a call was made of before it is the call's, and what was said before that content.
std::vector<AnswerTokens::Part> AnswerTokens::settled(Part part) {
  std::vector<Part> out(std::exchange(untold_, 0), part);
  if (parser_.calls() > std::exchange(calls_, parser_.calls()) && !out.empty()) {
    std::fill(out.begin(), out.end() - 1, Part::kCall);
  }
  std::fill_n(out.begin(), std::exchange(content_, 0), Part::kContent);
  return out;
}

std::vector<TokenId> shown_control(const AnswerParserOptions& options) {
  std::vector<TokenId> out = options.syntax.reasoning_tokens;
  if (options.tools.empty()) return out;
  out.insert(out.end(), options.syntax.call_tokens.begin(), options.syntax.call_tokens.end());
  return out;
}

}  // namespace ingle
