#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/check.h"
#include "format/gguf.h"
#include "format/gguf_parser.h"

namespace ingle {
namespace {

struct SplitKeys {
  uint32_t number = 0;  // from 0
  uint32_t count = 1;
  uint64_t number_at_bytes = 0;  // where "split.no" says so
};

Result<SplitKeys> read_split_keys(const GgufPart& part) {
  SplitKeys keys;
  for (const GgufEntry& entry : part.metadata) {
    if (entry.key == "split.no") {
      ASSIGN_OR_RETURN(const uint64_t v, gguf_unsigned(entry, std::numeric_limits<uint16_t>::max()));
      keys.number = static_cast<uint32_t>(v);
      keys.number_at_bytes = entry.offset_bytes;
    } else if (entry.key == "split.count") {
      ASSIGN_OR_RETURN(const uint64_t v, gguf_unsigned(entry, std::numeric_limits<uint16_t>::max()));
      keys.count = std::max<uint32_t>(1, static_cast<uint32_t>(v));
    }
  }
  return keys;
}

std::string part_suffix(uint32_t number, uint32_t count) {
  return fmt::format("-{:05d}-of-{:05d}.gguf", number + 1, count);
}

// What stands before the suffix of part `number` of `count`, or nothing if the path is not named so.
std::optional<std::string> split_prefix(const std::filesystem::path& path, uint32_t number, uint32_t count) {
  const std::string text = path.string();
  const std::string suffix = part_suffix(number, count);
  if (!text.ends_with(suffix)) return std::nullopt;
  return text.substr(0, text.size() - suffix.size());
}

Error in_file(const std::filesystem::path& path, Error error) {
  error.message = path.string() + ": " + error.message;
  return error;
}

// Of a later part: the file to open instead.
std::string first_part_of(const std::filesystem::path& path, const SplitKeys& keys) {
  const std::optional<std::string> prefix = split_prefix(path, keys.number, keys.count);
  return prefix ? *prefix + part_suffix(0, keys.count) : "the one whose name ends in " + part_suffix(0, keys.count);
}

}  // namespace

uint64_t GgufTensor::values() const {
  uint64_t product = 1;
  for (const uint64_t size : shape) product *= size;
  return product;
}

Result<GgufFile> GgufFile::open(const std::filesystem::path& path) {
  GgufFile file;
  RETURN_IF_ERROR(file.add_file(path));
  if (file.expected_parts_ > 1) {
    const std::optional<std::string> prefix = split_prefix(path, 0, file.expected_parts_);
    if (!prefix) {
      return Error{ErrorCode::kInvalidData,
                   fmt::format("{}: metadata key 'split.count' at byte {} is {}, but the name does not end in {}",
                               path.string(), file.find_entry("split.count")->offset_bytes, file.expected_parts_,
                               part_suffix(0, file.expected_parts_)),
                   "give the parts of the model the names that they were published under"};
    }
    while (file.parts_ < file.expected_parts_) {
      RETURN_IF_ERROR(file.add_file(*prefix + part_suffix(file.parts_, file.expected_parts_)));
    }
  }
  if (Status status = file.index_tensors(); !status.ok()) return in_file(path, status.error());
  return file;
}

Result<GgufFile> GgufFile::open_parts(std::span<const std::filesystem::path> paths) {
  if (paths.empty()) return Error{ErrorCode::kInvalidArgument, "a model of no files can't be opened", ""};
  GgufFile file;
  for (const std::filesystem::path& path : paths) {
    if (file.parts_ > 0 && file.parts_ >= file.expected_parts_) break;
    RETURN_IF_ERROR(file.add_file(path));
  }
  if (file.expected_parts_ != paths.size()) {
    return in_file(paths[0],
                   {ErrorCode::kInvalidData,
                    fmt::format("split.count is {}, but {} files were given", file.expected_parts_, paths.size()), ""});
  }
  if (Status status = file.index_tensors(); !status.ok()) return in_file(paths[0], status.error());
  return file;
}

Result<GgufFile> GgufFile::parse(std::span<const uint8_t> bytes) {
  GgufFile file;
  RETURN_IF_ERROR(file.add_bytes(bytes));
  if (file.expected_parts_ > 1) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("split.count is {}: a split model can't be read from memory", file.expected_parts_), ""};
  }
  RETURN_IF_ERROR(file.index_tensors());
  return file;
}

Status GgufFile::add_file(const std::filesystem::path& path) {
  Result<MappedFile> map = MappedFile::open(path);
  if (!map.ok()) {
    if (parts_ == 0) return map.error();
    return Error{map.error().code, fmt::format("part {} of {}: {}", parts_ + 1, expected_parts_, map.error().message),
                 "all parts of a split model must lie in one folder"};
  }
  maps_.push_back(std::move(map).value());
  Status status = add_bytes(maps_.back().bytes());
  if (status.ok()) return status;
  return in_file(path, status.error());
}

