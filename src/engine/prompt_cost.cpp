#include "engine/prompt_cost.h"

#include <algorithm>
#include <cmath>

namespace ingle {
namespace {

// How much longer a multiplication of attention takes, of floats, than one of the matrices: 2 to 4 on the machines that
// were measured.
constexpr double kAttention = 3;

}  // namespace

double PromptCost::of(uint32_t begin, uint32_t tokens, bool with_logits) const {
  const double each = 1 + (with_logits ? logits : 0);
  return tokens * (each + (begin + (tokens - 1.0) / 2) / doubling);
}

uint32_t PromptCost::fitting(uint32_t begin, double cost, bool with_logits) const {
  constexpr double kMost = std::numeric_limits<uint32_t>::max() / 2;
  const double each = 1 + (with_logits ? logits : 0);
  double tokens = std::min(cost / each, kMost);
  if (std::isfinite(doubling)) {
    // of() is n^2 / 2 + first n over `doubling`.
    const double first = each * doubling + begin - 0.5;
    tokens = std::min(tokens, std::sqrt(first * first + 2 * doubling * std::min(cost, kMost)) - first);
  }
  auto whole = static_cast<uint32_t>(tokens + 0.5);  // at most one too many, whatever was rounded
  while (whole > 0 && of(begin, whole, with_logits) > cost) whole--;
  return whole;
}

PromptCost prompt_cost(const Graph& graph) {
  double matrices = 0, windows = 0, per_token = 0, output = 0;
  for (size_t i = 0; i < graph.ops().size(); i++) {
    const Op& op = graph.ops()[i];
    if (op.kind == OpKind::kLinear) {
      (i < graph.hidden_ops() ? matrices : output) += static_cast<double>(op.weight.rows) * op.weight.cols;
    }
    if (op.kind != OpKind::kAttention) continue;
    const double one = 2.0 * op.attention.heads * op.attention.head_dim;  // scores, and values by them
    (op.attention.window == 0 ? per_token : windows) += one * std::max(op.attention.window, 1u);
  }
  const double one = matrices + kAttention * windows;
  PromptCost cost;
  if (per_token > 0) cost.doubling = one / (kAttention * per_token);
  if (one > 0) cost.logits = output / one;
  return cost;
}

}  // namespace ingle
