#include <fmt/format.h>

#include <utility>

#include "server/chat_request.h"
#include "server/json_text.h"
#include "server/openai.h"
#include "server/openai_common.h"
#include "server/response_items.h"
#include "server/responses_request.h"
#include "server/responses_writer.h"
#include "text/json_value.h"

namespace ingle {
namespace {

constexpr std::string_view kResponsePath = "/v1/responses/", kInputItems = "/input_items";
// As OpenAI has it, which counts characters.
constexpr size_t kMaxMetadata = 16, kMaxMetadataKey = 64 * 4, kMaxMetadataValue = 512 * 4;

std::string id_of(const HttpRequest& request) { return request.path.substr(kResponsePath.size()); }

ApiError no_such_response(const std::string& id) {
  return {.status = 404,
          .message = "there is no response " + id.substr(0, 100) + " (it was not stored, or is gone by now)",
          .param = {},
          .code = {}};
}

// The fields of the request that the response repeats; where they were not given, how it is sampled, and OpenAI's
// values.
std::string echoed(const RequestFields& fields, const SamplingParams& sampling) {
  JsonList out('{');
  const auto add = [&](const char* name, std::string_view otherwise) {
    const jinja::Value* value = fields.find(name);
    out.add(name, value != nullptr ? jinja::to_json_text(*value, {}) : std::string(otherwise));
  };
  for (const char* name : {"instructions", "max_output_tokens", "max_tool_calls", "previous_response_id", "user",
                           "prompt_cache_key", "safety_identifier", "service_tier"}) {
    add(name, "null");
  }
  add("metadata", "{}");
  add("parallel_tool_calls", "true");
  add("reasoning", R"({"effort":null,"summary":null})");
  add("temperature", fmt::format("{}", sampling.temperature));
  add("text", R"({"format":{"type":"text"}})");
  add("tool_choice", R"("auto")");
  add("tools", "[]");
  add("top_logprobs", "0");
  add("top_p", fmt::format("{}", sampling.top_p));
  add("truncation", R"("disabled")");
  return std::move(out).text();
}

// It comes back with every event.
void check_metadata(RequestFields& fields) {
  const jinja::Value* metadata = fields.object("metadata");
  if (metadata == nullptr) return;
  const jinja::Entries& entries = metadata->dict_object().entries;
  if (entries.size() > kMaxMetadata) return fields.refuse("metadata", "may have 16 keys");
  for (const auto& [key, value] : entries) {
    if (key.text().size() > kMaxMetadataKey) return fields.refuse("metadata", "has a key of more than 64 characters");
    if (!value.is_string() || value.text().size() > kMaxMetadataValue) {
      return fields.refuse("metadata", "must have strings of at most 512 characters as values");
    }
  }
}

// The messages that the request goes on with.
std::optional<ApiError> read_previous(const ApiCall& call, jinja::Items& out) {
  std::string id;
  call.fields.read("previous_response_id", id);
  if (id.empty()) return std::nullopt;
  const std::optional<StoredResponse> previous = call.responses->get(call.request.cache_owner, id);
  if (!previous) {
    return ApiError{.status = 400,
                    .message = "there is no response " + id.substr(0, 100) + " (it was not stored, or is gone by now)",
                    .param = "previous_response_id",
                    .code = "previous_response_not_found"};
  }
  const Result<jinja::Value> messages = parse_json(previous->conversation);
  if (!messages.ok()) return api_error(messages.error());
  out = messages->items();
  return std::nullopt;
}

// The chat request that asks for the same, and what it was made of.
std::variant<ChatRequest, ApiError> read_request(ApiCall& call, ResponsesInput& given) {
  check_metadata(call.fields);
  jinja::Items previous;
  if (std::optional<ApiError> error = read_previous(call, previous)) return *error;
  const auto find_item = [&](const std::string& id) -> std::optional<jinja::Value> {
    const std::optional<std::string> item = call.responses->find_item(call.request.cache_owner, id);
    Result<jinja::Value> parsed = parse_json(item.value_or(""));
    return parsed.ok() ? std::optional(std::move(parsed).value()) : std::nullopt;
  };
  given = read_responses_input(call.fields, std::move(previous), find_item);
  if (call.fields.error()) return *call.fields.error();
  RequestFields chat(given.chat);
  auto read = read_chat_request(chat, *call.model, false, Strictness::kIfPossible);
  if (const ApiError* error = std::get_if<ApiError>(&read)) return with_names(*error, kResponsesNames);
  return read;
}

}  // namespace

Reply openai_responses(ApiCall& call) {
  ResponsesAsked asked;
  asked.owner = call.request.cache_owner;
  call.fields.read("store", asked.store);
  ResponsesInput given;
  const auto read = read_request(call, given);
  if (const ApiError* error = std::get_if<ApiError>(&read)) return *error;
  const ChatRequest& made = std::get<ChatRequest>(read);
  asked.echoed = echoed(call.fields, made.generation.request.sampling);
  if (asked.store) {
    asked.conversation = jinja::to_json_text(jinja::Value::list(std::move(given.messages)), {});
    if (const jinja::Value* input = call.fields.find("input")) asked.input = stored_input(*input);
  }
  asked.namespaced = std::move(given.namespaced);
  auto writer = std::make_unique<ResponsesWriter>(*call.model, call.responses, std::move(asked), made);
  return with_names(start_answer(call, made.generation, {made.prompt}, std::move(writer)), kResponsesNames);
}

Reply openai_count_input(ApiCall& call) {
  ResponsesInput given;
  const auto read = read_request(call, given);
  if (const ApiError* error = std::get_if<ApiError>(&read)) return *error;
  HttpResponse response;
  response.body = boost::json::serialize(boost::json::object{
      {"object", "response.input_tokens"}, {"input_tokens", std::get<ChatRequest>(read).prompt.size()}});
  return answer_with(std::move(response));
}

Reply openai_get_response(ApiCall& call) {
  std::string id = id_of(call.request);
  const bool lists_input = id.ends_with(kInputItems);
  if (lists_input) id.resize(id.size() - kInputItems.size());
  std::optional<StoredResponse> found = call.responses->get(call.request.cache_owner, id);
  if (!found) return no_such_response(id);
  HttpResponse response;
  if (lists_input) {
    auto listed = list_input(found->input, call.request.query);
    if (const ApiError* error = std::get_if<ApiError>(&listed)) return *error;
    response.body = std::get<std::string>(std::move(listed));
  } else if (call.request.query.find("stream=true") != std::string::npos) {
    return invalid_field("stream", "stream must be false: a response that was kept is told as a whole");
  } else {
    response.body = std::move(found->body);
  }
  return answer_with(std::move(response));
}

Reply openai_delete_response(ApiCall& call) {
  const std::string id = id_of(call.request);
  if (!call.responses->erase(call.request.cache_owner, id)) return no_such_response(id);
  HttpResponse response;
  response.body = boost::json::serialize(boost::json::object{{"id", id}, {"object", "response"}, {"deleted", true}});
  return answer_with(std::move(response));
}

}  // namespace ingle
