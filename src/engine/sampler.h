// Picks the next token from one row of logits. Owned by the engine's loop thread; the buffers inside are reused.
// A pick is a function of the logits, the parameters, the tokens so far, the choice index and the position alone, and
// has the same bits on every machine: exp and log are base/det_math.h, sums over candidates are 16 partial sums (by
// id mod 16, rising ids) folded 8 + 8, 4 + 4, 2 + 2, 1 + 1; ties go to the lower id.
//
// The steps, in order (l: logit, p: probability over the candidates that are left):
//  1. logit bias                 l += bias
//  2. repeat penalty             l = l > 0 ? l / penalty : l * penalty, for ids in the window
//  3. presence and frequency     l -= presence + frequency * count, for ids in the window
//     (in double, rounded to float once and kept finite); suppressed ids and those not allowed are no candidates
//  4. temperature 0              the most likely
//  5. top_k                      the k most likely
//  6. typical_p                  by rising |-log p - entropy|, until the p reach typical_p
//  7. top_p                      by falling p, until the p reach top_p
//  8. min_p                      those with p >= min_p times the largest p
//  9. temperature, then a draw   weights exp((l - max) / temperature)
// The window is the last repeat_last_n tokens, prompt and answer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/request.h"

namespace ingle {

// Where a pick stands.
struct PickContext {
  std::span<const TokenId> history = {};     // prompt and answer so far
  uint32_t position = 0;                     // that the picked token will have
  uint32_t choice = 0;                       // of several answers to one prompt
  std::span<const TokenId> suppressed = {};  // ids never picked here (end of generation before min_tokens)
  std::span<const uint32_t> allowed = {};    // ids that may be picked, as constraint.h has them; empty: all of them
};

// Uniform in [0, 1), a multiple of 2^-53: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// 2011) with key = seed and counter = (position, choice, 0, 0).
double uniform_draw(uint64_t seed, uint32_t choice, uint32_t position);

class Sampler {
 public:
  explicit Sampler(uint32_t vocab);

  // logits [vocab]. The parameters are valid. Errors: kInternal if a logit is not finite, kInvalidArgument if
  // no candidate is left.
  Result<TokenId> pick(std::span<const float> logits, const SamplingParams& params, const PickContext& context);

  // Log-softmax of the raw logits [vocab], all of them finite: that of `token`, and the `top` most likely, best first.
  struct Logprobs {
    float token = 0;
    std::vector<std::pair<TokenId, float>> top;
  };
  Logprobs logprobs(std::span<const float> logits, TokenId token, uint32_t top);
  // The same of a token that is known. Errors: kInternal if a logit is not finite.
  Result<PromptScore> score(std::span<const float> logits, TokenId token, uint32_t top, uint32_t position);

 private:
  struct Candidate {
    TokenId id = 0;
    float logit = 0;
    double weight = 0;  // exp(logit - the largest logit)
    double rank = 0;    // which go first where a filter keeps some
  };

  std::span<const float> adjust(std::span<const float> logits, const SamplingParams& params,
                                const PickContext& context);
  void copy_allowed(std::span<const float> logits, std::span<const uint32_t> allowed);
  void penalize(const SamplingParams& params, std::span<const TokenId> history);
  double collect_all(std::span<const float> values, const SamplingParams& params);
  void collect_top(std::span<const float> values, size_t count);
  void keep_typical(double typical_p, double total);
  void keep_top_p(double top_p, double total);
  void keep_ranked(double target_weight);
  void keep_min_p(double min_p);
  double total_weight() const;
  TokenId draw(double temperature, double uniform);
  TokenId draw_from_all(std::span<const float> values, float max, double temperature, double uniform);

  const uint32_t vocab_;
  std::vector<float> adjusted_;        // [vocab]
  std::vector<uint32_t> counts_;       // [vocab], 0 between picks
  std::vector<double> weights_;        // [vocab]
  std::vector<Candidate> candidates_;  // by rising id between the steps
};

}  // namespace ingle
