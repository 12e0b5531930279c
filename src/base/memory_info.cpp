#include "base/memory_info.h"

#include <algorithm>
#include <limits>

#include "base/control_group.h"

#if defined(__APPLE__)
#include <mach/mach.h>
#include <sys/sysctl.h>
#endif

namespace ingle {
namespace {

namespace fs = std::filesystem;

#if defined(__APPLE__)
MemoryInfo system_memory(const fs::path&) {
  MemoryInfo info;
  size_t size = sizeof(info.total_bytes);
  if (::sysctlbyname("hw.memsize", &info.total_bytes, &size, nullptr, 0) != 0) return {};
  vm_statistics64_data_t statistics;
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  vm_size_t page_bytes = 0;
  const mach_port_t host = ::mach_host_self();
  if (::host_page_size(host, &page_bytes) != KERN_SUCCESS ||
      ::host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&statistics), &count) != KERN_SUCCESS) {
    info.available_bytes = info.total_bytes;
    return info;
  }
  const uint64_t pages = uint64_t{statistics.free_count} + statistics.inactive_count + statistics.purgeable_count;
  info.available_bytes = std::min(info.total_bytes, pages * page_bytes);
  return info;
}
#else
MemoryInfo system_memory(const fs::path& root) {
  const fs::path path = root / "proc/meminfo";
  constexpr uint64_t kMaxKib = std::numeric_limits<uint64_t>::max() / 1024;
  MemoryInfo info;
  info.total_bytes = std::min(read_field(path, "MemTotal").value_or(0), kMaxKib) * 1024;
  const auto available = read_field(path, "MemAvailable");
  info.available_bytes = available ? std::min(*available, kMaxKib) * 1024 : info.total_bytes;
  return info;
}
#endif

}  // namespace

MemoryInfo memory_info(const fs::path& root) {
  const MemoryInfo machine = system_memory(root);
  MemoryInfo info = machine;
  for (const ControlGroup& group : control_groups(root, "memory")) {
    for (const fs::path& folder : group.folders) {
      const auto limit = read_number(folder / (group.version2 ? "memory.max" : "memory.limit_in_bytes"));
      if (!limit || *limit >= machine.total_bytes) continue;  // "max", or a number that stands for it
      const uint64_t used =
          read_number(folder / (group.version2 ? "memory.current" : "memory.usage_in_bytes")).value_or(0);
      // The group's cache of files counts as used, but gives way.
      const uint64_t cache =
          read_field(folder / "memory.stat", group.version2 ? "inactive_file" : "total_inactive_file").value_or(0);
      const uint64_t held = used - std::min(used, cache);
      info.total_bytes = std::min(info.total_bytes, *limit);
      info.available_bytes = std::min(info.available_bytes, *limit - std::min(*limit, held));
    }
  }
  return info;
}

}  // namespace ingle
