#include "server/api_error.h"

#include <boost/json.hpp>
#include <utility>

#include "text/utf8.h"

namespace ingle {
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

boost::json::value text_or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return boost::json::string(replace_each_invalid_byte(text));
}

}  // namespace

ApiError invalid_field(std::string param, std::string message) {
  return {.status = 400, .message = std::move(message), .param = std::move(param), .code = {}};
}

ApiError api_error(const Error& error) {
  return {.status = status_of(error.code), .message = error.to_string(), .param = {}, .code = {}};
}

ApiError shutting_down() {
  return {.status = 503, .message = "the server is shutting down", .param = {}, .code = "shutting_down"};
}

std::string openai_error_body(const ApiError& error) {
  boost::json::object inner;
  inner["message"] = replace_each_invalid_byte(error.message);
  inner["type"] = type_of(error.status);
  inner["param"] = text_or_null(error.param);
  inner["code"] = text_or_null(error.code);
  boost::json::object body;
  body["error"] = std::move(inner);
  return boost::json::serialize(body);
}

HttpResponse openai_error(const ApiError& error) {
  HttpResponse response;
  response.status = error.status;
  response.body = openai_error_body(error) + "\n";
  if (error.status == 429 || error.status == 503) {
    const uint32_t seconds = error.retry_after_seconds > 0 ? error.retry_after_seconds : kRetryAfterSeconds;
    response.headers.emplace_back("Retry-After", std::to_string(seconds));
  }
  if (error.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace ingle
