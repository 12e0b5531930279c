// GGUF, the file format of quantised models: the reader of versions 2 and 3, split files too (writer: gguf_writer.h).
// The bytes are hostile: every count, size, offset and string is checked before use; errors name the field and its byte
// offset. What reading a file costs in memory is bounded by kGgufMemoryLimitBytes, whatever its counts say.
// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
// The reader keeps the files mapped; tensor bytes and strings are views into the maps and live as long as the GgufFile
// (moving it keeps them valid). A GgufFile is immutable once open: any thread may read it.
#pragma once

#include <bit>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"
#include "tensor/dtype.h"

namespace ingle {

// Bytes of header, metadata and tensor table together with the structures that hold them. The largest published
// vocabularies (262 144 tokens, 514 906 merges) take about 30 MiB of it.
inline constexpr uint64_t kGgufMemoryLimitBytes = uint64_t{56} << 20;
inline constexpr uint32_t kGgufDefaultAlignment = 32;
inline constexpr uint32_t kGgufMinAlignment = 8;
inline constexpr uint32_t kGgufMaxAlignment = 1u << 20;
inline constexpr uint32_t kGgufMaxDims = 4;
inline constexpr uint64_t kGgufMaxEntries = 65536;  // of metadata; models have tens
inline constexpr uint64_t kGgufMaxKeyBytes = 65535;

// The order of the alternatives is that of the format's type numbers, 9 being the array. Arrays hold one scalar kind;
// arrays of arrays are refused.
using GgufArray =
    std::variant<std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>, std::vector<int16_t>,
                 std::vector<uint32_t>, std::vector<int32_t>, std::vector<float>, std::vector<bool>,
                 std::vector<std::string_view>, std::vector<uint64_t>, std::vector<int64_t>, std::vector<double>>;
using GgufValue = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool, std::string_view,
                               GgufArray, uint64_t, int64_t, double>;

// "u32", "string", "array of f32", as messages name the type of a value.
std::string gguf_type_name(const GgufValue& value);

struct GgufEntry {
  std::string_view key;
  GgufValue value;
  uint64_t offset_bytes = 0;  // of the entry in its file, for messages
};

struct GgufTensor {
  std::string name;
  DType type = DType::kF32;
  std::vector<uint64_t>
      shape;                  // as in the file: shape[0] is the contiguous dimension; 1 to 4 dimensions, none of them 0
  uint32_t part = 0;          // which file of a split model
  uint64_t offset_bytes = 0;  // from the start of that file
  uint64_t size_bytes = 0;
  uint64_t entry_offset_bytes = 0;  // of the entry in the file's tensor table, for messages
  const uint8_t* data = nullptr;    // in the map

  uint64_t values() const;
};

// Whether a file may align its tensors so: a power of two in the limits above.
constexpr bool gguf_alignment_ok(uint64_t alignment) {
  return std::has_single_bit(alignment) && alignment >= kGgufMinAlignment && alignment <= kGgufMaxAlignment;
}

// A name or key as a message shows it: quoted, control bytes as \xNN, cut when long.
std::string gguf_quote(std::string_view text);

class GgufFile {
 public:
  // Opens the file, and all its parts where it is the first of a split model (`name-00001-of-0000N.gguf`).
  // Errors: kNotFound (also a missing part), kIo, kInvalidData (breaks the format; a later part of a split model, in
  // which case the message names the first), kUnsupported (version, byte order).
  static Result<GgufFile> open(const std::filesystem::path& path);

  // The parts of one split model in order, wherever they lie.
  static Result<GgufFile> open_parts(std::span<const std::filesystem::path> paths);

  // A whole file in memory; `bytes` must outlive the GgufFile. Split files are refused, as they have no names here.
  static Result<GgufFile> parse(std::span<const uint8_t> bytes);

  uint32_t version() const { return version_; }
  uint32_t alignment() const { return alignment_; }
  uint64_t size_bytes() const { return size_bytes_; }  // all parts together
  uint32_t parts() const { return parts_; }

  // In file order; of a split model, the first part's.
  std::span<const GgufEntry> metadata() const { return metadata_; }
  // nullptr when the key is absent.
  const GgufValue* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }

