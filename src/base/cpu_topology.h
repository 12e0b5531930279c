// How many threads compute best on this machine. Reads the system at each call; any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace ingle {

// One per fast physical core that this process may run on, within its CPU quota (whole CPUs); at least 1. The slower
// cores of a hybrid CPU and the second thread of a core cost more at the barriers than they add.
uint32_t default_threads();

// The same for Linux with what it reads given: where /proc and /sys are looked for, and the affinity mask (none: all).
uint32_t linux_default_threads(const std::filesystem::path& root, const std::optional<std::vector<uint32_t>>& affinity);

}  // namespace ingle
