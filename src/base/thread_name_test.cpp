#include "base/thread_name.h"

#include <gtest/gtest.h>

#ifdef __linux__
#include <fstream>
#include <string>
#include <thread>

namespace ingle {
namespace {

TEST(ThreadName, IsThatOfTheThreadAlone) {
  const auto name = [] {
    std::string line;
    std::getline(std::ifstream("/proc/thread-self/comm"), line);
    return line;
  };
  const std::string ours = name();
  std::string other;
  std::thread([&] {
    name_this_thread("ingle-other");
    other = name();
  }).join();
  EXPECT_EQ(other, "ingle-other");
  EXPECT_EQ(name(), ours);
}

}  // namespace
}  // namespace ingle
#endif
