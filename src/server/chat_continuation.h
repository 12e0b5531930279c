// Requests to go on with the last message of a chat instead of answering it: vLLM's continue_final_message, and
// "prefix": true in the message, as DeepSeek and Mistral have it.
#pragma once

#include "server/request_fields.h"
#include "text/chat_template.h"

namespace ingle {

// Also add_generation_prompt. `out` has the messages already.
void read_continuation(RequestFields& fields, ChatInput& out);

}  // namespace ingle
