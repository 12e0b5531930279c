// How much memory this process may have: of the machine, within the limits of its control groups.
// Reads the system at each call; any thread.
#pragma once

#include <cstdint>
#include <filesystem>

namespace ingle {

struct MemoryInfo {
  uint64_t total_bytes = 0;      // the machine's, or the limit; 0: unknown
  uint64_t available_bytes = 0;  // of it, without making others swap: free, or cache that can be dropped
};

// `root`: where /proc and /sys are looked for, "/" but in tests.
MemoryInfo memory_info(const std::filesystem::path& root = "/");

}  // namespace ingle
