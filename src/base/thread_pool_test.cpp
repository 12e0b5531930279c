#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace ingle {
namespace {

TEST(ThreadPool, RunsTheWorkOnceOnEachThread) {
  for (const uint32_t threads : {1u, 2u, 5u}) {
    ThreadPool pool(threads);
    std::vector<int> calls(threads);
    for (int i = 0; i < 100; i++) pool.run([&](uint32_t thread) { calls[thread]++; });
    EXPECT_EQ(calls, std::vector<int>(threads, 100));
  }
}

TEST(ThreadPool, WhatWasWrittenBeforeABarrierIsSeenBehindIt) {
  constexpr uint32_t kThreads = 3, kRounds = 200;
  ThreadPool pool(kThreads);
  std::vector<uint32_t> written(kThreads);
  std::atomic<int> wrong{0};
  pool.run([&](uint32_t thread) {
    for (uint32_t round = 1; round <= kRounds; round++) {
      written[thread] = round;
      pool.barrier();
      for (const uint32_t value : written) wrong += value != round;
      pool.barrier();
    }
  });
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace ingle
