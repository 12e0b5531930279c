// What a caller asks of the engine, and what it hears back. Plain data.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/constraint.h"
#include "models/pooling.h"
#include "text/token.h"

namespace ingle {

// How the next token is picked from the logits. Order of the filters: logit bias, penalties, temperature 0 means the
// most likely; else top_k, typical_p, top_p, min_p, then temperature, then one draw.
struct SamplingParams {
  float temperature = 0.8f;     // 0: greedy
  int32_t top_k = 40;           // 0: off
  float top_p = 0.95f;          // 1: off
  float min_p = 0.05f;          // 0: off
  float typical_p = 1.0f;       // 1: off
  float repeat_penalty = 1.0f;  // 1: off; over the last repeat_last_n tokens
  int32_t repeat_last_n = 64;   // -1: the whole context
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
  std::map<TokenId, float> logit_bias;
  uint64_t seed = 0;  // randomness is a function of (seed, choice, position) alone

  // kInvalidArgument names the field that is out of range or not finite.
  Status validate() const;
};

// An embedding: one vector for a whole text.
struct EmbeddingOptions {
  std::optional<Pooling> pooling = {};  // the model's, unless told otherwise
  bool normalize = true;                // to length 1
  uint32_t dimensions = 0;              // the first so many channels; 0: all. Only models made for it keep their sense
};

inline constexpr int32_t kMostPriority = 1000;  // in either direction

// Follows an answer's text as it comes and says when the answer is over. Called from one thread at a time.
using AnswerEnd = std::function<bool(std::string_view text)>;

struct Request {
  std::vector<TokenId> prompt;
  // If set, no text is generated: the answer is one event with the prompt's embedding, and what is said of sampling and
  // lengths doesn't matter.
  std::optional<EmbeddingOptions> embedding;
  SamplingParams sampling;
  uint32_t max_tokens = 0;  // 0: as many as the context holds
  uint32_t min_tokens = 0;  // end-of-generation tokens are not picked, nor stop strings looked for, before this many
  bool ignore_eos = false;
  // If set, the answer is one that it allows, whatever the sampling; log-probabilities stay those of the model. It ends
  // where it may and the model ends it, not before min_tokens and with ignore_eos not at all while it can go on; where
  // it cannot, it ends. max_tokens and stop strings may cut it short.
  std::shared_ptr<const Constraint> constraint;
  std::vector<std::string> stop;
  // If set, makes for each answer what sees its end, besides the model and stop strings; the answer keeps all text
  // then, and goes on in spite of it up to min_tokens, and with ignore_eos. What it makes is called on the engine's
  // thread and must be quick.
  std::function<AnswerEnd()> begin_end;
  bool continues_text = false;  // the answer's text goes on the prompt's last words: a space between them is kept
  std::vector<TokenId> shown_control;  // control tokens whose text belongs to the answer's: marks of tool calls
  uint32_t choice = 0;                 // which of several answers to one prompt this is
  bool use_prefix_cache = true;
  uint64_t cache_owner = 0;  // prefixes are found by requests of the same owner alone
  // The machine's time is divided evenly between owners, and between users where they have the same owner.
  uint64_t user = 0;
  int32_t priority = 0;       // whoever has less goes first; -kMostPriority to kMostPriority
  uint32_t top_logprobs = 0;  // alternatives reported per token, besides the token's own
  bool logprobs = false;
  // If set, how likely the prompt's own tokens are, with so many alternatives each. Such a request goes round the
  // prefix cache.
  std::optional<uint32_t> prompt_logprobs;
  // If set, called on the engine's thread with the logits [vocab] of every prompt position in order. Such a request
  // goes round the prefix cache.
  std::function<void(uint32_t position, std::span<const float> logits)> on_prompt_logits;
  // If set, called on the engine's thread whenever TokenStream::try_next() has something new. It must be quick.
  std::function<void()> on_event;
};

enum class FinishReason : uint8_t { kNone, kStop, kLength, kCancelled, kError };

// How likely a token of a prompt is after those before it.
struct PromptScore {
  float logprob = 0;
  uint32_t rank = 0;                           // 1: the most likely
  std::vector<std::pair<TokenId, float>> top;  // best first
};

struct TokenEvent {
  std::vector<TokenId> tokens;  // generated since the last event; empty for a final flush of text
  std::string text;             // whole UTF-8 characters; stop strings are cut off
  std::vector<float> logprobs;  // of `tokens`, when asked for
  std::vector<std::vector<std::pair<TokenId, float>>> top_logprobs;
  std::vector<PromptScore> prompt_scores;  // when asked for, with the first token: of all but the prompt's first
  std::vector<float> embedding;            // [dimensions], with kStop of a request for it
  FinishReason finish = FinishReason::kNone;
  std::optional<uint32_t> stop;  // with kStop: which of Request::stop it was, if one of them
  std::optional<Error> error;    // with kError
};

// Filled as the request ends.
struct RequestStats {
  uint32_t prompt_tokens = 0;
  uint32_t cached_tokens = 0;  // of the prompt, found in the prefix cache
  uint32_t generated_tokens = 0;
  double prompt_ms = 0;      // from its first step to its first token
  double generation_ms = 0;  // from its first token to its last
};

}  // namespace ingle
