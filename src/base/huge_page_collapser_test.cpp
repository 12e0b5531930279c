#include "base/huge_page_collapser.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "base/anonymous_memory.h"

namespace ingle {
namespace {

// Of the mapping that holds the address, from /proc/self/smaps; -1 where there is none.
long huge_kib_at(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    long kib = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) inside = begin <= wanted && wanted < end;
    if (inside && std::sscanf(line.c_str(), "AnonHugePages: %ld kB", &kib) == 1) return kib;
  }
  return -1;
}

TEST(HugePageCollapser, MovesWhatIsThereAndKeepsItsValues) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "an emulator takes the advice and does nothing";
#endif
  if (!HugePageCollapser::available()) GTEST_SKIP() << "this system does not collapse pages on demand";
  constexpr size_t kBytes = (size_t{32} << 20) + 4096;
  Result<AnonymousMemory> memory = AnonymousMemory::allocate(kBytes, false);
  ASSERT_TRUE(memory.ok());
  std::byte* data = memory.value().data();
  for (size_t i = 0; i < kBytes; i++) data[i] = static_cast<std::byte>(i % 251);
  HugePageCollapser collapser(data, kBytes);
  collapser.wait();
  for (size_t i = 0; i < kBytes; i++) ASSERT_EQ(data[i], static_cast<std::byte>(i % 251)) << i;
  if (huge_kib_at(data) < 0) GTEST_SKIP() << "this system does not tell of huge pages";
  EXPECT_GE(huge_kib_at(data), 2048);
}

TEST(HugePageCollapser, StopsEarly) {
  Result<AnonymousMemory> memory = AnonymousMemory::allocate(size_t{256} << 20, false);
  ASSERT_TRUE(memory.ok());
  std::memset(memory.value().data(), 1, memory.value().size_bytes());
  HugePageCollapser collapser(memory.value().data(), memory.value().size_bytes());
}

}  // namespace
}  // namespace ingle
