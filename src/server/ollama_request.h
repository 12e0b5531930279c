// Requests of Ollama's API said as OpenAI's has them, so that one reader checks them all. Pure functions.
#pragma once

#include <optional>

#include "server/api_call.h"

namespace ingle {

// A request of /api/chat. `error` is set if something in it is wrong. A last message that is the assistant's is to be
// continued, and calls and their results get the ids that they have in OpenAI's requests. Options that only matter
// where a model is loaded (num_ctx, num_gpu, num_thread, ...) or where a context may be cut (num_keep) are left out.
jinja::Value openai_body_of_chat(RequestFields& fields, std::optional<ApiError>& error);

// A request of /api/generate, as a chat that begins.
jinja::Value openai_body_of_prompt(RequestFields& fields, const std::string& system, const std::string& prompt,
                                   std::optional<ApiError>& error);

// The model's name as the request has it.
std::string asked_model_name(const ApiCall& call);

// keep_alive is a duration, which changes nothing while models stay loaded. False if it is 0: the client gives the
// model up.
bool read_keep_alive(RequestFields& fields);

// What errors in OpenAI's request call a field otherwise than Ollama does.
inline constexpr FieldName kOllamaNames[] = {{"max_tokens", "options.num_predict"},
                                             {"temperature", "options.temperature"},
                                             {"top_k", "options.top_k"},
                                             {"top_p", "options.top_p"},
                                             {"min_p", "options.min_p"},
                                             {"typical_p", "options.typical_p"},
                                             {"repeat_penalty", "options.repeat_penalty"},
                                             {"repeat_last_n", "options.repeat_last_n"},
                                             {"presence_penalty", "options.presence_penalty"},
                                             {"frequency_penalty", "options.frequency_penalty"},
                                             {"stop", "options.stop"},
                                             {"seed", "options.seed"},
                                             {"response_format.json_schema.schema", "format"},
                                             {"response_format", "format"},
                                             {"continue_final_message", "messages"}};

}  // namespace ingle
