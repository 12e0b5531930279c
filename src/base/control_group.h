// The control groups (cgroups, versions 1 and 2) that this process lies in, as far as the file system shows them.
// Reads files of /proc and /sys at each call; any thread. Nothing found means no limit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ingle {

// The folders whose limits apply to this process for a controller ("cpu", "memory"), innermost first.
struct ControlGroup {
  bool version2 = false;
  std::vector<std::filesystem::path> folders;
};

// One entry per hierarchy that has the controller. `root` is where /proc and /sys are looked for: "/" but in tests.
std::vector<ControlGroup> control_groups(const std::filesystem::path& root, std::string_view controller);

// CPUs that the quotas allow together, 1.5 being one and a half; none without a quota.
std::optional<double> cpu_quota(const std::filesystem::path& root);

// Helpers for one-line files of the kernel.
std::optional<std::string> read_line(const std::filesystem::path& path);
std::optional<uint64_t> read_number(const std::filesystem::path& path);
// The number after `key` in a file of "key number" or "key: number" lines.
std::optional<uint64_t> read_field(const std::filesystem::path& path, std::string_view key);

}  // namespace ingle
