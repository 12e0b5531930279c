#include "base/thread_time.h"

#include <gtest/gtest.h>

#ifdef __linux__
#include <atomic>
#include <future>
#include <thread>

namespace ingle {
namespace {

using std::chrono::milliseconds;

TEST(ThreadTime, OfAnotherThreadIsWhatThatComputes) {
  std::promise<ThreadTime> promise;
  std::atomic<bool> computes{true}, ends{false};
  std::thread thread([&] {
    promise.set_value(ThreadTime());
    while (computes) {
    }
    while (!ends) std::this_thread::sleep_for(milliseconds(1));
  });
  const ThreadTime time = promise.get_future().get();
  while (time.used() < milliseconds(30)) std::this_thread::yield();
  computes = false;
  std::this_thread::sleep_for(milliseconds(10));
  const auto before = time.used();
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_LT(time.used() - before, milliseconds(100)) << "sleeping is no work";
  ends = true;
  thread.join();
}

}  // namespace
}  // namespace ingle
#endif
