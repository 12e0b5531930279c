// A chat request made ready for the engine: OpenAI's, or one of another API said as OpenAI's. Pure functions.
#pragma once

#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "server/chat_answer.h"
#include "server/generation_fields.h"
#include "server/served_model.h"

namespace ingle {

struct ChatRequest {
  GenerationFields generation;
  std::vector<TokenId> prompt;
  std::shared_ptr<const AnswerParserOptions> reading;  // of the answer
  const Tokenizer* tokenizer = nullptr;                // of the model; null: the answer's tokens are not looked at
};

// `stream`, `strict_tools`: where the request does not say. Errors: a field that is wrong or that we can't honour, a
// model without a chat template, what the template says.
std::variant<ChatRequest, ApiError> read_chat_request(RequestFields& fields, const ServedModel& model,
                                                      bool stream = false, Strictness strict_tools = Strictness::kNo);

// Its part that says how the answer is generated and has to look; after all else, as it may take time.
std::optional<ApiError> read_chat_generation(RequestFields& fields, const ServedModel& model, bool stream,
                                             GenerationFields& out);

// The tokens of an answer with their log-probabilities, in the form that chats have them: {"token","logprob","bytes",
// "top_logprobs"}.
boost::json::array chat_logprobs(const Tokenizer& tokenizer, const TokenEvent& event, bool tokens_as_ids);

// The arguments of a call as an object; an empty one if the text, of a call that was cut off, is none.
boost::json::object call_arguments(const std::string& text);

}  // namespace ingle
