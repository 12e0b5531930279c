// Requests for /v1/responses, turned into the chat requests that ask for the same.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "server/request_fields.h"

namespace ingle {

// A function of a tool of type `namespace`, as the client calls it.
struct NamespacedName {
  std::string space, name;
};
// By the one name that the model knows it by: "namespace__name".
using NamespacedNames = std::map<std::string, NamespacedName>;

// An item of an earlier answer as an input says it; nothing if there is none of this id.
using ItemFinder = std::function<std::optional<jinja::Value>(const std::string& id)>;

struct ResponsesInput {
  jinja::Items messages;  // the conversation so far and the input, as a chat has them; without the instructions
  jinja::Value chat;      // the body of the chat request
  NamespacedNames namespaced;
};

// `conversation`: the messages that the input goes on with. The chat request has the messages, the instructions before
// them, and tools, tool_choice, response_format, logprobs, reasoning_effort and max_completion_tokens from what
// /v1/responses calls otherwise; the other fields are as they were. Tools that are no functions are left out. Errors
// are in `fields`: items that we don't know or can't find, input that is no text, and what asks for state that we don't
// keep.
ResponsesInput read_responses_input(RequestFields& fields, jinja::Items conversation, const ItemFinder& find_item);

// What errors in that chat request call a field otherwise than /v1/responses does.
inline constexpr FieldName kResponsesNames[] = {{"max_completion_tokens", "max_output_tokens"},
                                                {"response_format.json_schema", "text.format"},
                                                {"response_format", "text.format"},
                                                {"reasoning_effort", "reasoning.effort"},
                                                {".function.", "."}};

}  // namespace ingle
