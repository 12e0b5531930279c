// A non-owning view of a weight: type, shape and bytes that belong to a mapped file. Copy freely; empty() means absent.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "tensor/dtype.h"

namespace ingle {

struct Tensor {
  std::string name;
  DType type = DType::kF32;
  uint32_t rows = 0;  // 1 for vectors
  uint32_t cols = 0;  // contiguous
  const uint8_t* data = nullptr;
  // Gives the pages of bytes [offset, offset + size) back to the system once they have been repacked; may be empty.
  std::function<void(uint64_t offset_bytes, uint64_t size_bytes)> release;

  bool empty() const { return data == nullptr; }
  size_t row_bytes() const { return dtype_bytes(type, cols).value(); }
  uint64_t bytes() const { return uint64_t{rows} * row_bytes(); }
};

}  // namespace ingle
