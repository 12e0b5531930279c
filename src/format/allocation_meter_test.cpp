#include "format/allocation_meter_test.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<uint64_t> live_bytes = 0;
std::atomic<uint64_t> highest_bytes = 0;

// Each block is preceded by its size, in a unit that keeps the alignment.
constexpr size_t kPrefixBytes = alignof(std::max_align_t);

}  // namespace

void* operator new(size_t size) {
  void* block = std::malloc(size + kPrefixBytes);
  if (block == nullptr) throw std::bad_alloc();
  *static_cast<size_t*>(block) = size;
  const uint64_t live = live_bytes += size;
  uint64_t highest = highest_bytes;
  while (live > highest && !highest_bytes.compare_exchange_weak(highest, live)) {
  }
  return static_cast<char*>(block) + kPrefixBytes;
}

void operator delete(void* p) noexcept {
  if (p == nullptr) return;
  void* block = static_cast<char*>(p) - kPrefixBytes;
  live_bytes -= *static_cast<size_t*>(block);
  std::free(block);
}

void operator delete(void* p, size_t) noexcept { operator delete(p); }

namespace ingle {

AllocationMeter::AllocationMeter() : start_bytes_(live_bytes) { highest_bytes = live_bytes.load(); }

uint64_t AllocationMeter::peak_bytes() const { return highest_bytes - start_bytes_; }

}  // namespace ingle
