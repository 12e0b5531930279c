#include "server/openai_common.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "server/digest.h"
#include "text/utf8.h"

namespace ingle {

namespace json = boost::json;

namespace {

json::object usage_object(const Usage& usage) {
  json::object out;
  out["prompt_tokens"] = usage.prompt_tokens;
  out["completion_tokens"] = usage.completion_tokens;
  out["total_tokens"] = usage.prompt_tokens + usage.completion_tokens;
  out["prompt_tokens_details"] = json::object{{"cached_tokens", usage.cached_tokens}};
  out["completion_tokens_details"] = json::object{{"reasoning_tokens", usage.reasoning_tokens}};
  return out;
}

}  // namespace

ApiError model_not_found(const std::string& name) {
  return {.status = 404,
          .message = "there is no model \"" + name + "\" here (GET /v1/models lists them)",
          .param = "model",
          .code = "model_not_found"};
}

AnswerHead::AnswerHead(const ServedModel& served, const char* id_prefix)
    : id(id_prefix + random_id()),
      model(served.id),
      fingerprint(served.fingerprint),
      created(static_cast<int64_t>(std::time(nullptr))) {}

json::object AnswerHead::object(const char* kind) const {
  json::object out;
  out["id"] = id;
  out["object"] = kind;
  out["created"] = created;
  out["model"] = model;
  out["system_fingerprint"] = fingerprint;
  return out;
}

std::string AnswerHead::whole(const char* kind, json::array choices, const Usage& usage) const {
  json::object out = object(kind);
  out["choices"] = std::move(choices);
  out["usage"] = usage_object(usage);
  return json::serialize(out);
}

std::string AnswerHead::whole(const char* kind, const Usage& usage) const {
  json::object out = object(kind);
  out["usage"] = usage_object(usage);
  return json::serialize(out);
}

std::string AnswerHead::end(const char* kind, const Usage& usage, bool include_usage) const {
  if (!include_usage) return kSseDone;
  json::object out = object(kind);
  out["choices"] = json::array();
  out["usage"] = usage_object(usage);
  return sse(out) + kSseDone;
}

json::value finish_value(FinishReason finish) {
  if (finish == FinishReason::kStop) return "stop";
  if (finish == FinishReason::kLength) return "length";
  return nullptr;
}

std::optional<std::vector<TokenId>> token_ids(const jinja::Value& ids, const Tokenizer& tokenizer) {
  std::vector<TokenId> out;
  for (const jinja::Value& id : ids.items()) {
    if (!id.is(jinja::Kind::kInt) || id.as_int() < 0 || id.as_int() > INT32_MAX ||
        !tokenizer.is_valid(static_cast<TokenId>(id.as_int()))) {
      return std::nullopt;
    }
    out.push_back(static_cast<TokenId>(id.as_int()));
  }
  return out;
}

std::string token_text(const Tokenizer& tokenizer, TokenId id) {
  return replace_each_invalid_byte(tokenizer.token_bytes(id));
}

float said_logprob(float logprob) { return std::max(logprob, -9999.0f); }

size_t said_tokens(const Tokenizer& tokenizer, const TokenEvent& event) {
  size_t count = event.tokens.size();
  if (event.finish == FinishReason::kStop && count > 0 && tokenizer.is_eog(event.tokens.back())) count--;
  return count;
}

std::string sse(const json::object& event) { return "data: " + json::serialize(event) + "\n\n"; }

std::string sse_failure(const ApiError& error) { return "data: " + error_body(error, {}) + "\n\n" + kSseDone; }

Reply with_names(Reply reply, std::span<const FieldName> names) {
  if (const ApiError* error = std::get_if<ApiError>(&reply)) return with_names(*error, names);
  return reply;
}

Reply start_answer(const ApiCall& call, const GenerationFields& fields,
                   const std::vector<std::vector<TokenId>>& prompts, std::unique_ptr<AnswerWriter> writer) {
  Request asked = fields.request;
  asked.on_event = call.request.wake;
  asked.cache_owner = call.request.cache_owner;
  // A key has one share, whomever it says it asks for.
  if (call.request.has_key) asked.user = 0;
  if (fields.output && asked.constraint == nullptr) {
    Grammars::Compiled compiled = fields.output->compile(*call.model->grammars);
    if (!compiled.ok()) return output_error(*fields.output, compiled.error());
    asked.constraint = std::move(compiled).value();
  }
  asked.constraint = with_reasoning_limit(fields.reasoning_limit, std::move(asked.constraint));
  auto started = Generation::start(call.model, asked, prompts, fields.choices, call.request.account);
  if (const ApiError* error = std::get_if<ApiError>(&started)) return *error;
  return std::make_unique<GenerationAnswer>(std::move(std::get<0>(started)), std::move(writer), fields.stream,
                                            error_form(call.request));
}

}  // namespace ingle
