// Log-probabilities as the APIs write them: OpenAI's of text completions, and vLLM's of prompts.
#pragma once

#include <string>
#include <vector>

#include "engine/request.h"
#include "server/json_text.h"
#include "text/detokenizer.h"
#include "text/tokenizer.h"

namespace ingle {

// A token's name among log-probabilities: its text, U+FFFD for bytes that are no characters, or "token_id:123".
std::string token_name(const Tokenizer& tokenizer, TokenId id, bool as_id);

// Where each token's text begins in a text that is made of them, in characters; of a character whose bytes lie in
// several tokens, the character's place.
class TextOffsets {
 public:
  // `at_start`: as DecodeOptions has it.
  TextOffsets(const Tokenizer& tokenizer, bool at_start) : detokenizer_(tokenizer, {.at_start = at_start}) {}
  size_t next(TokenId id);

 private:
  Detokenizer detokenizer_;
  size_t characters_ = 0;
};

// The object "logprobs" of a text completion, token by token.
class CompletionScores {
 public:
  // `alternatives` of each token are written at most, and the token itself.
  CompletionScores(const Tokenizer& tokenizer, uint32_t alternatives, bool tokens_as_ids, TextOffsets& offsets)
      : tokenizer_(tokenizer), alternatives_(alternatives), as_ids_(tokens_as_ids), offsets_(offsets) {}
  using Alternatives = std::vector<std::pair<TokenId, float>>;

  // A prompt's first token, which has no probability.
  void add_first(TokenId id);
  void add(TokenId id, float logprob, const Alternatives& top);
  bool empty() const { return count_ == 0; }
  std::string text() &&;

 private:
  void add_token(TokenId id);

  const Tokenizer& tokenizer_;
  const uint32_t alternatives_;
  const bool as_ids_;
  TextOffsets& offsets_;
  size_t count_ = 0;
  JsonList tokens_{'['}, logprobs_{'['}, tops_{'['}, text_offsets_{'['};
};

// vLLM's "prompt_logprobs": null for the first token, then {"ID":{"logprob","rank","decoded_token"}, ...} for each,
// with the token itself and the `alternatives` most likely.
std::string prompt_logprobs_text(const Tokenizer& tokenizer, const std::vector<TokenId>& prompt,
                                 const std::vector<PromptScore>& scores, uint32_t alternatives);

}  // namespace ingle
