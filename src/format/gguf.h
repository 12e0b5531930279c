// GGUF, the file format of quantised models: reader of versions 2 and 3 (split files too) and writer.
// The bytes are hostile: every count, size, offset and string is checked before use; errors name the field and its offset.
// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
// The reader keeps the file mapped; tensor bytes are views into the map and live as long as the GgufFile.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"
#include "tensor/dtype.h"

namespace ingle {

// Arrays hold one scalar kind; arrays of arrays are refused.
using GgufArray = std::variant<std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>, std::vector<int16_t>,
                               std::vector<uint32_t>, std::vector<int32_t>, std::vector<float>, std::vector<bool>,
                               std::vector<std::string>, std::vector<uint64_t>, std::vector<int64_t>, std::vector<double>>;
using GgufValue = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool, std::string, GgufArray,
                               uint64_t, int64_t, double>;

struct GgufTensor {
  std::string name;
  DType type = DType::kF32;
  std::vector<uint64_t> shape;  // as in the file: shape[0] is the contiguous dimension
  uint32_t part = 0;            // which file of a split model
  uint64_t offset_bytes = 0;    // from the start of that file
  uint64_t size_bytes = 0;
  const uint8_t* data = nullptr;  // in the map

  uint64_t values() const;
};
