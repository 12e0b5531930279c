// What the store writes down about a model, and its JSON form. Plain data; the JSON is read back as untrusted bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/files.h"
#include "store/model_ref.h"

namespace ingle {

inline constexpr uint64_t kMaxManifestBytes = uint64_t{4} << 20;

struct StoredPart {
  std::string sha256;  // 64 hex digits; the bytes are in blobs/sha256-<them>
  // Of the blob when its bytes were last checked. A blob that is a hard link changes with the user's file: other facts
  // mean that it has to be checked again.
  FileFacts facts;
};

struct StoredModel {
  explicit StoredModel(ModelRef r) : ref(std::move(r)) {}

  ModelRef ref;
  std::string architecture, quantization;
  uint64_t parameters = 0;
  int64_t imported_s = 0;         // since 1970
  std::vector<StoredPart> parts;  // of a split model in order; at least one

  uint64_t size_bytes() const;
};

std::string manifest_to_json(const StoredModel& model);

// Errors: kInvalidData names the field that is missing or wrong.
Result<StoredModel> manifest_from_json(const ModelRef& ref, std::string_view json);

}  // namespace ingle
