// The input of a stored response, as OpenAI's /v1/responses/ID/input_items lists it.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "server/api_error.h"
#include "text/jinja_value.h"

namespace ingle {

// JSON: the items that a request's `input` has, a text or an array; all with an id, and messages with their content in
// parts.
std::string stored_input(const jinja::Value& input);

// The page that `query` asks for by `order` (desc unless it is asc), `after` (an id) and `limit` (1 to 100, or 20).
// Errors: one of these is none of that.
std::variant<std::string, ApiError> list_input(const std::string& stored, std::string_view query);

}  // namespace ingle
