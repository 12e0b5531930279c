// Writes GGUF files of version 3. Owned by whoever makes the file (import, conversion, tests), one thread.
// Metadata is copied when it is set; tensor bytes are read only while write() runs and must live until then.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "format/gguf.h"

namespace ingle {

class GgufWriter {
 public:
  // Takes the next bytes of a tensor. An error (disk full, too many bytes) must be handed on by the source.
  using Sink = std::function<Status(std::span<const uint8_t>)>;
  // Gives a tensor's bytes to the sink, in any number of pieces; they must add up to its size.
  using Source = std::function<Status(const Sink&)>;

  // Sets a key, replacing the value it had. "general.alignment" (u32) also sets the alignment of the tensors.
  // Errors: kInvalidArgument for what a reader would refuse (an empty or too long key, a bad alignment).
  Status set(std::string_view key, const GgufValue& value);
  Status set_strings(std::string_view key, std::span<const std::string> values);

  // Adds a tensor; shape[0] is the contiguous dimension. Errors: kInvalidArgument for what a reader would refuse (an
  // empty or used name, dimensions not 1 to 4 or 0, a row that is no whole number of blocks), or bytes that do not fit
  // the shape.
  Status add_tensor(std::string_view name, DType type, std::vector<uint64_t> shape, std::span<const uint8_t> bytes);
  Status add_tensor(std::string_view name, DType type, std::vector<uint64_t> shape, Source source);

  // Writes the file, which appears whole or not at all. May be called again.
  // Errors: kResourceExhausted (disk full), kIo, kInvalidArgument (a source gave too many or too few bytes), a source's
  // own.
  Status write(const std::filesystem::path& path) const;

 private:
  struct Entry {
    std::string key;
    std::vector<uint8_t> value;  // type and value as in the file
  };
  struct Tensor {
    std::string name;
    DType type;
    std::vector<uint64_t> shape;
    uint64_t size_bytes;
    Source source;
  };
  std::vector<uint8_t> header() const;

  std::vector<Entry> entries_;
  std::vector<Tensor> tensors_;
  std::unordered_set<std::string> names_;  // of the tensors
  uint32_t alignment_ = kGgufDefaultAlignment;
};

}  // namespace ingle
