#include "base/permits.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace ingle {
namespace {

TEST(Permits, SoManyWorkAtATime) {
  Permits permits(3);
  std::atomic<int> working{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 12; t++) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; i++) {
        const Permits::Work work(permits);
        const int now = ++working;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::yield();
        working--;
        const Permits::Lent lent;
        std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 3);
  EXPECT_GE(most, 1);
}

TEST(Permits, WhoWaitsKeepsNobodyFromWorking) {
  Permits permits(1);
  std::promise<void> waits, goes_on;
  std::thread waiting([&] {
    const Permits::Work work(permits);
    const Permits::Lent lent;
    waits.set_value();
    goes_on.get_future().wait();
  });
  waits.get_future().wait();
  { const Permits::Work work(permits); }
  goes_on.set_value();
  waiting.join();
  const Permits::Work again(permits);  // both are back
}

TEST(Permits, WithoutOneThereIsNothingToLend) { const Permits::Lent lent; }

}  // namespace
}  // namespace ingle
