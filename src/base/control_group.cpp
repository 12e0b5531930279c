#include "base/control_group.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace ingle {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

// The path of a file below another root.
fs::path below(const fs::path& root, const fs::path& absolute) { return root / absolute.relative_path(); }

// A hierarchy's path of this process from /proc/self/cgroup: lines of "id:controllers:path", the controllers empty for
// version 2.
std::optional<std::string> own_path(const fs::path& root, std::string_view controller, bool version2) {
  std::ifstream file(below(root, "/proc/self/cgroup"));
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (version2 ? controllers.empty() : contains(split(controllers, ','), controller)) return line.substr(second + 1);
  }
  return std::nullopt;
}

struct Mount {
  std::string mounted_path;  // which part of the hierarchy
  fs::path point;            // and where it is seen
  bool version2 = false;
};

// From /proc/self/mountinfo: "id parent device mounted point options ... - type source super-options".
std::vector<Mount> mounts(const fs::path& root, std::string_view controller) {
  std::vector<Mount> result;
  std::ifstream file(below(root, "/proc/self/mountinfo"));
  for (std::string line; std::getline(file, line);) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> fields = split(std::string_view(line).substr(0, dash), ' ');
    const std::vector<std::string> type = split(std::string_view(line).substr(dash + 3), ' ');
    if (fields.size() < 5 || type.size() < 3) continue;
    const bool version2 = type[0] == "cgroup2";
    if (!version2 && (type[0] != "cgroup" || !contains(split(type[2], ','), controller))) continue;
    result.push_back({fields[3], fields[4], version2});
  }
  return result;
}

}  // namespace

std::optional<std::string> read_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<uint64_t> read_number(const fs::path& path) {
  const std::optional<std::string> line = read_line(path);
  return line ? parse_number(*line) : std::nullopt;
}

std::optional<uint64_t> read_field(const fs::path& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string name, value, line; std::getline(file, line);) {
    std::istringstream words(line);
    words >> name >> value;
    if (!name.empty() && name.back() == ':') name.pop_back();
    if (name == key) return parse_number(value);
  }
  return std::nullopt;
}

std::vector<ControlGroup> control_groups(const fs::path& root, std::string_view controller) {
  std::vector<ControlGroup> result;
  for (const Mount& mount : mounts(root, controller)) {
    const std::optional<std::string> path = own_path(root, controller, mount.version2);
    if (!path) continue;
    // In a container the mount may show only the part of the hierarchy that is the container's.
    fs::path inner = fs::path(*path).lexically_relative(mount.mounted_path);
    if (inner.empty() || *inner.begin() == "..") inner = ".";
    ControlGroup group{.version2 = mount.version2, .folders = {}};
    const fs::path top = below(root, mount.point);
    std::error_code error;
    for (fs::path folder = (top / inner).lexically_normal();; folder = folder.parent_path()) {
      if (!folder.has_filename()) folder = folder.parent_path();
      if (fs::is_directory(folder, error)) group.folders.push_back(folder);
      if (folder == top.lexically_normal() || folder == folder.root_path() || folder.empty()) break;
    }
    result.push_back(std::move(group));
  }
  return result;
}

std::optional<double> cpu_quota(const fs::path& root) {
  std::optional<double> least;
  for (const ControlGroup& group : control_groups(root, "cpu")) {
    for (const fs::path& folder : group.folders) {
      std::optional<uint64_t> quota, period;
      if (group.version2) {
        const std::vector<std::string> words = split(read_line(folder / "cpu.max").value_or(""), ' ');
        if (words.size() == 2) quota = parse_number(words[0]), period = parse_number(words[1]);
      } else {
        quota = read_number(folder / "cpu.cfs_quota_us");  // -1, no number here, is none
        period = read_number(folder / "cpu.cfs_period_us");
      }
      if (!quota || !period || *period == 0) continue;
      const double cpus = static_cast<double>(*quota) / static_cast<double>(*period);
      least = std::min(least.value_or(cpus), cpus);
    }
  }
  return least;
}

}  // namespace ingle
