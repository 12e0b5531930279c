// The answer to a request for embeddings, whatever the API: one body, once all of them are there.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/api_call.h"
#include "server/embedding_run.h"

namespace ingle {

// Says the embeddings in an API's words; prompt_tokens: of all inputs.
using EmbeddingBody =
    std::function<std::string(const std::vector<std::vector<float>>& vectors, uint64_t prompt_tokens)>;

// Starts what the call's model is asked for and gives its answer.
Reply embedding_answer(const ApiCall& call, const EmbeddingOptions& options, std::vector<std::vector<TokenId>> inputs,
                       EmbeddingBody body);

// An array of numbers in JSON, each as short as gives the same float.
std::string float_array(const std::vector<float>& values);

}  // namespace ingle
