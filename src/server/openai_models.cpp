#include <fmt/format.h>

#include <utility>

#include "server/chat_request.h"
#include "server/openai.h"
#include "server/openai_common.h"
#include "server/timestamps.h"
#include "text/utf8.h"

namespace ingle {
namespace {

namespace json = boost::json;

constexpr std::string_view kModelPath = "/v1/models/";
constexpr size_t kMaxToldTokens = size_t{1} << 20;

std::unique_ptr<Answer> reply(const json::object& body) {
  HttpResponse response;
  response.body = json::serialize(body) + "\n";
  return answer_with(std::move(response));
}

// As OpenAI has it, and what Anthropic's clients look for at the same path.
json::object model_object(const ServedModel& model, const std::string& name) {
  const uint32_t context = model.engine->info().context;
  json::object out;
  out["id"] = name;
  out["object"] = "model";
  out["type"] = "model";
  out["display_name"] = name;
  out["root"] = model.id;
  out["created_at"] = rfc3339(model.created);
  out["created"] = model.created;
  out["owned_by"] = "ingle";
  out["max_model_len"] = context;
  out["lifecycle"] = "active";
  out["max_input_tokens"] = context;
  out["max_tokens"] = context;
  return out;
}

// Of a text: vLLM says prompt, llama.cpp content.
std::variant<std::vector<TokenId>, ApiError> tokens_of_text(ApiCall& call) {
  RequestFields& fields = call.fields;
  std::string text;
  bool add_special = true, parse_special = true;
  const char* field = fields.has("content") ? "content" : "prompt";
  if (!fields.has(field)) fields.refuse("prompt", "is missing");
  fields.read(field, text);
  fields.read("add_special_tokens", add_special);
  fields.read("add_special", add_special);
  fields.read("parse_special", parse_special);
  if (fields.error()) return *fields.error();
  return call.model->engine->tokenizer().encode(text, {.add_special = add_special, .parse_special = parse_special});
}

// Of a conversation: the prompt that it is to a chat.
std::variant<std::vector<TokenId>, ApiError> tokens_of_chat(ApiCall& call) {
  auto read = read_chat_request(call.fields, *call.model);
  if (const ApiError* refused = std::get_if<ApiError>(&read)) return *refused;
  return std::move(std::get<ChatRequest>(read).prompt);
}

}  // namespace

Reply openai_models(ApiCall& call) {
  json::array data;
  for (const auto& model : call.models.list()) {
    data.push_back(model_object(*model, model->id));
    for (const std::string& alias : model->aliases) data.push_back(model_object(*model, alias));
  }
  json::object out;
  out["object"] = "list";
  out["first_id"] = data.empty() ? json::value(nullptr) : data.front().at("id");
  out["last_id"] = data.empty() ? json::value(nullptr) : data.back().at("id");
  out["has_more"] = false;
  out["data"] = std::move(data);
  return reply(out);
}

Reply openai_model(ApiCall& call) {
  const std::optional<std::string> name = percent_decoded(call.request.path.substr(kModelPath.size()));
  const std::shared_ptr<ServedModel> model = name && !name->empty() ? call.models.find(*name) : nullptr;
  if (model == nullptr) return model_not_found(name.value_or(""));
  const std::string* own = model->name_for(*name);  // or it is one that the store has for it
  return reply(model_object(*model, own != nullptr ? *own : model->id));
}

Reply tokenize(ApiCall& call) {
  const auto read = call.fields.has("messages") ? tokens_of_chat(call) : tokens_of_text(call);
  if (const ApiError* refused = std::get_if<ApiError>(&read)) return *refused;
  const auto& ids = std::get<std::vector<TokenId>>(read);
  if (ids.size() > kMaxToldTokens) {
    return invalid_field("prompt",
                         fmt::format("the text has {} tokens, at most {} are told of", ids.size(), kMaxToldTokens));
  }
  bool tells_texts = false;
  call.fields.read("return_token_strs", tells_texts);
  if (call.fields.error()) return *call.fields.error();
  json::object out;
  out["count"] = ids.size();
  out["max_model_len"] = call.model->engine->info().context;
  out["tokens"] = json::array(ids.begin(), ids.end());
  if (tells_texts) {
    json::array texts;
    for (const TokenId id : ids) texts.push_back(json::string(token_text(call.model->engine->tokenizer(), id)));
    out["token_strs"] = std::move(texts);
  }
  return reply(out);
}

Reply detokenize(ApiCall& call) {
  const Tokenizer& tokenizer = call.model->engine->tokenizer();
  const jinja::Value* tokens = call.fields.find("tokens");
  if (tokens == nullptr || !tokens->is_sequence()) {
    return invalid_field("tokens", "tokens must be an array of token ids");
  }
  const std::optional<std::vector<TokenId>> ids = token_ids(*tokens, tokenizer);
  if (!ids) return invalid_field("tokens", "tokens has something that is no token id of this model");
  const std::string text = replace_each_invalid_byte(tokenizer.decode(*ids, {.keep_control = true}));
  json::object out;
  out["prompt"] = text;
  out["content"] = text;
  return reply(out);
}

Reply tokenizer_info(ApiCall& call) {
  const std::shared_ptr<ServedModel> model = call.models.find("");
  if (model == nullptr) return model_not_found("");
  json::object out;
  for (const auto& [name, value] : template_tokens(model->engine->tokenizer())) {
    out[name] = value.text().empty() ? json::value(nullptr) : json::value(json::string(value.text()));
  }
  const std::string& source = model->engine->info().chat_template;
  out["chat_template"] =
      source.empty() ? json::value(nullptr) : json::value(json::string(replace_each_invalid_byte(source)));
  return reply(out);
}

}  // namespace ingle
