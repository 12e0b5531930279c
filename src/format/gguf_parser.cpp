#include "format/gguf_parser.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "base/checked.h"

namespace ingle {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF numbers are copied as they lie in the file");

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint32_t kArrayType = 9;
constexpr uint64_t kMinEntryBytes = 8 + 1 + 4 + 1;           // key length, key, type, value
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // name length, name, dimensions, one of them, type, offset
constexpr const char* kRemedy = "the file is damaged or not a GGUF model: download or convert it again";

// What is being read, turned into text only when it is wrong.
struct Field {
  const char* what;
  std::string_view name = {};
  std::optional<uint64_t> index = {};
};

Error bad(const Field& field, uint64_t offset_bytes, std::string_view problem) {
  std::string message = field.what;
  if (!field.name.empty()) message += ' ' + gguf_quote(field.name);
  if (field.index) message += fmt::format(" [{}]", *field.index);
  message += fmt::format(" at byte {}: {}", offset_bytes, problem);
  return {ErrorCode::kInvalidData, std::move(message), kRemedy};
}

// Reads forward over the bytes; what it passes and what the caller builds from it is charged to the memory limit.
class Cursor {
 public:
  Cursor(std::span<const uint8_t> bytes, uint64_t& memory_left_bytes)
      : bytes_(bytes), memory_left_bytes_(memory_left_bytes) {}

  uint64_t position() const { return position_; }
  uint64_t left() const { return bytes_.size() - position_; }

  Status charge(uint64_t bytes, uint64_t at, const Field& field) {
    if (bytes > memory_left_bytes_) {
      return bad(
          field, at,
          fmt::format("header and metadata take more than {} MiB of memory, the limit", kGgufMemoryLimitBytes >> 20));
    }
    memory_left_bytes_ -= bytes;
    return {};
  }

  // The next `count` bytes.
  Result<const uint8_t*> take(uint64_t count, const Field& field) {
    if (count > left()) {
      return bad(field, position_, fmt::format("{} bytes are needed, {} are left in the file", count, left()));
    }
    RETURN_IF_ERROR(charge(count, position_, field));
    const uint8_t* p = bytes_.data() + position_;
    position_ += count;
    return p;
  }

  template <typename T>
  Result<T> number(const Field& field) {
    ASSIGN_OR_RETURN(const uint8_t* p, take(sizeof(T), field));
    T value;
    std::memcpy(&value, p, sizeof value);
    return value;
  }

  Result<std::string_view> string(const Field& field, uint64_t max_bytes) {
    const uint64_t start = position_;
    ASSIGN_OR_RETURN(const uint64_t length, number<uint64_t>(field));
    if (length > left()) {
      return bad(field, start, fmt::format("the string is {} bytes long, {} are left in the file", length, left()));
    }
    if (length > max_bytes) {
      return bad(field, start, fmt::format("the string is {} bytes long, at most {} are allowed", length, max_bytes));
    }
    ASSIGN_OR_RETURN(const uint8_t* p, take(length, field));
    return std::string_view(reinterpret_cast<const char*>(p), length);
  }

  Result<bool> boolean(const Field& field) {
    const uint64_t start = position_;
    ASSIGN_OR_RETURN(const uint8_t v, number<uint8_t>(field));
    if (v > 1) return bad(field, start, fmt::format("a bool is 0 or 1, not {}", v));
    return v == 1;
  }

  // A count of things that take at least `min_bytes` each in the file and `memory_bytes` in memory.
  Status check_count(uint64_t count, uint64_t at, uint64_t min_bytes, uint64_t memory_bytes, const Field& field) {
    if (count > left() / min_bytes) {
      return bad(field, at, fmt::format("{} do not fit into the {} bytes that are left in the file", count, left()));
    }
    return charge(count * memory_bytes, at, field);
  }

