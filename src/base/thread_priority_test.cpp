#include "base/thread_priority.h"

#include <gtest/gtest.h>

#ifdef __linux__
#include <sys/resource.h>

#include <thread>

namespace ingle {
namespace {

TEST(ThreadPriority, IsLoweredForTheThreadAlone) {
  const int ours = ::getpriority(PRIO_PROCESS, 0);
  if (ours > 10) GTEST_SKIP() << "it is nearly as low as can be";
  int other = ours;
  std::thread([&] {
    lower_this_threads_priority();
    other = ::getpriority(PRIO_PROCESS, 0);
  }).join();
  EXPECT_GT(other, ours);
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), ours);
}

}  // namespace
}  // namespace ingle
#endif
