// What tokens of prompts cost a step, by how many stand before them and whether their logits are asked for: without
// this the first slice of a prompt that goes on deep in the prefix cache, or of one that is scored, would take several
// times what that of another does.
#pragma once

#include <cstdint>
#include <limits>

#include "graph/graph.h"

namespace ingle {

// In units of a token that none stands before.
struct PromptCost {
  // So many tokens before it make a token cost twice as much: attention to them takes as long as all else.
  double doubling = std::numeric_limits<double>::infinity();
  // What a token costs more whose logits are asked for.
  double logits = 0;

  // Of tokens [begin, begin + tokens).
  double of(uint32_t begin, uint32_t tokens, bool with_logits = false) const;
  // The most tokens from `begin` on that cost no more.
  uint32_t fitting(uint32_t begin, double cost, bool with_logits = false) const;
};

// By counting multiplications. Sliding windows are taken as full.
PromptCost prompt_cost(const Graph& graph);

}  // namespace ingle
