#include "format/gguf_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "base/atomic_file.h"
#include "base/checked.h"

namespace ingle {
namespace {

constexpr uint32_t kVersion = 3;
constexpr size_t kArrayIndex = 9;

using Bytes = std::vector<uint8_t>;

template <typename T>
void put(Bytes& out, T value) {
  static_assert(std::is_arithmetic_v<T> && std::endian::native == std::endian::little);
  const auto* p = reinterpret_cast<const uint8_t*>(&value);
  out.insert(out.end(), p, p + sizeof value);
}

void put(Bytes& out, std::string_view text) {
  put(out, static_cast<uint64_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
}

void put(Bytes& out, bool value) { out.push_back(value ? 1 : 0); }

void put(Bytes& out, const GgufArray& array) {
  // The array type has no number among its elements, so the kinds after it are one place higher.
  put(out, static_cast<uint32_t>(array.index() < kArrayIndex ? array.index() : array.index() + 1));
  std::visit(
      [&](const auto& values) {
        using T = typename std::decay_t<decltype(values)>::value_type;
        put(out, static_cast<uint64_t>(values.size()));
        for (const T value : values) put(out, value);
      },
      array);
}

Bytes encode(const GgufValue& value) {
  Bytes out;
  put(out, static_cast<uint32_t>(value.index()));
  std::visit([&](const auto& v) { put(out, v); }, value);
  return out;
}

Error invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message), ""}; }

Result<uint64_t> tensor_bytes(std::string_view name, DType type, std::span<const uint64_t> shape) {
  const DTypeInfo& info = dtype_info(type);
  if (shape.empty() || shape.size() > kGgufMaxDims) {
    return invalid(
        fmt::format("tensor {} has {} dimensions, not 1 to {}", gguf_quote(name), shape.size(), kGgufMaxDims));
  }
  if (shape[0] % info.block_values != 0) {
    return invalid(fmt::format("tensor {}: {} is no multiple of {}, the block size of {}", gguf_quote(name), shape[0],
                               info.block_values, info.name));
  }
  std::optional<uint64_t> values = 1;
  for (const uint64_t size : shape) {
    if (size == 0) return invalid(fmt::format("tensor {} has a dimension of 0", gguf_quote(name)));
    if (values) values = checked_mul(*values, size);
  }
  const std::optional<uint64_t> bytes = values ? dtype_bytes(type, *values) : std::nullopt;
  if (!bytes) return invalid(fmt::format("the size of tensor {} in bytes wraps", gguf_quote(name)));
  return *bytes;
}

}  // namespace

Status GgufWriter::set(std::string_view key, const GgufValue& value) {
  if (key.empty() || key.size() > kGgufMaxKeyBytes) {
    return invalid(fmt::format("a metadata key of {} bytes, not 1 to {}", key.size(), kGgufMaxKeyBytes));
  }
  if (key == "general.alignment") {
    const auto* alignment = std::get_if<uint32_t>(&value);
    if (alignment == nullptr || !gguf_alignment_ok(*alignment)) {
      return invalid(fmt::format("general.alignment must be a u32, a power of two from {} to {}", kGgufMinAlignment,
                                 kGgufMaxAlignment));
    }
    alignment_ = *alignment;
  }
  const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  if (at != entries_.end()) {
    at->value = encode(value);
  } else {
    entries_.push_back({std::string(key), encode(value)});
  }
  return {};
}

Status GgufWriter::set_strings(std::string_view key, std::span<const std::string> values) {
  return set(key, GgufArray(std::vector<std::string_view>(values.begin(), values.end())));
}

Status GgufWriter::add_tensor(std::string_view name, DType type, std::vector<uint64_t> shape,
                              std::span<const uint8_t> bytes) {
  ASSIGN_OR_RETURN(const uint64_t expected, tensor_bytes(name, type, shape));
  if (bytes.size() != expected) {
    return invalid(fmt::format("tensor {} takes {} bytes, {} were given", gguf_quote(name), expected, bytes.size()));
  }
  return add_tensor(name, type, std::move(shape), [bytes](const Sink& sink) { return sink(bytes); });
}

Status GgufWriter::add_tensor(std::string_view name, DType type, std::vector<uint64_t> shape, Source source) {
  if (name.empty() || name.size() > kGgufMaxKeyBytes) {
    return invalid(fmt::format("a tensor name of {} bytes, not 1 to {}", name.size(), kGgufMaxKeyBytes));
  }
  ASSIGN_OR_RETURN(const uint64_t size_bytes, tensor_bytes(name, type, shape));
  if (!names_.emplace(name).second) return invalid(fmt::format("there is a tensor {} already", gguf_quote(name)));
  tensors_.push_back({std::string(name), type, std::move(shape), size_bytes, std::move(source)});
  return {};
}

std::vector<uint8_t> GgufWriter::header() const {
  Bytes out = {'G', 'G', 'U', 'F'};
  put(out, kVersion);
  put(out, static_cast<uint64_t>(tensors_.size()));
  put(out, static_cast<uint64_t>(entries_.size()));
  for (const Entry& entry : entries_) {
    put(out, std::string_view(entry.key));
    out.insert(out.end(), entry.value.begin(), entry.value.end());
  }
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    put(out, std::string_view(tensor.name));
    put(out, static_cast<uint32_t>(tensor.shape.size()));
    for (const uint64_t size : tensor.shape) put(out, size);
    put(out, static_cast<uint32_t>(tensor.type));
    put(out, offset);
    offset += round_up<uint64_t>(tensor.size_bytes, alignment_);
  }
  out.resize(round_up<size_t>(out.size(), alignment_));
  return out;
}

Status GgufWriter::write(const std::filesystem::path& path) const {
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  RETURN_IF_ERROR(file.append(header()));
  const Bytes padding(alignment_);
  for (const Tensor& tensor : tensors_) {
    uint64_t given = 0;
    const auto count_error = [&](std::string_view how_many) {
      return invalid(fmt::format("the source of tensor {} gave {} bytes of {}", gguf_quote(tensor.name), how_many,
                                 tensor.size_bytes));
    };
    const Sink sink = [&](std::span<const uint8_t> bytes) -> Status {
      if (bytes.size() > tensor.size_bytes - given) return count_error("more than the");
      given += bytes.size();
      return file.append(bytes);
    };
    RETURN_IF_ERROR(tensor.source(sink));
    if (given != tensor.size_bytes) return count_error(fmt::to_string(given));
    const uint64_t rest = round_up<uint64_t>(given, alignment_) - given;
    RETURN_IF_ERROR(file.append(std::span(padding).first(rest)));
  }
  return file.commit();
}

}  // namespace ingle
