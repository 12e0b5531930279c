#include "engine/fair_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace ingle {
namespace {

ShareOwner user(uint64_t id) { return {.cache_owner = 0, .user = id}; }

TEST(FairShare, CountsTokensAndAnswersTwice) {
  FairShare shares;
  FairShare::Account* a = shares.join(user(1));
  shares.charge(a, 100, 7);
  EXPECT_EQ(a->served, 114);
  EXPECT_EQ(shares.join(user(1)), a);
  EXPECT_EQ(shares.accounts(), 1u);
}

TEST(FairShare, APauseGivesNoCredit) {
  FairShare shares;
  FairShare::Account* busy = shares.join(user(1));
  shares.wait(busy);
  FairShare::Account* lazy = shares.join(user(2));
  shares.wait(lazy);
  shares.end_wait(lazy);
  shares.charge(busy, 1000, 0);
  shares.wait(lazy);
  EXPECT_EQ(lazy->served, 1000);
  EXPECT_EQ(shares.join({.cache_owner = 1, .user = 2})->served, 0) << "it does not wait yet";
}

TEST(FairShare, ASurplusIsRememberedOverAPause) {
  FairShare shares;
  FairShare::Account* other = shares.join(user(2));
  shares.wait(other);
  FairShare::Account* greedy = shares.join(user(1));
  shares.wait(greedy);
  shares.end_wait(greedy);
  shares.charge(greedy, 1000, 0);
  shares.leave(greedy);
  EXPECT_EQ(shares.accounts(), 2u);
  greedy = shares.join(user(1));
  shares.wait(greedy);
  EXPECT_EQ(greedy->served, 1000);
  EXPECT_LT(other->served, 1000);
}

TEST(FairShare, AllBeginAnewOnceNobodyIsThere) {
  FairShare shares;
  FairShare::Account* account = shares.join(user(1));
  shares.charge(account, 1000, 0);
  shares.leave(account);
  EXPECT_EQ(shares.accounts(), 0u);
  account = shares.join(user(1));
  shares.wait(account);
  EXPECT_EQ(account->served, 0);
}

// One had a large share and waits, while new owners, each with one small request, come as fast as they are served.
TEST(FairShare, AStreamOfNewOwnersPassesNobodyForEver) {
  FairShare shares;
  FairShare::Account* first = shares.join(user(1));
  shares.wait(first);
  std::vector<FairShare::Account*> waiting;
  for (uint64_t id = 2; id < 12; id++) {
    waiting.push_back(shares.join(user(id)));
    shares.wait(waiting.back());
  }
  shares.charge(first, 100'000, 0);
  uint64_t id = 100, passes = 0;
  for (; passes < 1'000'000; passes++) {
    const auto least = std::min_element(waiting.begin(), waiting.end(),
                                        [](const auto* a, const auto* b) { return a->served < b->served; });
    if (first->served <= (*least)->served) break;
    FairShare::Account* served = *least;
    shares.admit(*served);
    shares.end_wait(served);
    shares.charge(served, 10, 0);
    shares.leave(served);
    *least = shares.join(user(id++));
    shares.wait(*least);
  }
  EXPECT_GT(passes, 1000u) << "it has its surplus to wait off";
  EXPECT_LE(passes, 120'000u);
}

TEST(FairShare, ManyUsersThatComeAndGoAreForgotten) {
  FairShare shares;
  FairShare::Account* stays = shares.join(user(0));
  shares.wait(stays);
  std::minstd_rand random(1);
  for (uint64_t id = 1; id < 100'000; id++) {
    FairShare::Account* account = shares.join(user(id));
    shares.wait(account);
    shares.end_wait(account);
    shares.charge(account, random() % 1'000'000, 0);
    shares.leave(account);
    ASSERT_LE(shares.accounts(), FairShare::kMostIdle + 1);
  }
}

TEST(FairShare, NewcomersHaveATurnAfterThoseWithoutOneForLonger) {
  FairShare shares;
  FairShare::Account* a = shares.join(user(1));
  FairShare::Account* b = shares.join(user(2));
  a->last_turn = shares.next_turn();
  b->last_turn = shares.next_turn();
  FairShare::Account* late = shares.join(user(3));
  EXPECT_LT(a->last_turn, late->last_turn);
  EXPECT_LT(late->last_turn, b->last_turn);
}

}  // namespace
}  // namespace ingle
