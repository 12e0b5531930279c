#include "engine/fair_share.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/check.h"

namespace ingle {

FairShare::Account* FairShare::join(const ShareOwner& owner) {
  const auto [found, added] = accounts_.try_emplace(owner);
  Account& account = found->second;
  if (added) {
    account.owner = owner;
    account.last_turn = newcomers_turn();
  }
  if (account.sequences++ == 0) active_++;
  return &account;
}

void FairShare::leave(Account* account) {
  CHECK(account->sequences > account->waiting);
  if (--account->sequences > 0) return;
  active_--;
  if (active_ == 0) {
    // Nobody waits for another: all begin anew.
    accounts_.clear();
    floor_ = 0;
  } else if (account->served <= floor_) {
    accounts_.erase(ShareOwner(account->owner));  // the account goes with it
  } else if (accounts_.size() - active_ > kMostIdle) {
    forget_idle();
  }
}

// Those that newcomers would not be told apart from, or else the half that had least.
void FairShare::forget_idle() {
  std::vector<double> served;
  for (const auto& [owner, account] : accounts_) {
    if (account.sequences == 0) served.push_back(account.served);
  }
  const auto middle = served.begin() + static_cast<ptrdiff_t>(served.size() / 2);
  std::nth_element(served.begin(), middle, served.end());
  const double bound = std::max(*middle, floor_);
  std::erase_if(accounts_,
                [&](const auto& entry) { return entry.second.sequences == 0 && entry.second.served <= bound; });
}

void FairShare::wait(Account* account) {
  if (account->waiting++ > 0) return;
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [owner, other] : accounts_) {
    if (&other != account && other.waiting > 0) least = std::min(least, other.served);
  }
  if (least < std::numeric_limits<double>::infinity()) floor_ = std::max(floor_, least);
  account->served = std::max(account->served, floor_);
}

void FairShare::end_wait(Account* account) {
  CHECK(account->waiting > 0);
  account->waiting--;
}

void FairShare::admit(const Account& account) { floor_ = std::max(floor_, account.served); }

void FairShare::charge(Account* account, uint64_t prompt_tokens, uint64_t answer_tokens) {
  CHECK(account->sequences > 0);
  const auto tokens = static_cast<double>(prompt_tokens + kAnswerWeight * answer_tokens);
  account->served += tokens;
  floor_ += tokens / static_cast<double>(active_);
}

}  // namespace ingle
