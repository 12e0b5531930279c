#include "server/request_fields.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Kind;
using jinja::Value;

// As kMaxJsonValues counts them, at most: by the commas, colons and opening brackets outside strings.
size_t count_values(std::string_view text) {
  size_t count = 1;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') i++;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else {
      count += c == ',' ? 1 : c == ':' ? 3 : c == '[' || c == '{' ? 9 : 0;
    }
  }
  return count;
}

}  // namespace

std::optional<ApiError> parse_object(std::string_view body, Value& out) {
  if (count_values(body) > kMaxJsonValues) {
    return invalid_field("", fmt::format("the body has more than {} JSON values (an array or object counts as 8, a "
                                         "member as 4)",
                                         kMaxJsonValues));
  }
  const std::optional<std::string> mended = without_lone_surrogates(body);
  Result<Value> parsed = parse_json(mended ? *mended : body);
  if (!parsed.ok()) return invalid_field("", "the body is not valid: " + parsed.error().to_string());
  if (!parsed->is_dict()) return invalid_field("", "the body must be a JSON object");
  out = std::move(parsed).value();
  return std::nullopt;
}

const Value* RequestFields::find(std::string_view name) const {
  const Value* value = object_.find(name);
  return value == nullptr || value->is_none() ? nullptr : value;
}

void RequestFields::refuse(std::string_view name, std::string_view what) {
  if (error_) return;
  const std::string param = prefix_ + std::string(name);
  error_ = invalid_field(param, fmt::format("{} {}", param, what));
}

void RequestFields::read(std::string_view name, std::string& out) {
  const Value* value = find(name);
  if (value == nullptr) return;
  if (!value->is_string()) return refuse(name, "must be a string");
  out = value->text();
}

void RequestFields::read(std::string_view name, bool& out) {
  const Value* value = find(name);
  if (value == nullptr) return;
  if (!value->is(Kind::kBool)) return refuse(name, "must be true or false");
  out = value->as_bool();
}

std::optional<int64_t> RequestFields::whole(std::string_view name, int64_t min, int64_t max) {
  const Value* value = find(name);
  if (value == nullptr) return std::nullopt;
  constexpr double kExact = 9007199254740992.0;  // 2^53
  std::optional<int64_t> number;
  if (value->is(Kind::kInt)) {
    number = value->as_int();
  } else if (value->is(Kind::kFloat) && std::abs(value->as_double()) <= kExact &&
             value->as_double() == std::floor(value->as_double())) {
    number = static_cast<int64_t>(value->as_double());
  } else if (!value->is(Kind::kBigInt)) {
    refuse(name, "must be a whole number");
    return std::nullopt;
  }
  if (number && *number >= min && *number <= max) return number;
  refuse(name, fmt::format("must be from {} to {}", min, max));
  return std::nullopt;
}

void RequestFields::read(std::string_view name, uint32_t& out, uint32_t min, uint32_t max) {
  if (const std::optional<int64_t> number = whole(name, min, max)) out = static_cast<uint32_t>(*number);
}

void RequestFields::read(std::string_view name, int32_t& out, int32_t min, int32_t max) {
  if (const std::optional<int64_t> number = whole(name, min, max)) out = static_cast<int32_t>(*number);
}

void RequestFields::read_any(std::string_view name, int64_t& out) {
  using Limits = std::numeric_limits<int64_t>;
  if (const std::optional<int64_t> number = whole(name, Limits::min(), Limits::max())) out = *number;
}

void RequestFields::read(std::string_view name, float& out, double min, double max) {
  const Value* value = find(name);
  if (value == nullptr) return;
  if (value->is(Kind::kBigInt)) return refuse(name, fmt::format("must be from {} to {}", min, max));
  if (!value->is(Kind::kInt) && !value->is(Kind::kFloat)) return refuse(name, "must be a number");
  const double number = value->as_double();
  if (!(number >= min && number <= max)) return refuse(name, fmt::format("must be from {} to {}", min, max));
  out = static_cast<float>(number);
}

const Value* RequestFields::object(std::string_view name) {
  const Value* value = find(name);
  if (value == nullptr) return nullptr;
  if (value->is_dict()) return value;
  refuse(name, "must be an object");
  return nullptr;
}

}  // namespace ingle
