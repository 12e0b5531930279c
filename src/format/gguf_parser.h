// One GGUF file's bytes to metadata and tensor table: what GgufFile is assembled from, and nobody else's business.
// Pure functions of hostile bytes; the views in the result point into them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "format/gguf.h"

namespace ingle {

struct GgufPart {
  uint32_t version = 0;
  uint32_t alignment = kGgufDefaultAlignment;
  std::vector<GgufEntry> metadata;
  std::vector<GgufTensor> tensors;
  std::vector<uint32_t> keys_sorted;
};

// `part` is written into the tensors. `memory_left_bytes` is what the parts of a model may still cost together
// (kGgufMemoryLimitBytes at first); it is reduced by what this one took.
Result<GgufPart> parse_gguf(std::span<const uint8_t> bytes, uint32_t part, uint64_t& memory_left_bytes);

// The value as an integer of at most `max`. Error: kInvalidData, naming the key and its offset.
Result<uint64_t> gguf_unsigned(const GgufEntry& entry, uint64_t max);

// "metadata key 'x' at byte 24 is string, expected ...".
Error gguf_type_error(const GgufEntry& entry, std::string_view expected);

// The indices of `items` in ascending order of name(item), equal names in order of index.
template <typename Item, typename Name>
std::vector<uint32_t> sorted_by_name(const std::vector<Item>& items, Name name) {
  std::vector<uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int c = name(items[a]).compare(name(items[b]));
    return c != 0 ? c < 0 : a < b;
  });
  return order;
}

}  // namespace ingle
