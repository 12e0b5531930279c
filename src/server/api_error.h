// What is wrong with a request, as the APIs tell it: an HTTP status, and what official clients look for in the body.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/http.h"

namespace ingle {

struct ApiError {
  unsigned status = 400;
  std::string message;
  std::string param;                 // the field of the request that is at fault; may be empty
  std::string code;                  // "context_length_exceeded"; may be empty
  uint32_t retry_after_seconds = 0;  // where trying again can help; 0: as it is usual
};

inline constexpr const char* kContextExceeded = "context_length_exceeded";  // the code of prompts that are too long

ApiError invalid_field(std::string param, std::string message);
// The status follows from the error's code; kResourceExhausted is a full queue.
ApiError api_error(const Error& error);
ApiError shutting_down();

// What one API calls `from` and another `to`: a field with all that is in it, or, where `from` begins with a dot, any
// place in the field's path.
struct FieldName {
  std::string_view from, to;
};
// The error said with the first of the names that fits its field, in the message's beginning too.
ApiError with_names(ApiError error, std::span<const FieldName> names);

// The APIs have a shape of errors each:
//   OpenAI     {"error":{"message","type","param","code"}}; the type follows from the status
//   Anthropic  {"type":"error","error":{"type","message"},"request_id"}
//   Ollama     {"error":"..."}
enum class ErrorShape : uint8_t { kOpenAi, kAnthropic, kOllama };

// How to tell a request's errors: in the shape of the API that its path belongs to.
struct ErrorForm {
  ErrorShape shape = ErrorShape::kOpenAi;
  std::string request_id;
};
ErrorForm error_form(const HttpRequest& request);

std::string error_body(const ApiError& error, const ErrorForm& form);
// With Retry-After where trying again can help.
HttpResponse error_response(const ApiError& error, const ErrorForm& form);

}  // namespace ingle
