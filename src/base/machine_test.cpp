// What the machine gives this process (threads, memory), on made-up /proc and /sys.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/control_group.h"
#include "base/cpu_topology.h"
#include "base/memory_info.h"

namespace ingle {
namespace {

namespace fs = std::filesystem;

class Machine : public testing::Test {
 protected:
  Machine() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    root_ = fs::path(testing::TempDir()) / ("ingle_machine_" + std::string(test->name()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~Machine() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void cpu(uint32_t index, const std::string& siblings, const std::string& frequency = "",
           const std::string& capacity = "") {
    const std::string folder = "sys/devices/system/cpu/cpu" + std::to_string(index);
    write(folder + "/topology/thread_siblings_list", siblings + "\n");
    if (!frequency.empty()) write(folder + "/cpufreq/cpuinfo_max_freq", frequency + "\n");
    if (!capacity.empty()) write(folder + "/cpu_capacity", capacity + "\n");
  }
  void online(const std::string& list) { write("sys/devices/system/cpu/online", list + "\n"); }
  void version2(const std::string& own, const std::string& mounted = "/") {
    write("proc/self/cgroup", "0::" + own + "\n");
    write("proc/self/mountinfo", "30 23 0:26 " + mounted + " /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n");
  }
  void version1(const std::string& controllers, const std::string& own, const std::string& mounted = "/") {
    write("proc/self/cgroup", "3:cpuset:/x\n2:" + controllers + ":" + own + "\n0::/\n");
    write("proc/self/mountinfo", "29 28 0:24 / /sys/fs/cgroup ro - tmpfs tmpfs rw\n33 29 0:28 " + mounted +
                                     " /sys/fs/cgroup/" + controllers + " rw shared:4 - cgroup cgroup rw," +
                                     controllers + "\n");
  }

  fs::path root_;
};

TEST_F(Machine, OneThreadPerCore) {
  online("0-7");
  for (uint32_t i = 0; i < 8; i++) cpu(i, std::to_string(i % 4) + "," + std::to_string(i % 4 + 4));
  EXPECT_EQ(linux_default_threads(root_, std::nullopt), 4u);
}

TEST_F(Machine, OnlyTheFastCoresOfAHybrid) {
  online("0-11");
  for (uint32_t i = 0; i < 4; i++) cpu(i, i < 2 ? "0-1" : "2-3", i < 2 ? "5200000" : "5000000");
  for (uint32_t i = 4; i < 12; i++) cpu(i, std::to_string(i), "3900000");
  EXPECT_EQ(linux_default_threads(root_, std::nullopt), 2u);
}

TEST_F(Machine, OnlyTheBigCoresOfAnArm) {
  online("0-3,4-7");
  for (uint32_t i = 0; i < 8; i++) cpu(i, std::to_string(i), "2000000", i < 4 ? "446" : "1024");
  EXPECT_EQ(linux_default_threads(root_, std::nullopt), 4u);
}

TEST_F(Machine, WithinTheAffinityMask) {
  online("0-7");
  for (uint32_t i = 0; i < 8; i++) cpu(i, std::to_string(i / 2 * 2) + "-" + std::to_string(i / 2 * 2 + 1));
  EXPECT_EQ(linux_default_threads(root_, {{0, 1, 2}}), 2u);
  EXPECT_EQ(linux_default_threads(root_, {{3, 5, 7, 99}}), 3u);
  // All that it may use are slow ones: then they are the fast ones.
  for (uint32_t i = 0; i < 8; i++) cpu(i, std::to_string(i), i < 4 ? "2000000" : "4000000");
  EXPECT_EQ(linux_default_threads(root_, {{0, 1, 2}}), 3u);
}

TEST_F(Machine, WithoutAnyFilesTheAffinityMaskCounts) {
  EXPECT_EQ(linux_default_threads(root_, std::nullopt), 1u);
  EXPECT_EQ(linux_default_threads(root_, {{0, 1, 2}}), 3u);
}

TEST_F(Machine, WithinTheQuotaOfVersion2) {
  online("0-7");
  version2("/user/app");
  write("sys/fs/cgroup/user/app/cpu.max", "max 100000\n");
  EXPECT_EQ(cpu_quota(root_), std::nullopt);
  EXPECT_EQ(linux_default_threads(root_, std::nullopt), 8u);
  write("sys/fs/cgroup/user/app/cpu.max", "350000 100000\n");
  EXPECT_EQ(linux_default_threads(root_, std::nullopt), 3u);
  write("sys/fs/cgroup/user/cpu.max", "150000 100000\n");
  EXPECT_EQ(cpu_quota(root_), 1.5) << "the limits of the groups around count";
  write("sys/fs/cgroup/cpu.max", "20000 100000\n");
  EXPECT_EQ(linux_default_threads(root_, std::nullopt), 1u);
}

TEST_F(Machine, WithinTheQuotaOfVersion1) {
  online("0-7");
  version1("cpu,cpuacct", "/docker/abc");
  write("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu_quota(root_), std::nullopt);
  write("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "250000\n");
  EXPECT_EQ(cpu_quota(root_), 2.5);
}

TEST_F(Machine, AContainerThatSeesOnlyItsOwnGroup) {
  version1("cpu", "/docker/abc", "/docker/abc");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cpu_quota(root_), 2);
  version2("/../..", "/");
  write("sys/fs/cgroup/cpu.max", "300000 100000\n");
  EXPECT_EQ(cpu_quota(root_), 3);
}

TEST_F(Machine, OddFilesAreNoLimit) {
  version2("/a");
  for (const char* text : {"", "\n", "max", "x y\n", "100000 0\n", "-1 100000\n", "99999999999999999999999 1\n"}) {
    write("sys/fs/cgroup/a/cpu.max", text);
    EXPECT_EQ(cpu_quota(root_), std::nullopt) << text;
  }
  write("proc/self/cgroup", "::\n:\nabc\n0:");
  write("proc/self/mountinfo", " - \n1 2 3 - cgroup2\n- cgroup2 x y\n");
  EXPECT_EQ(cpu_quota(root_), std::nullopt);
}

constexpr uint64_t kGib = uint64_t{1} << 30;

TEST_F(Machine, MemoryOfTheMachine) {
  EXPECT_EQ(memory_info(root_).total_bytes, 0u);
  write("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:  1 kB\nMemAvailable:   8388608 kB\n");
  EXPECT_EQ(memory_info(root_).total_bytes, 16 * kGib);
  EXPECT_EQ(memory_info(root_).available_bytes, 8 * kGib);
}

TEST_F(Machine, MemoryWithinTheGroupsLimits) {
  write("proc/meminfo", "MemTotal:       16777216 kB\nMemAvailable:   8388608 kB\n");
  version2("/app");
  write("sys/fs/cgroup/app/memory.max", "max\n");
  EXPECT_EQ(memory_info(root_).available_bytes, 8 * kGib);
  write("sys/fs/cgroup/app/memory.max", std::to_string(4 * kGib) + "\n");
  write("sys/fs/cgroup/app/memory.current", std::to_string(3 * kGib) + "\n");
  write("sys/fs/cgroup/app/memory.stat", "anon 5\ninactive_file " + std::to_string(2 * kGib) + "\n");
  EXPECT_EQ(memory_info(root_).total_bytes, 4 * kGib);
  EXPECT_EQ(memory_info(root_).available_bytes, 3 * kGib);
  // The groups around have limits too, and others in them.
  write("sys/fs/cgroup/memory.max", std::to_string(6 * kGib) + "\n");
  write("sys/fs/cgroup/memory.current", std::to_string(5 * kGib) + "\n");
  EXPECT_EQ(memory_info(root_).total_bytes, 4 * kGib);
  EXPECT_EQ(memory_info(root_).available_bytes, 1 * kGib);

  version1("memory", "/app");
  write("sys/fs/cgroup/memory/app/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(memory_info(root_).total_bytes, 16 * kGib);
  write("sys/fs/cgroup/memory/app/memory.limit_in_bytes", std::to_string(2 * kGib) + "\n");
  write("sys/fs/cgroup/memory/app/memory.usage_in_bytes", std::to_string(3 * kGib) + "\n");
  EXPECT_EQ(memory_info(root_).total_bytes, 2 * kGib);
  EXPECT_EQ(memory_info(root_).available_bytes, 0u);
}

TEST(ThisMachine, HasThreadsAndMemory) {
  EXPECT_GE(default_threads(), 1u);
#if defined(__linux__)
  EXPECT_GT(memory_info().total_bytes, 0u);
  EXPECT_LE(memory_info().available_bytes, memory_info().total_bytes);
#endif
}

}  // namespace
}  // namespace ingle
