// OpenAI's API: what each path answers. Runs on the server's workers; everything that a request asks for is checked
// here or by the engine before the first byte of an answer.
#pragma once

#include <memory>

#include "server/http.h"
#include "server/served_model.h"

namespace ingle {

std::unique_ptr<Answer> openai_chat(ServedModels& models, const HttpRequest& request);  // POST /v1/chat/completions
std::unique_ptr<Answer> openai_completions(ServedModels& models, const HttpRequest& request);  // POST /v1/completions
std::unique_ptr<Answer> openai_models(ServedModels& models, const HttpRequest& request);       // GET /v1/models
std::unique_ptr<Answer> openai_model(ServedModels& models, const HttpRequest& request);        // GET /v1/models/ID

// Ours, as other servers have them.
std::unique_ptr<Answer> tokenize(ServedModels& models, const HttpRequest& request);    // POST /tokenize
std::unique_ptr<Answer> detokenize(ServedModels& models, const HttpRequest& request);  // POST /detokenize

}  // namespace ingle
