// Anthropic's API: what each path answers. Runs on the server's workers.
#pragma once

#include "server/api_call.h"

namespace ingle {

Reply anthropic_messages(ApiCall& call);      // POST /v1/messages
Reply anthropic_count_tokens(ApiCall& call);  // POST /v1/messages/count_tokens

}  // namespace ingle
