// What is wrong with a request, as the APIs tell it: an HTTP status, and what official clients look for in the body.
#pragma once

#include <cstdint>
#include <string>

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

ApiError invalid_field(std::string param, std::string message);
// The status follows from the error's code; kResourceExhausted is a full queue.
ApiError api_error(const Error& error);
ApiError shutting_down();

// {"error":{"message","type","param","code"}}; the type follows from the status.
std::string openai_error_body(const ApiError& error);
// With Retry-After where trying again can help.
HttpResponse openai_error(const ApiError& error);

}  // namespace ingle
