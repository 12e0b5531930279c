// Requests of Ollama's API said as OpenAI's has them, so that one reader checks them all. Pure functions.
#pragma once

#include <optional>

#include "server/request_fields.h"

namespace ingle {

// What /api/chat and /api/generate have in common: options, format, think, and for chats messages and tools.
// `error` is set if something in it is wrong. Options that only matter where a model is loaded (num_ctx, num_gpu,
// num_thread, ...) or where a context may be cut (num_keep) are left out.
jinja::Value openai_body_of_ollama(RequestFields& fields, std::optional<ApiError>& error);

// What a prompt of /api/generate is as a conversation.
jinja::Value conversation(const std::string& system, const std::string& prompt);

}  // namespace ingle
