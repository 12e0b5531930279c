// Zeroed memory straight from the system, page aligned and committed as it is touched, so that what is reserved but
// never used costs nothing. Owned by one object; movable. For weights, KV pools and step buffers.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace ingle {

class AnonymousMemory {
 public:
  AnonymousMemory() = default;
  // huge_pages: ask for them where the system grants them (weights: fewer TLB misses). Error: kResourceExhausted.
  static Result<AnonymousMemory> allocate(size_t bytes, bool huge_pages);

  AnonymousMemory(AnonymousMemory&& other) noexcept;
  AnonymousMemory& operator=(AnonymousMemory&& other) noexcept;
  ~AnonymousMemory();

  std::byte* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace ingle