Status GgufFile::add_bytes(std::span<const uint8_t> bytes) {
  ASSIGN_OR_RETURN(GgufPart part, parse_gguf(bytes, parts_, memory_left_bytes_));
  ASSIGN_OR_RETURN(const SplitKeys keys, read_split_keys(part));
  if (parts_ == 0) {
    if (keys.number != 0) {
      const std::filesystem::path path = maps_.empty() ? std::filesystem::path() : maps_.back().path();
      return Error{
          ErrorCode::kInvalidData,
          fmt::format("metadata key 'split.no' at byte {} is {}: this is part {} of {} of a split model, not its first",
                      keys.number_at_bytes, keys.number, keys.number + 1, keys.count),
          "open " + first_part_of(path, keys)};
    }
    version_ = part.version;
    alignment_ = part.alignment;
    expected_parts_ = keys.count;
    metadata_ = std::move(part.metadata);
    keys_sorted_ = std::move(part.keys_sorted);
    tensors_ = std::move(part.tensors);
  } else {
    if (keys.number != parts_ || keys.count != expected_parts_) {
      return Error{
          ErrorCode::kInvalidData,
          fmt::format(
              "metadata key 'split.no' at byte {}: with split.count it says part {} of {}, expected part {} of {}",
              keys.number_at_bytes, keys.number + 1, keys.count, parts_ + 1, expected_parts_),
          "the parts belong to different models: download them again"};
    }
    tensors_.insert(tensors_.end(), std::make_move_iterator(part.tensors.begin()),
                    std::make_move_iterator(part.tensors.end()));
  }
  size_bytes_ += bytes.size();
  ++parts_;
  return {};
}

Status GgufFile::index_tensors() {
  if (const GgufEntry* entry = find_entry("split.tensors.count"); entry != nullptr && expected_parts_ > 1) {
    ASSIGN_OR_RETURN(const uint64_t expected, gguf_unsigned(*entry, std::numeric_limits<int32_t>::max()));
    if (expected != tensors_.size()) {
      return Error{ErrorCode::kInvalidData,
                   fmt::format("metadata key 'split.tensors.count' at byte {} is {}, but the {} parts hold {} tensors",
                               entry->offset_bytes, expected, parts_, tensors_.size()),
                   "the parts belong to different models: download them again"};
    }
  }
  tensors_sorted_ = sorted_by_name(tensors_, [](const GgufTensor& t) { return std::string_view(t.name); });
  for (size_t i = 1; i < tensors_sorted_.size(); ++i) {
    const GgufTensor& first = tensors_[tensors_sorted_[i - 1]];
    const GgufTensor& again = tensors_[tensors_sorted_[i]];
    if (first.name == again.name) {
      const auto place = [&](const GgufTensor& t) {
        return fmt::format("byte {}{}", t.entry_offset_bytes, parts_ > 1 ? fmt::format(" of part {}", t.part + 1) : "");
      };
      return Error{ErrorCode::kInvalidData,
                   fmt::format("name of tensor {} at {}: the name is there already, at {}", gguf_quote(again.name),
                               place(again), place(first)),
                   "the file is damaged or not a GGUF model: download or convert it again"};
    }
  }
  return {};
}

void GgufFile::release(const GgufTensor& tensor, uint64_t offset_bytes, uint64_t size_bytes) const {
  CHECK(offset_bytes <= tensor.size_bytes && size_bytes <= tensor.size_bytes - offset_bytes);
  if (tensor.part < maps_.size()) maps_[tensor.part].release(tensor.offset_bytes + offset_bytes, size_bytes);
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto at = std::lower_bound(tensors_sorted_.begin(), tensors_sorted_.end(), name,
                                   [&](uint32_t i, std::string_view n) { return tensors_[i].name < n; });
  return at != tensors_sorted_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
}

const GgufEntry* GgufFile::find_entry(std::string_view key) const {
  const auto at = std::lower_bound(keys_sorted_.begin(), keys_sorted_.end(), key,
                                   [&](uint32_t i, std::string_view k) { return metadata_[i].key < k; });
  return at != keys_sorted_.end() && metadata_[*at].key == key ? &metadata_[*at] : nullptr;
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const GgufEntry* entry = find_entry(key);
  return entry == nullptr ? nullptr : &entry->value;
}

Result<const GgufEntry*> GgufFile::require(std::string_view key) const {
  if (const GgufEntry* entry = find_entry(key)) return entry;
  return Error{ErrorCode::kInvalidData, fmt::format("metadata key {} is missing", gguf_quote(key)), ""};
}

}  // namespace ingle
