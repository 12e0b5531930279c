// Typed reading of a request's JSON object. A field that is absent or null leaves what it would set as it is; the first
// one that is wrong is remembered, and named as `param`. Fields that nobody asks for are ignored, as other servers do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/api_error.h"
#include "text/jinja_value.h"

namespace ingle {

// Bounds what one JSON text may make of memory, where a value takes many times the byte or two that it may have: a
// number counts once, a member of an object 4 times, an array or object 8 times besides, as they take memory.
inline constexpr size_t kMaxJsonValues = 1'200'000;

// Half surrogates (json_value.h) are mended: clients that cut texts by UTF-16 send them. Errors: not JSON, too deep,
// too many values, no object.
std::optional<ApiError> parse_object(std::string_view body, jinja::Value& out);

class RequestFields {
 public:
  // `prefix` stands before the names in errors: "stream_options.". The value must be a dict and outlive this object.
  explicit RequestFields(const jinja::Value& object, std::string prefix = "")
      : object_(object.dict_object()), prefix_(std::move(prefix)) {}

  // The value, if it is there and not null.
  const jinja::Value* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }

  void read(std::string_view name, std::string& out);
  void read(std::string_view name, bool& out);
  // Whole numbers may be written as 16.0.
  void read(std::string_view name, uint32_t& out, uint32_t min, uint32_t max);
  void read(std::string_view name, int32_t& out, int32_t min, int32_t max);
  void read_any(std::string_view name, int64_t& out);
  void read(std::string_view name, float& out, double min, double max);
  // An object; null if it is absent or no object (which is then the error).
  const jinja::Value* object(std::string_view name);

  const jinja::Entries& entries() const { return object_.entries; }

  void refuse(std::string_view name, std::string_view what);
  void refuse(ApiError error) {
    if (!error_) error_ = std::move(error);
  }
  // Takes over what is wrong with an object inside.
  void refuse_as(const RequestFields& inner) {
    if (!error_) error_ = inner.error_;
  }
  const std::optional<ApiError>& error() const { return error_; }

 private:
  std::optional<int64_t> whole(std::string_view name, int64_t min, int64_t max);

  const jinja::DictObj& object_;
  const std::string prefix_;
  std::optional<ApiError> error_;
};

}  // namespace ingle
