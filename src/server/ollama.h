// Ollama's API: what each path answers. Runs on the server's workers.
#pragma once

#include "server/api_call.h"

namespace ingle {

Reply ollama_generate(ApiCall& call);    // POST /api/generate
Reply ollama_chat(ApiCall& call);        // POST /api/chat
Reply ollama_embed(ApiCall& call);       // POST /api/embed: of several texts, of length 1
Reply ollama_embeddings(ApiCall& call);  // POST /api/embeddings: of one, as the model gives it
Reply ollama_tags(ApiCall& call);        // GET /api/tags: the models on this machine
Reply ollama_show(ApiCall& call);        // POST /api/show
Reply ollama_ps(ApiCall& call);          // GET /api/ps: the models that are loaded
Reply ollama_version(ApiCall& call);     // GET /api/version
Reply ollama_copy(ApiCall& call);        // POST /api/copy
Reply ollama_delete(ApiCall& call);      // DELETE /api/delete
Reply ollama_alive(ApiCall& call);       // GET and HEAD /

}  // namespace ingle
