// Test helper: a GGUF file put together field by field, so that any of them can be wrong.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "format/gguf.h"

namespace ingle {

class GgufBytes {
 public:
  GgufBytes() = default;
  // Magic, version and counts.
  GgufBytes(uint64_t tensors, uint64_t entries, uint32_t version = 3) {
    raw("GGUF").put(version).put(tensors).put(entries);
  }

  template <typename T>
  GgufBytes& put(T value) {
    const auto* p = reinterpret_cast<const uint8_t*>(&value);
    bytes_.insert(bytes_.end(), p, p + sizeof value);
    return *this;
  }
  GgufBytes& raw(std::string_view text) {
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return *this;
  }
  GgufBytes& string(std::string_view text) { return put<uint64_t>(text.size()).raw(text); }
  GgufBytes& key(std::string_view name, uint32_t type) { return string(name).put(type); }
  GgufBytes& u32(std::string_view name, uint32_t value) { return key(name, 4).put(value); }
  // An array's head: the elements follow.
  GgufBytes& array(std::string_view name, uint32_t type, uint64_t count) { return key(name, 9).put(type).put(count); }
  GgufBytes& tensor(std::string_view name, const std::vector<uint64_t>& shape, uint32_t type, uint64_t offset) {
    string(name).put(static_cast<uint32_t>(shape.size()));
    for (const uint64_t size : shape) put(size);
    return put(type).put(offset);
  }
  // Zeros up to a multiple of `alignment`, then `count` bytes.
  GgufBytes& data(size_t count, size_t alignment = 32) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment + count);
    return *this;
  }

  uint64_t size() const { return bytes_.size(); }
  std::span<const uint8_t> bytes() const { return bytes_; }
  std::vector<uint8_t>& mutable_bytes() { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace ingle
