#include <utility>

#include "server/openai.h"
#include "server/openai_common.h"
#include "text/utf8.h"

namespace ingle {
namespace {

namespace json = boost::json;

constexpr std::string_view kModelPath = "/v1/models/";

std::unique_ptr<Answer> reply(const json::object& body) {
  HttpResponse response;
  response.body = json::serialize(body) + "\n";
  return answer_with(std::move(response));
}

std::unique_ptr<Answer> refuse(const ApiError& error) { return answer_with(openai_error(error)); }

json::object model_object(const ServedModel& model) {
  json::object out;
  out["id"] = model.id;
  out["object"] = "model";
  out["created"] = model.created;
  out["owned_by"] = "ingle";
  out["max_model_len"] = model.engine->info().context;
  return out;
}

}  // namespace

std::unique_ptr<Answer> openai_models(ServedModels& models, const HttpRequest&) {
  json::array data;
  for (const auto& model : models.list()) data.push_back(model_object(*model));
  json::object out;
  out["object"] = "list";
  out["data"] = std::move(data);
  return reply(out);
}

std::unique_ptr<Answer> openai_model(ServedModels& models, const HttpRequest& request) {
  const std::optional<std::string> name = percent_decoded(request.path.substr(kModelPath.size()));
  const std::shared_ptr<ServedModel> model = name && !name->empty() ? models.find(*name) : nullptr;
  if (model == nullptr) return refuse(model_not_found(name.value_or("")));
  return reply(model_object(*model));
}

std::unique_ptr<Answer> tokenize(ServedModels& models, const HttpRequest& request) {
  jinja::Value body;
  std::optional<ApiError> error = parse_object(request.body, body);
  if (error) return refuse(*error);
  RequestFields fields(body);
  const std::shared_ptr<ServedModel> model = find_model(models, fields, error);
  if (error) return refuse(*error);
  std::string text;
  bool add_special = true, parse_special = true;
  // vLLM says prompt, llama.cpp content.
  const char* field = fields.has("content") ? "content" : "prompt";
  if (!fields.has(field)) fields.refuse("prompt", "is missing");
  fields.read(field, text);
  fields.read("add_special_tokens", add_special);
  fields.read("add_special", add_special);
  fields.read("parse_special", parse_special);
  if (fields.error()) return refuse(*fields.error());
  const std::vector<TokenId> ids =
      model->engine->tokenizer().encode(text, {.add_special = add_special, .parse_special = parse_special});
  json::object out;
  out["count"] = ids.size();
  out["max_model_len"] = model->engine->info().context;
  out["tokens"] = json::array(ids.begin(), ids.end());
  return reply(out);
}

std::unique_ptr<Answer> detokenize(ServedModels& models, const HttpRequest& request) {
  jinja::Value body;
  std::optional<ApiError> error = parse_object(request.body, body);
  if (error) return refuse(*error);
  RequestFields fields(body);
  const std::shared_ptr<ServedModel> model = find_model(models, fields, error);
  if (error) return refuse(*error);
  const Tokenizer& tokenizer = model->engine->tokenizer();
  const jinja::Value* tokens = fields.find("tokens");
  if (tokens == nullptr || !tokens->is_sequence()) {
    return refuse(invalid_field("tokens", "tokens must be an array of token ids"));
  }
  const std::optional<std::vector<TokenId>> ids = token_ids(*tokens, tokenizer);
  if (!ids) return refuse(invalid_field("tokens", "tokens has something that is no token id of this model"));
  const std::string text = replace_each_invalid_byte(tokenizer.decode(*ids, {.keep_control = true}));
  json::object out;
  out["prompt"] = text;
  out["content"] = text;
  return reply(out);
}

}  // namespace ingle