 private:
  std::span<const uint8_t> bytes_;
  uint64_t position_ = 0;
  uint64_t& memory_left_bytes_;
};

template <typename T>
Result<GgufArray> read_array(Cursor& in, uint64_t count, uint64_t count_at, std::string_view key) {
  const Field field{"array of metadata key", key};
  std::vector<T> array;
  if constexpr (std::is_same_v<T, std::string_view> || std::is_same_v<T, bool>) {
    constexpr bool kStrings = std::is_same_v<T, std::string_view>;
    RETURN_IF_ERROR(in.check_count(count, count_at, kStrings ? 8 : 1, sizeof(T), field));
    array.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      const Field element{"array of metadata key", key, i};
      if constexpr (kStrings) {
        ASSIGN_OR_RETURN(const std::string_view s, in.string(element, std::numeric_limits<uint64_t>::max()));
        array.push_back(s);
      } else {
        ASSIGN_OR_RETURN(const bool b, in.boolean(element));
        array.push_back(b);
      }
    }
  } else {
    RETURN_IF_ERROR(in.check_count(count, count_at, sizeof(T), sizeof(T), field));
    ASSIGN_OR_RETURN(const uint8_t* p, in.take(count * sizeof(T), field));
    array.resize(count);
    if (count > 0) std::memcpy(array.data(), p, count * sizeof(T));
  }
  return GgufArray(std::move(array));
}

template <size_t kIndex>
Result<GgufArray> read_array_of(Cursor& in, uint32_t index, uint64_t count, uint64_t count_at, std::string_view key) {
  if constexpr (kIndex < std::variant_size_v<GgufArray>) {
    using Vector = std::variant_alternative_t<kIndex, GgufArray>;
    if (index == kIndex) return read_array<typename Vector::value_type>(in, count, count_at, key);
    return read_array_of<kIndex + 1>(in, index, count, count_at, key);
  } else {
    CHECK(false);
  }
}

Result<GgufValue> read_array_value(Cursor& in, std::string_view key) {
  const uint64_t type_at = in.position();
  const Field type_field{"array type of metadata key", key};
  ASSIGN_OR_RETURN(const uint32_t type, in.number<uint32_t>(type_field));
  if (type == kArrayType) return bad(type_field, type_at, "arrays of arrays are not supported");
  if (type >= std::variant_size_v<GgufValue>) {
    return bad(type_field, type_at, fmt::format("{} is not a type of the format (0 to 12)", type));
  }
  const uint64_t count_at = in.position();
  ASSIGN_OR_RETURN(const uint64_t count, in.number<uint64_t>({"array length of metadata key", key}));
  // GgufArray has no array alternative, so the kinds after it are one place lower.
  ASSIGN_OR_RETURN(GgufArray array, read_array_of<0>(in, type > kArrayType ? type - 1 : type, count, count_at, key));
  return GgufValue(std::move(array));
}

template <size_t kIndex>
Result<GgufValue> read_value(Cursor& in, uint32_t type, std::string_view key) {
  if constexpr (kIndex < std::variant_size_v<GgufValue>) {
    if (type != kIndex) return read_value<kIndex + 1>(in, type, key);
    using T = std::variant_alternative_t<kIndex, GgufValue>;
    const Field field{"value of metadata key", key};
    if constexpr (std::is_same_v<T, GgufArray>) {
      return read_array_value(in, key);
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      ASSIGN_OR_RETURN(const T v, in.string(field, std::numeric_limits<uint64_t>::max()));
      return GgufValue(std::in_place_index<kIndex>, v);
    } else if constexpr (std::is_same_v<T, bool>) {
      ASSIGN_OR_RETURN(const T v, in.boolean(field));
      return GgufValue(std::in_place_index<kIndex>, v);
    } else {
      ASSIGN_OR_RETURN(const T v, in.number<T>(field));
      return GgufValue(std::in_place_index<kIndex>, v);
    }
  } else {
    return bad({"type of metadata key", key}, in.position() - sizeof type,
               fmt::format("{} is not a type of the format (0 to 12)", type));
  }
}

Status read_metadata(Cursor& in, uint64_t count, GgufPart& part) {
  part.metadata.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    GgufEntry entry;
    entry.offset_bytes = in.position();
    ASSIGN_OR_RETURN(entry.key, in.string({"key of metadata entry", {}, i}, kGgufMaxKeyBytes));
    if (entry.key.empty()) return bad({"key of metadata entry", {}, i}, entry.offset_bytes, "it is empty");
    ASSIGN_OR_RETURN(const uint32_t type, in.number<uint32_t>({"type of metadata key", entry.key}));
    ASSIGN_OR_RETURN(entry.value, read_value<0>(in, type, entry.key));
    part.metadata.push_back(std::move(entry));
  }
  part.keys_sorted = sorted_by_name(part.metadata, [](const GgufEntry& e) { return e.key; });
  for (size_t i = 1; i < part.keys_sorted.size(); ++i) {
    const GgufEntry& first = part.metadata[part.keys_sorted[i - 1]];
    const GgufEntry& again = part.metadata[part.keys_sorted[i]];
    if (first.key == again.key) {
      return bad({"metadata key", again.key}, again.offset_bytes,
                 fmt::format("the key is there already, at byte {}", first.offset_bytes));
    }
  }
  return {};
}

