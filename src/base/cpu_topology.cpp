#include "base/cpu_topology.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "base/control_group.h"

#if defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__linux__)
#include <sched.h>
#endif

namespace ingle {
namespace {

namespace fs = std::filesystem;

// A core is fast if it has this part of the fastest one's speed: turbo differs by less between equal cores (about 5 %),
// and the efficient cores of hybrid CPUs lie below.
constexpr double kFastPart = 0.8;

constexpr uint32_t kMaxCpus = 65536;

// "0-3,8,10-11", as the kernel writes lists of CPUs.
std::vector<uint32_t> parse_cpu_list(std::string_view text) {
  std::vector<uint32_t> cpus;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    uint32_t first = 0;
    auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), first);
    if (error != std::errc()) continue;
    uint32_t last = first;
    if (end != part.data() + part.size() && *end == '-') {
      if (std::from_chars(end + 1, part.data() + part.size(), last).ec != std::errc()) continue;
    }
    for (uint32_t cpu = first; cpu <= std::min(last, kMaxCpus); cpu++) cpus.push_back(cpu);
  }
  return cpus;
}

// Which core a CPU belongs to: any text that its siblings share.
std::string core_of(const fs::path& cpu, uint32_t index) {
  for (const char* file : {"topology/core_cpus_list", "topology/thread_siblings_list"}) {
    if (const auto line = read_line(cpu / file); line && !line->empty()) return *line;
  }
  return std::to_string(index);
}

// In whatever unit the system has, the same for all its CPUs; 0: unknown.
uint64_t speed_of(const fs::path& cpu) {
  if (const auto capacity = read_number(cpu / "cpu_capacity")) return *capacity;
  return read_number(cpu / "cpufreq/cpuinfo_max_freq").value_or(0);
}

}  // namespace

uint32_t linux_default_threads(const fs::path& root, const std::optional<std::vector<uint32_t>>& affinity) {
  const fs::path folder = root / "sys/devices/system/cpu";
  std::vector<uint32_t> cpus = parse_cpu_list(read_line(folder / "online").value_or(""));
  if (affinity) {
    if (cpus.empty()) cpus = *affinity;
    std::erase_if(cpus,
                  [&](uint32_t cpu) { return std::find(affinity->begin(), affinity->end(), cpu) == affinity->end(); });
  }
  std::map<std::string, uint64_t> cores;  // speed
  uint64_t fastest = 0;
  for (const uint32_t index : cpus) {
    const fs::path cpu = folder / ("cpu" + std::to_string(index));
    const uint64_t speed = speed_of(cpu);
    fastest = std::max(fastest, speed);
    uint64_t& core = cores[core_of(cpu, index)];
    core = std::max(core, speed);
  }
  auto threads = static_cast<uint32_t>(std::count_if(cores.begin(), cores.end(), [&](const auto& core) {
    return static_cast<double>(core.second) >= kFastPart * static_cast<double>(fastest);
  }));
  if (const auto quota = cpu_quota(root); quota && *quota < threads) threads = static_cast<uint32_t>(*quota);
  return std::max(threads, 1u);
}

uint32_t default_threads() {
#if defined(__APPLE__)
  int32_t cores = 0;
  size_t size = sizeof(cores);
  if (::sysctlbyname("hw.perflevel0.physicalcpu", &cores, &size, nullptr, 0) != 0 || cores < 1) {
    size = sizeof(cores);
    if (::sysctlbyname("hw.physicalcpu", &cores, &size, nullptr, 0) != 0) cores = 1;
  }
  return static_cast<uint32_t>(std::max(cores, 1));
#elif defined(__linux__)
  // The mask may be larger than cpu_set_t where there are more than 1024 CPUs.
  std::vector<unsigned long> mask(kMaxCpus / (8 * sizeof(unsigned long)));
  const size_t bytes = mask.size() * sizeof(unsigned long);
  std::optional<std::vector<uint32_t>> affinity;
  if (::sched_getaffinity(0, bytes, reinterpret_cast<cpu_set_t*>(mask.data())) == 0) {
    affinity.emplace();
    for (uint32_t cpu = 0; cpu < kMaxCpus; cpu++) {
      if (CPU_ISSET_S(cpu, bytes, reinterpret_cast<cpu_set_t*>(mask.data()))) affinity->push_back(cpu);
    }
  }
  return linux_default_threads("/", affinity);
#else
  return std::max(std::thread::hardware_concurrency(), 1u);
#endif
}

}  // namespace ingle
