#include "server/places.h"

#include <algorithm>

namespace ingle {

std::optional<Places::Taken> Places::take(uint64_t owner, uint32_t least, uint32_t most) {
  const std::lock_guard lock(mutex_);
  const auto found = by_owner_.find(owner);
  const uint32_t has = found == by_owner_.end() ? 0 : found->second;
  const uint32_t shared = most_of_one() - std::min(taken_, most_of_one());
  const uint32_t kept = has == 0 ? 1 : 0;
  const uint32_t room = std::min({shared + kept, most_ - taken_, most_of_one() - has});
  if (room < least) return std::nullopt;
  const uint32_t count = std::min(room, most);
  if (count > 0) by_owner_[owner] += count;
  taken_ += count;
  return Taken(this, owner, count);
}

uint32_t Places::taken() const {
  const std::lock_guard lock(mutex_);
  return taken_;
}

void Places::give_back(uint64_t owner, uint32_t count) {
  const std::lock_guard lock(mutex_);
  taken_ -= count;
  const auto found = by_owner_.find(owner);
  if (found == by_owner_.end()) return;
  found->second -= count;
  if (found->second == 0) by_owner_.erase(found);
}

void Places::Taken::give_back() {
  if (Places* places = std::exchange(places_, nullptr)) places->give_back(owner_, count_);
}

}  // namespace ingle