Status read_alignment(GgufPart& part) {
  for (const GgufEntry& entry : part.metadata) {
    if (entry.key != "general.alignment") continue;
    ASSIGN_OR_RETURN(const uint64_t v, gguf_unsigned(entry, std::numeric_limits<uint32_t>::max()));
    if (!gguf_alignment_ok(v)) {
      return bad({"metadata key", entry.key}, entry.offset_bytes,
                 fmt::format("{} is not a power of two from {} to {}", v, kGgufMinAlignment, kGgufMaxAlignment));
    }
    part.alignment = static_cast<uint32_t>(v);
  }
  return {};
}

Status read_shape(Cursor& in, GgufTensor& tensor) {
  const uint64_t dims_at = in.position();
  ASSIGN_OR_RETURN(const uint32_t dims, in.number<uint32_t>({"dimensions of tensor", tensor.name}));
  if (dims == 0 || dims > kGgufMaxDims) {
    return bad({"dimensions of tensor", tensor.name}, dims_at, fmt::format("{} is not 1 to {}", dims, kGgufMaxDims));
  }
  tensor.shape.reserve(dims);
  uint64_t values = 1;
  for (uint32_t d = 0; d < dims; ++d) {
    const Field field{"dimension of tensor", tensor.name, d};
    const uint64_t at = in.position();
    ASSIGN_OR_RETURN(const uint64_t size, in.number<uint64_t>(field));
    if (size == 0) return bad(field, at, "it is 0");
    const std::optional<uint64_t> product = checked_mul(values, size);
    if (!product) return bad(field, at, fmt::format("{} makes the number of values wrap", size));
    values = *product;
    tensor.shape.push_back(size);
  }
  return {};
}

// All that one table entry says; data and place in the file are known only once the table has been read.
Result<GgufTensor> read_tensor(Cursor& in, uint64_t index, uint32_t part, uint32_t alignment) {
  GgufTensor tensor;
  tensor.part = part;
  tensor.entry_offset_bytes = in.position();
  ASSIGN_OR_RETURN(const std::string_view name, in.string({"name of tensor", {}, index}, kGgufMaxKeyBytes));
  if (name.empty()) return bad({"name of tensor", {}, index}, tensor.entry_offset_bytes, "it is empty");
  RETURN_IF_ERROR(in.charge(name.size(), tensor.entry_offset_bytes, {"name of tensor", {}, index}));
  tensor.name = name;
  const uint64_t shape_at = in.position();
  RETURN_IF_ERROR(read_shape(in, tensor));

  const uint64_t type_at = in.position();
  ASSIGN_OR_RETURN(const uint32_t type, in.number<uint32_t>({"type of tensor", name}));
  const std::optional<DType> dtype = dtype_from_gguf(type);
  if (!dtype) return bad({"type of tensor", name}, type_at, fmt::format("{} is not a type of the format", type));
  tensor.type = *dtype;
  const DTypeInfo& info = dtype_info(*dtype);
  if (tensor.shape[0] % info.block_values != 0) {
    return bad(
        {"dimension of tensor", name, 0}, shape_at + sizeof(uint32_t),
        fmt::format("{} is no multiple of {}, the block size of {}", tensor.shape[0], info.block_values, info.name));
  }
  const std::optional<uint64_t> size = dtype_bytes(*dtype, tensor.values());
  if (!size) return bad({"shape of tensor", name}, shape_at, "its size in bytes wraps");
  tensor.size_bytes = *size;

  const uint64_t offset_at = in.position();
  ASSIGN_OR_RETURN(tensor.offset_bytes, in.number<uint64_t>({"offset of tensor", name}));
  if (tensor.offset_bytes % alignment != 0) {
    return bad({"offset of tensor", name}, offset_at,
               fmt::format("{} is no multiple of the alignment, {}", tensor.offset_bytes, alignment));
  }
  return tensor;
}