  // The value of a key. An integer type takes integers of any width that fit, a float type f32 and f64, bool and
  // strings (std::string copies, std::string_view views the map) only themselves. Errors: kInvalidData, absent or of
  // another type.
  template <typename T>
  Result<T> get(std::string_view key) const;
  // The same with a value for an absent key; a value of the wrong type is still an error.
  template <typename T>
  Result<T> get_or(std::string_view key, std::type_identity_t<T> absent) const;

  // Arrays, with the rules of get(): strings and bools without a copy, numbers converted. An empty array is an empty
  // array of numbers whatever numbers it was declared to hold.
  Result<const std::vector<std::string_view>*> strings(std::string_view key) const;
  Result<const std::vector<bool>*> bools(std::string_view key) const;
  Result<std::vector<float>> floats(std::string_view key) const;
  Result<std::vector<int64_t>> ints(std::string_view key) const;

  // In file order, part after part. Empty for a vocabulary-only file.
  std::span<const GgufTensor> tensors() const { return tensors_; }
  // nullptr when there is no such tensor.
  const GgufTensor* find_tensor(std::string_view name) const;
  // The bytes of a tensor of this file.
  std::span<const uint8_t> bytes(const GgufTensor& tensor) const { return {tensor.data, tensor.size_bytes}; }

  // Gives the pages of a tensor's bytes [offset, offset + size) back to the system (MappedFile::release). Nothing for a
  // parsed one.
  void release(const GgufTensor& tensor, uint64_t offset_bytes, uint64_t size_bytes) const;

 private:
  GgufFile() = default;
  const GgufEntry* find_entry(std::string_view key) const;
  Result<const GgufEntry*> require(std::string_view key) const;
  Result<int64_t> get_signed(std::string_view key, int64_t min, int64_t max) const;
  Result<uint64_t> get_unsigned(std::string_view key, uint64_t max) const;
  Result<double> get_double(std::string_view key, double max) const;
  Result<bool> get_bool(std::string_view key) const;
  Result<std::string_view> get_string(std::string_view key) const;
  // Assembly: the first part, then the others in order, then the index over all of them.
  Status add_file(const std::filesystem::path& path);
  Status add_bytes(std::span<const uint8_t> bytes);
  Status index_tensors();

  std::vector<MappedFile> maps_;  // one per part; empty for a parsed file
  std::vector<GgufEntry> metadata_;
  std::vector<GgufTensor> tensors_;
  std::vector<uint32_t> keys_sorted_;     // indices into metadata_, by key
  std::vector<uint32_t> tensors_sorted_;  // indices into tensors_, by name
  uint32_t version_ = 0;
  uint32_t alignment_ = kGgufDefaultAlignment;
  uint64_t size_bytes_ = 0;
  uint64_t memory_left_bytes_ = kGgufMemoryLimitBytes;
  uint32_t parts_ = 0;           // added so far
  uint32_t expected_parts_ = 1;  // split.count of the first
};

template <typename T>
Result<T> GgufFile::get(std::string_view key) const {
  if constexpr (std::is_same_v<T, bool>) {
    return get_bool(key);
  } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    ASSIGN_OR_RETURN(const int64_t v, get_signed(key, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
    return static_cast<T>(v);
  } else if constexpr (std::is_integral_v<T>) {
    ASSIGN_OR_RETURN(const uint64_t v, get_unsigned(key, std::numeric_limits<T>::max()));
    return static_cast<T>(v);
  } else if constexpr (std::is_floating_point_v<T>) {
    ASSIGN_OR_RETURN(const double v, get_double(key, static_cast<double>(std::numeric_limits<T>::max())));
    return static_cast<T>(v);
  } else {
    static_assert(std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>);
    ASSIGN_OR_RETURN(const std::string_view v, get_string(key));
    return T(v);
  }
}

template <typename T>
Result<T> GgufFile::get_or(std::string_view key, std::type_identity_t<T> absent) const {
  if (!has(key)) return absent;
  return get<T>(key);
}

}  // namespace ingle
