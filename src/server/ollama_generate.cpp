#include <optional>
#include <utility>

#include "server/ollama.h"
#include "server/ollama_common.h"
#include "server/ollama_request.h"
#include "server/ollama_writer.h"
#include "server/openai_common.h"
#include "text/fill_in.h"

namespace ingle {
namespace {

// What of /api/generate we do not have.
void refuse_unsupported(RequestFields& fields) {
  const jinja::Value* images = fields.find("images");
  if (images != nullptr && !(images->is_sequence() && images->items().empty())) {
    fields.refuse("images", "are not supported: this model reads text only");
  }
  std::string text;
  fields.read("template", text);
  if (!text.empty()) fields.refuse("template", "is not supported: the model's own is used, or none with raw");
}

// The tokens of an earlier answer to go on from.
std::vector<TokenId> read_context(RequestFields& fields, const Tokenizer& tokenizer) {
  const jinja::Value* given = fields.find("context");
  if (given == nullptr) return {};
  std::optional<std::vector<TokenId>> ids;
  if (given->is_sequence()) ids = token_ids(*given, tokenizer);
  if (!ids) fields.refuse("context", "must be the context of an earlier answer of this model");
  return std::move(ids).value_or(std::vector<TokenId>());
}

// A model that can't think apart would only say so in its answer.
void check_think(RequestFields& fields, const ServedModel& model) {
  const jinja::Value* think = fields.find("think");
  const bool wanted = think != nullptr && !(think->is(jinja::Kind::kBool) && !think->as_bool());
  if (wanted && (!model.chat || model.chat->syntax().reasoning_open.empty())) {
    fields.refuse("think", "is not for this model, which does not tell its thoughts apart");
  }
}

// A prompt that the template has no part in: raw, or to be filled in, or for a model without a template.
std::variant<ChatRequest, ApiError> read_plain(ApiCall& call, const jinja::Value& body, const std::string& text,
                                               const std::string& suffix) {
  const Tokenizer& tokenizer = call.model->engine->tokenizer();
  if (!suffix.empty() && !can_fill_in(tokenizer)) {
    return invalid_field("suffix", "suffix needs a model with tokens for filling in, which this one has not");
  }
  std::string system;
  call.fields.read("system", system);
  if (!system.empty() || call.fields.has("context")) {
    return invalid_field("system",
                         "system and context are for prompts by the model's template, and not for raw ones, "
                         "suffixes and models without a template");
  }
  RequestFields fields(body);
  ChatRequest out;
  out.reading = std::make_shared<AnswerParserOptions>();
  if (std::optional<ApiError> refused = read_chat_generation(fields, *call.model, true, out.generation))
    return *refused;
  out.generation.request.continues_text = true;
  out.prompt =
      suffix.empty() ? tokenizer.encode(text) : fill_in_prompt(tokenizer, fill_in_prefix(tokenizer, text), suffix);
  truncate_prompt(out.generation.truncate, tokenizer, call.model->engine->info().context,
                  out.generation.request.max_tokens, out.prompt);
  return out;
}

std::variant<ChatRequest, ApiError> read_by_template(ApiCall& call, const jinja::Value& body) {
  const Tokenizer& tokenizer = call.model->engine->tokenizer();
  std::vector<TokenId> before = read_context(call.fields, tokenizer);
  if (call.fields.error()) return *call.fields.error();
  RequestFields fields(body);
  auto read = read_chat_request(fields, *call.model, true);
  ChatRequest* out = std::get_if<ChatRequest>(&read);
  if (out == nullptr || before.empty()) return read;
  // The beginning of a text is in the context already.
  const bool begins_anew = !out->prompt.empty() && out->prompt.front() == tokenizer.bos();
  before.insert(before.end(), out->prompt.begin() + (begins_anew ? 1 : 0), out->prompt.end());
  out->prompt = std::move(before);
  truncate_prompt(out->generation.truncate, tokenizer, call.model->engine->info().context,
                  out->generation.request.max_tokens, out->prompt);
  return read;
}

Reply start(ApiCall& call, std::variant<ChatRequest, ApiError> read, OllamaAnswer answer) {
  if (const ApiError* refused = std::get_if<ApiError>(&read)) return with_names(*refused, kOllamaNames);
  ChatRequest& asked = std::get<ChatRequest>(read);
  // Arguments are objects here, so that calls come whole, or not at all.
  auto reading = std::make_shared<AnswerParserOptions>(*asked.reading);
  reading->holds_marked = nullptr;
  asked.reading = std::move(reading);
  auto writer = ollama_writer(call.model, std::move(answer), asked);
  return with_names(start_answer(call, asked.generation, {asked.prompt}, std::move(writer)), kOllamaNames);
}

// As clients ask for a model to be loaded, or give it up: it is loaded already, and stays.
Reply loaded(const OllamaAnswer& answer, bool is_kept) {
  return json_answer(ollama_end(answer, is_kept ? "load" : "unload"));
}

}  // namespace

Reply ollama_chat(ApiCall& call) {
  const bool is_kept = read_keep_alive(call.fields);
  check_think(call.fields, *call.model);
  std::optional<ApiError> error;
  const jinja::Value body = openai_body_of_chat(call.fields, error);
  if (error) return *error;
  OllamaAnswer answer{.model = asked_model_name(call), .is_chat = true};
  const jinja::Value* messages = body.dict_object().find("messages");
  if (messages == nullptr || messages->items().empty()) return loaded(answer, is_kept);
  RequestFields fields(body);
  return start(call, read_chat_request(fields, *call.model, true), std::move(answer));
}

Reply ollama_generate(ApiCall& call) {
  RequestFields& fields = call.fields;
  const bool is_kept = read_keep_alive(fields);
  std::string prompt, suffix, system;
  bool raw = false;
  fields.read("prompt", prompt);
  fields.read("suffix", suffix);
  fields.read("system", system);
  fields.read("raw", raw);
  refuse_unsupported(fields);
  const bool plain = raw || !suffix.empty() || !call.model->chat;
  if (!plain) check_think(fields, *call.model);
  std::optional<ApiError> error;
  const jinja::Value body = openai_body_of_prompt(fields, system, prompt, error);
  if (error) return *error;
  OllamaAnswer answer{.model = asked_model_name(call), .tells_context = !plain};
  if (prompt.empty() && suffix.empty()) return loaded(answer, is_kept);
  return start(call, plain ? read_plain(call, body, prompt, suffix) : read_by_template(call, body), std::move(answer));
}

}  // namespace ingle
