// How much of the machine each owner of requests has had lately, so that the scheduler can divide it evenly. Owned by
// the Scheduler, loop thread only. An account counts tokens: one for each prompt token that had to be computed,
// kAnswerWeight for each that was generated. The method is the virtual token counter of Sheng et al., "Fairness in
// Serving Large Language Models" (2024): the owner with the least goes first, and one that comes to wait begins where
// the others are, so that it has no credit for a pause. Besides, nobody begins below an average that rises with all
// that is served; so whoever waits is reached by the others' counters, however many new owners come.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>

namespace ingle {

// Of a request: an API key, or a user where there are no keys.
struct ShareOwner {
  uint64_t cache_owner = 0, user = 0;  // as Request has them
  auto operator<=>(const ShareOwner&) const = default;
};

class FairShare {
 public:
  static constexpr uint64_t kAnswerWeight = 2;
  // Owners without a request whose surplus is remembered, at most.
  static constexpr size_t kMostIdle = 4096;

  struct Account {
    ShareOwner owner;
    double served = 0;       // tokens, weighed; all accounts count from the same beginning
    uint32_t sequences = 0;  // that wait or run
    uint32_t waiting = 0;    // of these
    uint64_t last_turn = 0;  // when one of them last had a slice of a step
    uint32_t turns = 0;      // how many they had
  };

  // One sequence more of the owner, one less. The account stays where it is until the last has left.
  Account* join(const ShareOwner& owner);
  void leave(Account* account);
  // One of its sequences waits from now on; no more.
  void wait(Account* account);
  void end_wait(Account* account);
  // The owner is the next one that has a place.
  void admit(const Account& account);
  // It was given so many tokens.
  void charge(Account* account, uint64_t prompt_tokens, uint64_t answer_tokens);
  // Of those it was charged for, so many tokens of prompts need not be computed after all.
  void refund(Account* account, uint64_t prompt_tokens) { account->served -= static_cast<double>(prompt_tokens); }

  // Slices of steps are numbered. Whoever comes has its turn before the one that just had one, but after all that have
  // been without one for longer.
  uint64_t newcomers_turn() const { return turn_ - 1; }
  uint64_t next_turn() { return turn_ += 2; }

  size_t accounts() const { return accounts_.size(); }

 private:
  void forget_idle();

  std::map<ShareOwner, Account> accounts_;
  size_t active_ = 0;  // accounts with sequences
  double floor_ = 0;   // where those begin that come to wait; it only rises while there are sequences
  uint64_t turn_ = 2;
};

}  // namespace ingle
