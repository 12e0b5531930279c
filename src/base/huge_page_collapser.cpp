#include "base/huge_page_collapser.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace ingle {
namespace {

#if defined(__linux__)
constexpr int kMadvCollapse = 25;                  // MADV_COLLAPSE: headers older than the kernel lack it
constexpr size_t kStretchBytes = size_t{8} << 20;  // per call: how long stopping may take
constexpr int kLowestPriority = 19;                // of this thread alone, as Linux has it
#endif

}  // namespace

bool HugePageCollapser::available() {
#if defined(__linux__)
  return ::madvise(nullptr, 0, kMadvCollapse) == 0;  // of no bytes: says whether the advice is known
#else
  return false;
#endif
}

HugePageCollapser::HugePageCollapser(std::byte* data, size_t bytes)
    : thread_([this, data, bytes] {
        collapse(data, bytes);
        done_.store(true);
        done_.notify_all();
      }) {}

HugePageCollapser::~HugePageCollapser() {
  stop_.store(true);
  thread_.join();
}

void HugePageCollapser::collapse([[maybe_unused]] std::byte* data, [[maybe_unused]] size_t bytes) {
#if defined(__linux__)
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kLowestPriority);
  std::byte* const end = data + bytes;
  while (data < end && !stop_.load()) {
    // Cut where huge pages do: a piece of one is passed over.
    const size_t into = reinterpret_cast<uintptr_t>(data) % kStretchBytes;
    const size_t stretch = std::min(kStretchBytes - into, static_cast<size_t>(end - data));
    const int result = ::madvise(data, stretch, kMadvCollapse);
    data += stretch;
    // A stretch may fail for want of a free huge page (ENOMEM, EAGAIN, EBUSY) where the next does not.
    if (result != 0 && errno == EINVAL) return;
  }
#endif
}

}  // namespace ingle
