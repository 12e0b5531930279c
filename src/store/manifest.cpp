#include "store/manifest.h"

#include <algorithm>
#include <boost/json.hpp>
#include <limits>

namespace ingle {
namespace json = boost::json;
namespace {

constexpr int64_t kVersion = 1;
constexpr size_t kMaxParts = 100'000;  // more than a split file name can count

bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Error bad_field(std::string_view field) {
  return {ErrorCode::kInvalidData, "field \"" + std::string(field) + "\" is missing or wrong", ""};
}

Result<int64_t> read_int(const json::object& object, std::string_view field) {
  const json::value* value = object.if_contains(field);
  if (value == nullptr || !value->is_int64()) return bad_field(field);
  return value->get_int64();
}

Result<uint64_t> read_size(const json::object& object, std::string_view field) {
  ASSIGN_OR_RETURN(const int64_t value, read_int(object, field));
  if (value < 0) return bad_field(field);
  return static_cast<uint64_t>(value);
}

Result<std::string> read_string(const json::object& object, std::string_view field) {
  const json::value* value = object.if_contains(field);
  if (value == nullptr || !value->is_string()) return bad_field(field);
  return std::string(value->get_string());
}

Result<StoredPart> read_part(const json::value& value) {
  if (!value.is_object()) return bad_field("parts");
  StoredPart part;
  ASSIGN_OR_RETURN(part.sha256, read_string(value.get_object(), "sha256"));
  if (!is_sha256(part.sha256)) return bad_field("sha256");
  ASSIGN_OR_RETURN(part.facts.size_bytes, read_size(value.get_object(), "size_bytes"));
  ASSIGN_OR_RETURN(part.facts.mtime_ns, read_int(value.get_object(), "mtime_ns"));
  return part;
}

}  // namespace

uint64_t StoredModel::size_bytes() const {
  uint64_t sum = 0;
  for (const StoredPart& part : parts) sum += part.facts.size_bytes;
  return sum;
}

std::string manifest_to_json(const StoredModel& model) {
  json::array parts;
  for (const StoredPart& part : model.parts) {
    parts.push_back(json::object{{"sha256", part.sha256},
                                 {"size_bytes", static_cast<int64_t>(part.facts.size_bytes)},
                                 {"mtime_ns", part.facts.mtime_ns}});
  }
  const json::object object{{"version", kVersion},
                            {"architecture", model.architecture},
                            {"quantization", model.quantization},
                            {"parameters", static_cast<int64_t>(model.parameters)},
                            {"imported_s", model.imported_s},
                            {"parts", std::move(parts)}};
  return json::serialize(object) + "\n";
}

Result<StoredModel> manifest_from_json(const ModelRef& ref, std::string_view text) {
  json::error_code code;
  const json::value value = json::parse(text, code);
  if (code || !value.is_object()) return Error{ErrorCode::kInvalidData, "it is not a JSON object", ""};
  const json::object& object = value.get_object();
  ASSIGN_OR_RETURN(const int64_t version, read_int(object, "version"));
  if (version != kVersion) {
    return Error{ErrorCode::kUnsupported, "its version is " + std::to_string(version) + ", known is 1",
                 "a newer ingle wrote it"};
  }
  StoredModel model(ref);
  ASSIGN_OR_RETURN(model.architecture, read_string(object, "architecture"));
  ASSIGN_OR_RETURN(model.quantization, read_string(object, "quantization"));
  ASSIGN_OR_RETURN(model.parameters, read_size(object, "parameters"));
  ASSIGN_OR_RETURN(model.imported_s, read_int(object, "imported_s"));
  const json::value* parts = object.if_contains("parts");
  if (parts == nullptr || !parts->is_array() || parts->get_array().empty() || parts->get_array().size() > kMaxParts) {
    return bad_field("parts");
  }
  for (const json::value& part : parts->get_array()) {
    ASSIGN_OR_RETURN(StoredPart read, read_part(part));
    model.parts.push_back(std::move(read));
  }
  return model;
}

}  // namespace ingle
