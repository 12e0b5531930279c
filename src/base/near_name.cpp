#include "base/near_name.h"

#include <algorithm>
#include <vector>

namespace ingle {
namespace {

constexpr size_t kMaxBytes = 200;
constexpr size_t kMinPart = 3;  // shorter parts are found in anything

// Insertions, deletions, replacements and swaps of neighbours that lead from a to b ("optimal string alignment").
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); j++) last[j] = j;
  for (size_t i = 1; i <= a.size(); i++) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

bool has_part(std::string_view whole, std::string_view part) {
  return part.size() >= kMinPart && (whole.starts_with(part) || whole.ends_with(part));
}

}  // namespace

std::optional<std::string> near_name(std::string_view wanted, std::span<const std::string> names) {
  std::optional<std::string> best;
  size_t best_distance = 0;
  for (const std::string& name : names) {
    if (std::max(wanted.size(), name.size()) > kMaxBytes) continue;
    size_t apart = distance(wanted, name);
    const size_t allowed = std::max<size_t>(1, std::max(wanted.size(), name.size()) / 3);
    const bool part = has_part(name, wanted) || has_part(wanted, name);
    if (!part && (apart > allowed || apart >= std::min(wanted.size(), name.size()))) continue;
    if (part) apart = std::min(apart, allowed);
    if (best && apart >= best_distance) continue;
    best = name;
    best_distance = apart;
  }
  return best;
}

}  // namespace ingle
