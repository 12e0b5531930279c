#include "base/anonymous_memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <utility>

namespace ingle {

Result<AnonymousMemory> AnonymousMemory::allocate(size_t bytes, bool huge_pages) {
  AnonymousMemory memory;
  if (bytes == 0) return memory;
#if defined(MAP_NORESERVE)
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
#else
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
#endif
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  if (data == MAP_FAILED) {
    return Error{ErrorCode::kResourceExhausted, fmt::format("the system refuses {} MiB of memory", bytes >> 20),
                 "free memory, take a smaller model or a shorter context"};
  }
#if defined(MADV_HUGEPAGE)
  if (huge_pages) ::madvise(data, bytes, MADV_HUGEPAGE);
#else
  (void)huge_pages;
#endif
  memory.data_ = static_cast<std::byte*>(data);
  memory.size_bytes_ = bytes;
  return memory;
}

AnonymousMemory::AnonymousMemory(AnonymousMemory&& other) noexcept { *this = std::move(other); }

AnonymousMemory& AnonymousMemory::operator=(AnonymousMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

AnonymousMemory::~AnonymousMemory() {
  if (data_ != nullptr) ::munmap(data_, size_bytes_);
}

}  // namespace ingle