// Turns offsets in the data section into offsets in the file, and shows that each tensor lies in it alone.
Status place_tensors(std::span<const uint8_t> bytes, uint64_t table_end, GgufPart& part) {
  const uint64_t data_start = round_up<uint64_t>(table_end, part.alignment);
  for (GgufTensor& t : part.tensors) {
    const std::optional<uint64_t> begin = checked_add(data_start, t.offset_bytes);
    const std::optional<uint64_t> end = begin ? checked_add(*begin, t.size_bytes) : std::nullopt;
    if (!end || *end > bytes.size()) {
      return bad(
          {"data of tensor", t.name}, t.entry_offset_bytes,
          fmt::format("{} bytes at {} of the data section, which begins at byte {}, run past the end of the file, {}",
                      t.size_bytes, t.offset_bytes, data_start, bytes.size()));
    }
    t.offset_bytes = *begin;
    t.data = bytes.data() + *begin;
  }
  std::vector<uint32_t> order(part.tensors.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return part.tensors[a].offset_bytes < part.tensors[b].offset_bytes; });
  for (size_t i = 1; i < order.size(); ++i) {
    const GgufTensor& a = part.tensors[order[i - 1]];
    const GgufTensor& b = part.tensors[order[i]];
    if (a.offset_bytes + a.size_bytes > b.offset_bytes) {
      return bad({"data of tensor", b.name}, b.entry_offset_bytes,
                 fmt::format("it begins at byte {}, inside the data of tensor {}", b.offset_bytes, gguf_quote(a.name)));
    }
  }
  return {};
}

Status read_version(Cursor& in, GgufPart& part) {
  const Field magic_field{"magic"};
  ASSIGN_OR_RETURN(const uint32_t magic, in.number<uint32_t>(magic_field));
  if (magic != kMagic) return bad(magic_field, 0, fmt::format("0x{:08x} is not \"GGUF\"", magic));
  ASSIGN_OR_RETURN(part.version, in.number<uint32_t>({"version"}));
  if (part.version == 2 || part.version == 3) return {};
  const uint32_t swapped = __builtin_bswap32(part.version);
  if (swapped >= 1 && swapped <= 3) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("version at byte 4: the file is big-endian (version {})", swapped),
                 "convert the model for little-endian machines"};
  }
  return Error{ErrorCode::kUnsupported,
               fmt::format("version at byte 4: {} is not supported, 2 and 3 are", part.version),
               part.version == 1 ? "convert the model again with a current converter" : ""};
}

}  // namespace

Result<GgufPart> parse_gguf(std::span<const uint8_t> bytes, uint32_t part_number, uint64_t& memory_left_bytes) {
  Cursor in(bytes, memory_left_bytes);
  GgufPart part;
  RETURN_IF_ERROR(read_version(in, part));
  const uint64_t tensor_count_at = in.position();
  ASSIGN_OR_RETURN(const uint64_t tensor_count, in.number<uint64_t>({"tensor count"}));
  const uint64_t entry_count_at = in.position();
  ASSIGN_OR_RETURN(const uint64_t entry_count, in.number<uint64_t>({"metadata count"}));
  // Four bytes for each index that is made, eight at a time, and the heap block of a shape.
  constexpr uint64_t kEntryMemory = sizeof(GgufEntry) + 4;
  constexpr uint64_t kTensorMemory = sizeof(GgufTensor) + 8 + 48;
  RETURN_IF_ERROR(in.check_count(tensor_count, tensor_count_at, kMinTensorBytes, kTensorMemory, {"tensor count"}));
  RETURN_IF_ERROR(in.check_count(entry_count, entry_count_at, kMinEntryBytes, kEntryMemory, {"metadata count"}));

  if (entry_count > kGgufMaxEntries) {
    return bad({"metadata count"}, entry_count_at,
               fmt::format("{} entries, at most {} are allowed", entry_count, kGgufMaxEntries));
  }
  RETURN_IF_ERROR(read_metadata(in, entry_count, part));
  RETURN_IF_ERROR(read_alignment(part));
  part.tensors.reserve(tensor_count);
  for (uint64_t i = 0; i < tensor_count; ++i) {
    ASSIGN_OR_RETURN(GgufTensor tensor, read_tensor(in, i, part_number, part.alignment));
    part.tensors.push_back(std::move(tensor));
  }
  RETURN_IF_ERROR(place_tensors(bytes, in.position(), part));
  return part;
}

}  // namespace ingle
