// OpenAI's API: what each path answers. Runs on the server's workers; everything that a request asks for is checked
// here or by the engine before the first byte of an answer.
#pragma once

#include "server/api_call.h"

namespace ingle {

Reply openai_chat(ApiCall& call);         // POST /v1/chat/completions
Reply openai_completions(ApiCall& call);  // POST /v1/completions
Reply openai_embeddings(ApiCall& call);   // POST /v1/embeddings
Reply openai_models(ApiCall& call);       // GET /v1/models
Reply openai_model(ApiCall& call);        // GET /v1/models/ID

Reply openai_responses(ApiCall& call);        // POST /v1/responses
Reply openai_count_input(ApiCall& call);      // POST /v1/responses/input_tokens
Reply openai_get_response(ApiCall& call);     // GET /v1/responses/ID
Reply openai_delete_response(ApiCall& call);  // DELETE /v1/responses/ID

// Ours, as other servers have them.
Reply tokenize(ApiCall& call);        // POST /tokenize
Reply detokenize(ApiCall& call);      // POST /detokenize
Reply tokenizer_info(ApiCall& call);  // GET /tokenizer_info

}  // namespace ingle
