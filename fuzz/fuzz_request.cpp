// Any bytes as the body of a chat request: the first byte chooses the API. What Anthropic's and Ollama's become is a
// request of OpenAI's that says who speaks and what, or the error names a field; and whatever it says can be read.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/check.h"
#include "server/anthropic_request.h"
#include "server/chat_messages.h"
#include "server/chat_tools.h"
#include "server/generation_fields.h"
#include "server/ollama_request.h"

using namespace ingle;

namespace {

void check_messages(const jinja::Value& body) {
  const jinja::Value* messages = body.dict_object().find("messages");
  if (messages == nullptr) return;
  CHECK(messages->is_sequence());
  for (const jinja::Value& message : messages->items()) CHECK(message.is_dict());
}

void check_error(const ApiError& error) { CHECK(error.status == 400 && !error.message.empty()); }

std::optional<jinja::Value> translated(uint8_t api, RequestFields& fields, const jinja::Value& given) {
  std::optional<ApiError> error;
  jinja::Value out = given;
  if (api == 0) out = openai_body_of_anthropic(fields, true);
  if (api == 1) out = openai_body_of_anthropic(fields, false);
  if (api == 2) out = openai_body_of_chat(fields, error);
  if (api == 3) out = openai_body_of_prompt(fields, "system", "prompt", error);
  if (fields.error()) error = fields.error();
  if (!error) return out;
  check_error(*error);
  return std::nullopt;
}

void read(uint8_t api, std::string_view text) {
  jinja::Value given;
  if (const std::optional<ApiError> unreadable = parse_object(text, given)) return check_error(*unreadable);
  RequestFields fields(given);
  const std::optional<jinja::Value> body = translated(api, fields, given);
  if (!body) return;
  CHECK(body->is_dict());
  if (api != 4) check_messages(*body);
  RequestFields chat(*body);
  GenerationFields generation;
  read_generation_fields(chat, generation);
  ChatInput input;
  read_chat_input(chat, input);
  ChatTools tools;
  read_tools(chat, tools);
  if (chat.error()) return check_error(*chat.error());
  CHECK(!input.messages.items().empty());
  for (const jinja::Value& message : input.messages.items()) {
    CHECK(message.dict_object().find("role")->is_string() && message.dict_object().find("content")->is_string());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  try {
    read(data[0] % 5, {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const jinja::TemplateError&) {
    // Beyond the limits of values, which Api::handle says.
  }
  return 0;
}
