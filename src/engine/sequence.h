// One answer in the making as the scheduler sees it: the tokens known so far and the pages that hold their keys and
// values. Plain data, owned by the engine, changed by the scheduler between steps, on the loop thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/fair_share.h"
#include "engine/request.h"
#include "kv/kv_types.h"
#include "models/pooling.h"

namespace ingle {

// A sequence that was passed over this often by more urgent ones while it had waited longest, or that was preempted so
// often, goes before all others from then on.
inline constexpr uint32_t kMostPassedOver = 32, kMostPreempted = 4;

struct Sequence {
  uint64_t arrival = 0;         // unique, rising in the order of submission
  std::vector<TokenId> tokens;  // the prompt, then what was generated, then guesses
  uint32_t guesses = 0;         // at the end of tokens: what may be generated next, for one step
  uint32_t prompt_tokens = 0;
  bool use_prefix_cache = true;
  uint64_t cache_owner = 0, user = 0;  // as Request has them
  int32_t priority = 0;
  bool all_prompt_logits = false;  // of every prompt position, once each, not only of the last
  std::optional<Pooling> pooling;  // wants the hidden states that this takes, and no logits

  // The scheduler's.
  uint32_t computed = 0;          // keys and values of tokens [0, computed) are in the pages
  uint32_t delivered = 0;         // with all_prompt_logits or pooling: what positions [0, delivered) have to give
  uint32_t cached_tokens = 0;     // of the prompt, found in the prefix cache when it was first admitted
  bool admitted = false;          // ever
  bool begun = false;             // its prompt had a slice since it was admitted
  uint32_t parting = 0;           // up to where the cache knew its tokens; beyond computed, their windows were gone
  std::vector<PageTable> tables;  // by layer group; none while it waits
  FairShare::Account* account = nullptr;
  uint32_t charged = 0;  // tokens that its owner was charged for, with those found in the prefix cache
  uint32_t passed_over = 0, preempted = 0;
  uint64_t last_turn = 0;  // when its prompt last had a slice of a step

  uint32_t length() const { return static_cast<uint32_t>(tokens.size()) - guesses; }
  bool overdue() const { return passed_over >= kMostPassedOver || preempted >= kMostPreempted; }
  std::span<const TokenId> known() const { return std::span(tokens).first(length()); }
  uint32_t pending() const { return length() - computed; }  // not computed yet; of an answer 1, or 0 before its pick
};

}  // namespace ingle
