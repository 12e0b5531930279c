#include "base/huge_page_collapser.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>

#include "base/thread_name.h"

namespace ingle {
namespace {

#if defined(__linux__)
constexpr int kMadvCollapse = 25;                  // MADV_COLLAPSE: headers older than the kernel lack it
constexpr size_t kStretchBytes = size_t{8} << 20;  // per call: how long stopping may take
constexpr std::chrono::seconds kDelay{2};
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
        name_this_thread("ingle-pages");
        collapse(data, bytes);
        const std::lock_guard lock(mutex_);
        done_ = true;
        changed_.notify_all();
      }) {}

HugePageCollapser::~HugePageCollapser() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void HugePageCollapser::wait() {
  std::unique_lock lock(mutex_);
  start_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return done_; });
}

void HugePageCollapser::collapse([[maybe_unused]] std::byte* data, [[maybe_unused]] size_t bytes) {
#if defined(__linux__)
  constexpr sched_param kNoPriority{};
  ::pthread_setschedparam(::pthread_self(), SCHED_IDLE, &kNoPriority);
  std::byte* const end = data + bytes;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kDelay, [this] { return start_ || stop_; });
  while (data < end && !stop_) {
    lock.unlock();
    // Cut where huge pages are: a piece of one would be passed over.
    const size_t into = reinterpret_cast<uintptr_t>(data) % kStretchBytes;
    const size_t stretch = std::min(kStretchBytes - into, static_cast<size_t>(end - data));
    const int result = ::madvise(data, stretch, kMadvCollapse);
    // A stretch may fail for want of a free huge page (ENOMEM, EAGAIN, EBUSY) where the next does not.
    if (result != 0 && errno == EINVAL) return;
    data += stretch;
    lock.lock();
  }
#endif
}

}  // namespace ingle
