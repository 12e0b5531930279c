#include "server/api_error.h"

#include <boost/json.hpp>
#include <utility>

#include "text/utf8.h"

namespace ingle {

namespace json = boost::json;

namespace {

constexpr uint32_t kRetryAfterSeconds = 2;

unsigned status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kInvalidData:
    case ErrorCode::kUnsupported:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kResourceExhausted:
      return 429;
    case ErrorCode::kCancelled:
      return 503;
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

const char* type_of(unsigned status) {
  if (status == 401) return "authentication_error";
  if (status == 403) return "permission_error";
  if (status == 404) return "not_found_error";
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

const char* anthropic_type_of(unsigned status) {
  if (status == 413) return "request_too_large";
  if (status == 503) return "overloaded_error";
  return status >= 500 ? "api_error" : type_of(status);
}

json::value text_or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return json::string(replace_each_invalid_byte(text));
}

json::object openai_body(const ApiError& error) {
  json::object inner;
  inner["message"] = replace_each_invalid_byte(error.message);
  // OpenAI's code tells keys and models that are not known from other faults.
  const bool is_request = error.status == 401 || error.status == 404;
  inner["type"] = is_request ? "invalid_request_error" : type_of(error.status);
  inner["param"] = text_or_null(error.param);
  inner["code"] = text_or_null(error.code);
  json::object body;
  body["error"] = std::move(inner);
  return body;
}

json::object anthropic_body(const ApiError& error, const std::string& request_id) {
  json::object inner;
  inner["type"] = anthropic_type_of(error.status);
  // Agents look for these words, and then shorten the conversation.
  const char* begins = error.code == kContextExceeded ? "prompt is too long: " : "";
  inner["message"] = begins + replace_each_invalid_byte(error.message);
  json::object body;
  body["type"] = "error";
  body["error"] = std::move(inner);
  body["request_id"] = request_id;
  return body;
}

size_t place_of(std::string_view name, std::string_view field) {
  if (name.starts_with('.')) return field.find(name);
  if (!field.starts_with(name)) return std::string_view::npos;
  const std::string_view rest = field.substr(name.size());
  return rest.empty() || rest[0] == '.' || rest[0] == '[' ? 0 : std::string_view::npos;
}

}  // namespace

ApiError invalid_field(std::string param, std::string message) {
  return {.status = 400, .message = std::move(message), .param = std::move(param), .code = {}};
}

ApiError api_error(const Error& error) {
  return {.status = status_of(error.code), .message = error.to_string(), .param = error.field, .code = {}};
}

ApiError shutting_down() {
  return {.status = 503, .message = "the server is shutting down", .param = {}, .code = "shutting_down"};
}

ApiError with_names(ApiError error, std::span<const FieldName> names) {
  for (const FieldName& name : names) {
    const size_t at = place_of(name.from, error.param);
    if (at == std::string::npos) continue;
    const std::string before = error.param;
    error.param.replace(at, name.from.size(), name.to);
    if (error.message.starts_with(before)) error.message.replace(0, before.size(), error.param);
    break;
  }
  return error;
}

ErrorForm error_form(const HttpRequest& request) {
  constexpr std::string_view kMessages = "/v1/messages";
  const std::string_view path = request.path;
  ErrorForm form{.shape = ErrorShape::kOpenAi, .request_id = request.id};
  if (path == kMessages || (path.starts_with(kMessages) && path[kMessages.size()] == '/')) {
    form.shape = ErrorShape::kAnthropic;
  }
  // Its clients ask at paths of OpenAI's too: /v1/models.
  if (!request.header("anthropic-version").empty()) form.shape = ErrorShape::kAnthropic;
  if (path.starts_with("/api/")) form.shape = ErrorShape::kOllama;
  return form;
}

std::string error_body(const ApiError& error, const ErrorForm& form) {
  switch (form.shape) {
    case ErrorShape::kOpenAi:
      return json::serialize(openai_body(error));
    case ErrorShape::kAnthropic:
      return json::serialize(anthropic_body(error, form.request_id));
    case ErrorShape::kOllama:
      return json::serialize(json::object{{"error", replace_each_invalid_byte(error.message)}});
  }
  return "";
}

HttpResponse error_response(const ApiError& error, const ErrorForm& form) {
  HttpResponse response;
  response.status = error.status;
  response.body = error_body(error, form) + "\n";
  if (error.status == 429 || error.status == 503) {
    const uint32_t seconds = error.retry_after_seconds > 0 ? error.retry_after_seconds : kRetryAfterSeconds;
    response.headers.emplace_back("Retry-After", std::to_string(seconds));
  }
  if (error.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace ingle
