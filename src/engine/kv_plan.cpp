#include "engine/kv_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"
#include "base/format_units.h"
#include "kv/kv_types.h"

namespace ingle {
namespace {

constexpr uint32_t kContextStep = 256;
constexpr uint32_t kUnknownContext = 2048;  // where the file does not say what it was trained for
constexpr uint64_t kMaxPages = 2 * uint64_t{kMaxContext} / kPageTokens;

// Part of the free memory that the pool may take, in percent: less where nobody asked for it.
constexpr uint64_t kDefaultPart = 50, kAskedPart = 90;

uint64_t part_of(uint64_t bytes, uint64_t percent) { return bytes / 100 * percent; }

uint64_t pages_for(uint64_t tokens) { return ceil_div(tokens, uint64_t{kPageTokens}); }

}  // namespace

Result<KvPlan> plan_kv(const KvPlanRequest& request) {
  const bool asked = request.wanted_context > 0;
  if (request.wanted_context > kMaxContext) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("a context of {} tokens is too long", request.wanted_context),
                 fmt::format("at most {} are possible", kMaxContext)};
  }
  const uint64_t budget = request.wanted_kv_bytes > 0 ? request.wanted_kv_bytes
                                                      : part_of(request.free_bytes, asked ? kAskedPart : kDefaultPart);
  const uint64_t page_bytes = std::max<uint64_t>(request.page_bytes, 1);
  const uint64_t affordable = std::min(budget / page_bytes, kMaxPages);
  const uint64_t possible = std::min<uint64_t>(affordable * kPageTokens, kMaxContext) / kContextStep * kContextStep;
  const uint32_t trained =
      std::min(request.trained_context > 0 ? request.trained_context : kUnknownContext, kMaxContext);

  KvPlan plan;
  plan.context = asked ? request.wanted_context : trained;
  if (pages_for(plan.context) > affordable) {
    const std::string needed = format_bytes(pages_for(plan.context) * page_bytes);
    if (asked || request.wanted_kv_bytes > 0) {
      if (asked || possible == 0) {
        return Error{ErrorCode::kResourceExhausted,
                     fmt::format("a context of {} tokens takes {} of memory for keys and values, {} can be had",
                                 plan.context, needed, format_bytes(budget)),
                     possible > 0 ? fmt::format("ask for at most {} tokens", possible) : "take a smaller model"};
      }
    }
    // Less than the least context is not worth refusing: what is not used costs nothing.
    plan.context = static_cast<uint32_t>(std::clamp<uint64_t>(possible, std::min(kContextStep, trained), trained));
    plan.note = fmt::format("the context is {} tokens, not the trained {}, which take {} of memory", plan.context,
                            trained, needed);
  } else if (asked && plan.context > trained) {
    plan.note =
        fmt::format("the context is {} tokens, more than the {} the model was trained for", plan.context, trained);
  }
  const uint64_t least = pages_for(plan.context);
  const uint64_t shared = request.max_sequences * pages_for(std::min(plan.context, kPooledTokens));
  const uint64_t wanted = request.wanted_kv_bytes > 0 ? affordable : std::min(shared, affordable);
  plan.pages = static_cast<uint32_t>(std::max(least, wanted));
  return plan;
}

}  // namespace ingle
