#include "server/places.h"

namespace ingle {

std::optional<Places::Taken> Places::take(uint64_t owner, uint32_t count) {
  const std::lock_guard lock(mutex_);
  const auto found = by_owner_.find(owner);
  const uint32_t has = found == by_owner_.end() ? 0 : found->second;
  if (count > most_of_one() || has > most_of_one() - count) return std::nullopt;
  const uint32_t open = has > 0 ? most_of_one() : most_;
  if (taken_ > open || count > open - taken_) return std::nullopt;
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
