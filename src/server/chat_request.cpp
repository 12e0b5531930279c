#include "server/chat_request.h"

#include <utility>

#include "server/call_grammar.h"
#include "server/chat_continuation.h"
#include "server/chat_messages.h"
#include "server/openai_common.h"
#include "server/token_scores.h"
#include "text/json_value.h"

namespace ingle {
namespace {

namespace json = boost::json;

void read_logprobs(RequestFields& fields, Request& request) {
  fields.read("logprobs", request.logprobs);
  fields.read("top_logprobs", request.top_logprobs, 0, kMaxTopLogprobs);
  if (request.top_logprobs > 0 && !request.logprobs)
    fields.refuse("top_logprobs", "is for logprobs only (set logprobs)");
}

// As Qwen's service calls it, and as vLLM does.
void read_thinking_budget(RequestFields& fields, GenerationFields& out) {
  for (const char* name : {"thinking_budget", "thinking_token_budget"}) {
    if (!fields.has(name)) continue;
    uint32_t tokens = 0;
    fields.read(name, tokens, 0, kMaxTokens);
    out.thinking_budget = tokens;
  }
}

// What would change the answer and that we can't do.
void refuse_unsupported(RequestFields& fields) {
  for (const char* name : {"audio", "web_search_options"}) {
    if (fields.has(name)) fields.refuse(name, "is not supported");
  }
  bool echo = false;
  fields.read("echo", echo);
  if (echo) fields.refuse("echo", "is for completions only");
  if (fields.has("modalities")) {
    const jinja::Value& given = *fields.find("modalities");
    const bool text_only = given.is_sequence() && given.items().size() == 1 && given.items()[0].is_string() &&
                           given.items()[0].text() == "text";
    if (!text_only) fields.refuse("modalities", "may only be [\"text\"]");
  }
}

// What tools were before they had their name.
void refuse_functions(RequestFields& fields) {
  for (const char* name : {"functions", "function_call"}) {
    if (fields.has(name)) fields.refuse(name, "is not supported (use tools and tool_choice)");
  }
}

json::object logprob_object(const Tokenizer& tokenizer, TokenId id, float logprob, bool as_id) {
  json::array bytes;
  for (const char byte : tokenizer.token_bytes(id)) bytes.push_back(static_cast<unsigned char>(byte));
  json::object out;
  out["token"] = token_name(tokenizer, id, as_id);
  out["logprob"] = said_logprob(logprob);
  out["bytes"] = std::move(bytes);
  return out;
}

}  // namespace

std::optional<ApiError> read_chat_generation(RequestFields& fields, const ServedModel& model, bool stream,
                                             GenerationFields& out) {
  out.stream = stream;
  out.request.sampling = model.engine->info().default_sampling;
  read_generation_fields(fields, out);
  fields.read("max_completion_tokens", out.request.max_tokens, 1, kMaxTokens);
  read_logprobs(fields, out.request);
  read_thinking_budget(fields, out);
  return fields.error();
}

std::variant<ChatRequest, ApiError> read_chat_request(RequestFields& fields, const ServedModel& model, bool stream,
                                                      Strictness strict_tools) {
  ChatRequest out;
  GenerationFields& generation = out.generation;
  refuse_unsupported(fields);
  ChatInput input;
  read_chat_input(fields, input);
  if (!fields.error()) read_continuation(fields, input);
  ChatTools tools;
  tools.strict_by_default = strict_tools;
  read_tools(fields, tools);
  refuse_functions(fields);
  input.tools = tools.tools;
  if (std::optional<ApiError> refused = read_chat_generation(fields, model, stream, generation)) return *refused;
  if (!model.chat) return invalid_field("model", "the model has no chat template: it can only complete texts");
  generation.request.continues_text = input.continue_final_message;
  Result<ChatPrompt::Rendered> prompt = model.chat->render(std::move(input));
  if (!prompt.ok()) return invalid_field("messages", prompt.error().to_string());
  const auto reading = plan_chat_answer(*model.chat, *prompt, tools, generation.request);
  auto calls = wanted_calls(tools, model.engine->tokenizer(), *reading, generation.output);
  if (calls) generation.output = std::move(calls);
  out.reading = reading;
  generation.request.begin_end = end_after_only_call(*reading);
  if (generation.thinking_budget) {
    generation.reasoning_limit = reasoning_limit(*generation.thinking_budget, model.engine->tokenizer(),
                                                 model.engine->info().vocab, *out.reading);
  }
  out.prompt = std::move(prompt->tokens);
  out.tokenizer = &model.engine->tokenizer();
  truncate_prompt(generation.truncate, model.engine->tokenizer(), model.engine->info().context,
                  generation.request.max_tokens, out.prompt);
  return out;
}

json::array chat_logprobs(const Tokenizer& tokenizer, const TokenEvent& event, bool tokens_as_ids) {
  json::array out;
  for (size_t i = 0; i < said_tokens(tokenizer, event); i++) {
    json::object token = logprob_object(tokenizer, event.tokens[i], event.logprobs[i], tokens_as_ids);
    json::array top;
    for (const auto& [id, logprob] : event.top_logprobs[i]) {
      top.push_back(logprob_object(tokenizer, id, logprob, tokens_as_ids));
    }
    token["top_logprobs"] = std::move(top);
    out.push_back(std::move(token));
  }
  return out;
}

json::object call_arguments(const std::string& text) {
  boost::system::error_code bad;
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::value parsed = json::parse(text, bad, {}, options);
  return !bad && parsed.is_object() ? std::move(parsed.get_object()) : json::object();
}

}  // namespace ingle
