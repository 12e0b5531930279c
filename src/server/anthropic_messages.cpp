#include <utility>

#include "server/anthropic.h"
#include "server/anthropic_request.h"
#include "server/anthropic_writer.h"
#include "server/openai_common.h"

namespace ingle {
namespace {

std::variant<ChatRequest, ApiError> read_request(ApiCall& call, bool needs_max_tokens) {
  const jinja::Value body = openai_body_of_anthropic(call.fields, needs_max_tokens);
  if (call.fields.error()) return *call.fields.error();
  RequestFields fields(body);
  auto read = read_chat_request(fields, *call.model);
  if (const ApiError* refused = std::get_if<ApiError>(&read)) return with_names(*refused, kAnthropicNames);
  return read;
}

}  // namespace

Reply anthropic_messages(ApiCall& call) {
  const auto read = read_request(call, true);
  if (const ApiError* refused = std::get_if<ApiError>(&read)) return *refused;
  const ChatRequest& asked = std::get<ChatRequest>(read);
  std::string name = call.model->id;
  call.fields.read("model", name);
  auto writer = anthropic_writer(std::move(name), asked, error_form(call.request), shows_thinking(call.fields));
  return with_names(start_answer(call, asked.generation, {asked.prompt}, std::move(writer)), kAnthropicNames);
}

Reply anthropic_count_tokens(ApiCall& call) {
  const auto read = read_request(call, false);
  if (const ApiError* refused = std::get_if<ApiError>(&read)) return *refused;
  HttpResponse response;
  response.body =
      boost::json::serialize(boost::json::object{{"input_tokens", std::get<ChatRequest>(read).prompt.size()}}) + "\n";
  return answer_with(std::move(response));
}

}  // namespace ingle
