// Requests of Anthropic's Messages API said as OpenAI's chat API has them, so that one reader checks both.
#pragma once

#include "server/request_fields.h"

namespace ingle {

// System prompts become a message, or a <system-reminder> of the user's where others came before; tool results messages
// of their own, calls and thinking parts of the assistant's messages; turns of one role that follow each other become
// one, as they are to Anthropic, and a last one of the assistant is to be continued. What we can't read (images,
// documents, tools that run at Anthropic's) is an error in `fields`, and cache_control and the like are left out.
// Without max_tokens where they are needed, that is one too.
jinja::Value openai_body_of_anthropic(RequestFields& fields, bool needs_max_tokens);

// What errors in that request call a field otherwise than Anthropic does.
inline constexpr FieldName kAnthropicNames[] = {{"response_format.json_schema", "output_config.format"},
                                                {"response_format", "output_config.format"},
                                                {"continue_final_message", "messages"},
                                                {"thinking_budget", "thinking.budget_tokens"},
                                                {".function.parameters", ".input_schema"},
                                                {".function.", "."}};

// Whether the thoughts' text is wanted, or only told that there are some.
bool shows_thinking(const RequestFields& fields);

}  // namespace ingle
