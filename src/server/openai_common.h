// What OpenAI's chat and text completions have in common.
#pragma once

#include <boost/json.hpp>
#include <memory>
#include <span>
#include <string>

#include "server/api_call.h"
#include "server/generation_answer.h"
#include "server/generation_fields.h"

namespace ingle {

ApiError model_not_found(const std::string& name);

// The fields that begin every object of an answer.
struct AnswerHead {
  AnswerHead(const ServedModel& model, const char* id_prefix);
  boost::json::object object(const char* kind) const;
  // An answer as one body.
  std::string whole(const char* kind, boost::json::array choices, const Usage& usage) const;
  std::string whole(const char* kind, const Usage& usage) const;  // without its choices
  // What ends a stream, after an event with the usage if that is asked for.
  std::string end(const char* kind, const Usage& usage, bool include_usage) const;

  std::string id, model, fingerprint;
  int64_t created;
};

boost::json::value finish_value(FinishReason finish);  // null while there is none
// Of a request's array of token ids; nothing if one of them is none of the tokenizer's.
std::optional<std::vector<TokenId>> token_ids(const jinja::Value& ids, const Tokenizer& tokenizer);
// A token's text where its bytes need not be characters: U+FFFD stands for those that are none.
std::string token_text(const Tokenizer& tokenizer, TokenId id);
// For JSON, which has no infinity: a token that can't come has -9999, as OpenAI has it.
float said_logprob(float logprob);
// As many of the event's tokens as are said: without the one that ended the answer.
size_t said_tokens(const Tokenizer& tokenizer, const TokenEvent& event);

std::string sse(const boost::json::object& event);  // data: {...}
inline constexpr const char* kSseDone = "data: [DONE]\n\n";
std::string sse_failure(const ApiError& error);

// The answer, or its error with the names of another API (api_error.h).
Reply with_names(Reply reply, std::span<const FieldName> names);

// Starts the generation that the call's model is asked for and gives its answer.
Reply start_answer(const ApiCall& call, const GenerationFields& fields,
                   const std::vector<std::vector<TokenId>>& prompts, std::unique_ptr<AnswerWriter> writer);

}  // namespace ingle
