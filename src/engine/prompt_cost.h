// What tokens of prompts cost a step, by how many stand before them: without this the first slice of a prompt that goes
// on deep in the prefix cache would take several times what one at its beginning does.
#pragma once

#include <cstdint>
#include <limits>

#include "graph/graph.h"

namespace ingle {

// In units of a token that none stands before.
struct PromptCost {
  // So many tokens before it make a token cost twice as much: attention to them takes as long as all else.
  double doubling = std::numeric_limits<double>::infinity();

  // Of tokens [begin, begin + tokens).
  double of(uint32_t begin, uint32_t tokens) const;
  // The most tokens from `begin` on that cost no more.
  uint32_t fitting(uint32_t begin, double cost) const;
};

// By counting multiplications. Sliding windows are taken as full.
PromptCost prompt_cost(const Graph& graph);

}  // namespace ingle
