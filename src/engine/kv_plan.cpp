#include "engine/kv_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/checked.h"
#include "base/format_units.h"
#include "kv/window.h"

namespace ingle {
namespace {

constexpr uint32_t kContextStep = 256;
constexpr uint32_t kUnknownContext = 2048;  // where the file does not say what it was trained for
constexpr uint64_t kMaxPages = 2 * uint64_t{kMaxContext} / kPageTokens;

// Part of the free memory that the pool may take, in percent: less where nobody asked for it.
constexpr uint64_t kDefaultPart = 50, kAskedPart = 90;

uint64_t part_of(uint64_t bytes, uint64_t percent) { return bytes / 100 * percent; }

// The pages of a windowed group's pool, if group 0's has `pages`.
uint64_t windowed_pages(const KvPlanRequest& request, uint32_t window, uint64_t pages) {
  const uint64_t pooled = std::min<uint64_t>(pages, pages_for(kPooledTokens));
  const uint64_t sequences = pooled > 0 ? std::min<uint64_t>(request.max_sequences, pages / pooled) : 0;
  const uint64_t one = resting_pages(window);
  const uint64_t windows = std::max({one, sequences * std::min(one, pooled), pages / kWindowsPerKept});
  return std::min(pages, windows + ceil_div(uint64_t{request.prefill_chunk}, uint64_t{kPageTokens}));
}

std::vector<uint64_t> pool_pages(const KvPlanRequest& request, uint64_t pages) {
  std::vector<uint64_t> result;
  for (const KvGroup& group : request.groups) {
    result.push_back(group.window > 0 ? windowed_pages(request, group.window, pages) : pages);
  }
  return result;
}

// Of all pools, if group 0's has `pages`; the largest number if it is more than that.
uint64_t pool_bytes(const KvPlanRequest& request, uint64_t pages) {
  const std::vector<uint64_t> pools = pool_pages(request, pages);
  std::optional<uint64_t> total = 0;
  for (size_t g = 0; g < pools.size() && total; g++) {
    const auto bytes = checked_mul(pools[g], request.groups[g].page_bytes);
    total = bytes ? checked_add(*total, *bytes) : std::nullopt;
  }
  return total.value_or(std::numeric_limits<uint64_t>::max());
}

// The most pages of group 0 whose pools fit the budget.
uint64_t affordable_pages(const KvPlanRequest& request, uint64_t budget) {
  uint64_t fits = 0, too_many = kMaxPages + 1;
  while (too_many - fits > 1) {
    const uint64_t middle = (fits + too_many) / 2;
    (pool_bytes(request, middle) <= budget ? fits : too_many) = middle;
  }
  return fits;
}

}  // namespace

Result<KvPlan> plan_kv(const KvPlanRequest& request) {
  const bool asked = request.wanted_context > 0;
  if (request.wanted_context > kMaxContext) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("a context of {} tokens is too long", request.wanted_context),
                 fmt::format("at most {} are possible", kMaxContext)};
  }
  const uint64_t budget = request.wanted_kv_bytes > 0 ? request.wanted_kv_bytes
                                                      : part_of(request.free_bytes, asked ? kAskedPart : kDefaultPart);
  const uint64_t affordable = affordable_pages(request, budget);
  const uint64_t possible = std::min<uint64_t>(affordable * kPageTokens, kMaxContext) / kContextStep * kContextStep;
  const uint32_t trained =
      std::min(request.trained_context > 0 ? request.trained_context : kUnknownContext, kMaxContext);

  KvPlan plan;
  plan.context = asked ? request.wanted_context : trained;
  if (pages_for(plan.context) > affordable) {
    const std::string needed = format_bytes(pool_bytes(request, pages_for(plan.context)));
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
  const uint64_t shared = uint64_t{request.max_sequences} * pages_for(std::min(plan.context, kPooledTokens));
  const uint64_t wanted = request.wanted_kv_bytes > 0 ? affordable : std::min(shared, affordable);
  const uint64_t pages = std::max(least, wanted);
  for (const uint64_t pool : pool_pages(request, pages)) plan.pages.push_back(static_cast<uint32_t>(pool));
  plan.bytes = pool_bytes(request, pages);
  return plan;
}

}  // namespace ingle
