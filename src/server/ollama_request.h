// Requests of Ollama's API said as OpenAI's has them, so that one reader checks them all. Pure functions.
#pragma once

#include <optional>

#include "server/api_call.h"

namespace ingle {

// A request of /api/chat. `error` is set if something in it is wrong. Options that only matter where a model is loaded
// (num_ctx, num_gpu, num_thread, ...) or where a context may be cut (num_keep) are left out.
jinja::Value openai_body_of_chat(RequestFields& fields, std::optional<ApiError>& error);

// A request of /api/generate, as a chat that begins.
jinja::Value openai_body_of_prompt(RequestFields& fields, const std::string& system, const std::string& prompt,
                                   std::optional<ApiError>& error);

// The model's name as the request has it.
std::string asked_model_name(const ApiCall& call);

// keep_alive is a duration, which changes nothing while models stay loaded.
void check_keep_alive(RequestFields& fields);

}  // namespace ingle
