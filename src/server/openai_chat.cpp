#include <utility>

#include "server/chat_answer.h"
#include "server/chat_continuation.h"
#include "server/chat_messages.h"
#include "server/digest.h"
#include "server/openai.h"
#include "server/openai_common.h"
#include "server/token_scores.h"

namespace ingle {
namespace {

namespace json = boost::json;

json::object logprob_object(const Tokenizer& tokenizer, TokenId id, float logprob, bool as_id) {
  json::array bytes;
  for (const char byte : tokenizer.token_bytes(id)) bytes.push_back(static_cast<unsigned char>(byte));
  json::object out;
  out["token"] = token_name(tokenizer, id, as_id);
  out["logprob"] = said_logprob(logprob);
  out["bytes"] = std::move(bytes);
  return out;
}

json::object call_object(const std::string& name, const std::string& arguments) {
  json::object out;
  out["id"] = "call_" + random_id();
  out["type"] = "function";
  out["function"] = json::object{{"name", name}, {"arguments", arguments}};
  return out;
}

json::value chat_finish(FinishReason finish, bool calls_tools) {
  return finish == FinishReason::kStop && calls_tools ? json::value("tool_calls") : finish_value(finish);
}

class ChatWriter final : public ChatAnswerWriter {
 public:
  ChatWriter(std::shared_ptr<ServedModel> model, const GenerationFields& fields, std::vector<TokenId> prompt,
             std::shared_ptr<const AnswerParserOptions> options)
      : ChatAnswerWriter(std::move(options)),
        model_(std::move(model)),
        tokenizer_(model_->engine->tokenizer()),
        head_(*model_, "chatcmpl-"),
        logprobs_(fields.request.logprobs),
        tokens_as_ids_(fields.tokens_as_ids),
        include_usage_(fields.include_usage),
        prompt_logprobs_(fields.request.prompt_logprobs),
        prompt_(std::move(prompt)) {}

  const char* stream_type() const override { return "text/event-stream"; }

  std::string begin(uint32_t choices) override {
    std::string out;
    for (uint32_t choice = 0; choice < choices; choice++) {
      out += chunk(choice, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
    }
    return out;
  }

  std::string end(const Usage& usage) override { return head_.end("chat.completion.chunk", usage, include_usage_); }

  std::string failure(const ApiError& error) override { return sse_failure(error); }

 private:
  std::string chat_news(const ChatNews& news) override {
    std::string out;
    json::value scores = logprobs(news.event);
    bool has_scores = logprobs_ && said_tokens(tokenizer_, news.event) > 0;
    for (const AnswerDelta& delta : news.deltas) {
      if (delta.kind == AnswerDelta::Kind::kCallEnd) continue;
      out += chunk(news.choice, delta_object(delta), std::exchange(scores, nullptr), nullptr);
      has_scores = false;
    }
    if (has_scores) out += chunk(news.choice, {{"content", ""}}, std::move(scores), nullptr);
    if (news.event.finish != FinishReason::kNone) {
      out += chunk(news.choice, {}, nullptr, chat_finish(news.event.finish, news.calls_tools));
    }
    return out;
  }

  std::string chat_whole(const std::vector<ChatChoice>& answers, const Usage& usage) override {
    json::array choices;
    for (size_t i = 0; i < answers.size(); i++) {
      const auto& [event, answer] = answers[i];
      json::object choice;
      choice["index"] = i;
      choice["message"] = message(answer);
      choice["logprobs"] = logprobs(event);
      choice["finish_reason"] = chat_finish(event.finish, !answer.calls.empty());
      choices.push_back(std::move(choice));
    }
    std::string out = head_.whole("chat.completion", std::move(choices), usage);
    if (!prompt_logprobs_) return out;
    return with_field(std::move(out), "prompt_logprobs",
                      prompt_logprobs_text(tokenizer_, prompt_, answers[0].event.prompt_scores, *prompt_logprobs_));
  }

  static json::object message(const ParsedAnswer& answer) {
    json::object out{{"role", "assistant"}, {"content", answer.content}, {"refusal", nullptr}};
    if (!answer.reasoning.empty()) out["reasoning_content"] = answer.reasoning;
    if (answer.calls.empty()) return out;
    if (answer.content.empty()) out["content"] = nullptr;
    json::array calls;
    for (const ParsedAnswer::Call& call : answer.calls) calls.push_back(call_object(call.name, call.arguments));
    out["tool_calls"] = std::move(calls);
    return out;
  }

  static json::object delta_object(const AnswerDelta& delta) {
    if (delta.kind == AnswerDelta::Kind::kContent) return {{"content", delta.text}};
    if (delta.kind == AnswerDelta::Kind::kReasoning) return {{"reasoning_content", delta.text}};
    json::object call;
    if (delta.kind == AnswerDelta::Kind::kCallBegin) {
      call = call_object(delta.text, "");
    } else {
      call["function"] = json::object{{"arguments", delta.text}};
    }
    call["index"] = delta.call;
    return {{"tool_calls", json::array{std::move(call)}}};
  }

  std::string chunk(uint32_t choice, json::object delta, json::value logprobs, json::value finish) const {
    json::object inner;
    inner["index"] = choice;
    inner["delta"] = std::move(delta);
    inner["logprobs"] = std::move(logprobs);
    inner["finish_reason"] = std::move(finish);
    json::object out = head_.object("chat.completion.chunk");
    out["choices"] = json::array{std::move(inner)};
    if (include_usage_) out["usage"] = nullptr;
    return sse(out);
  }

  json::value logprobs(const TokenEvent& event) const {
    if (!logprobs_) return nullptr;
    json::array content;
    for (size_t i = 0; i < said_tokens(tokenizer_, event); i++) {
      json::object token = logprob_object(tokenizer_, event.tokens[i], event.logprobs[i], tokens_as_ids_);
      json::array top;
      for (const auto& [id, logprob] : event.top_logprobs[i]) {
        top.push_back(logprob_object(tokenizer_, id, logprob, tokens_as_ids_));
      }
      token["top_logprobs"] = std::move(top);
      content.push_back(std::move(token));
    }
    return json::object{{"content", std::move(content)}, {"refusal", nullptr}};
  }

  const std::shared_ptr<ServedModel> model_;
  const Tokenizer& tokenizer_;
  const AnswerHead head_;
  const bool logprobs_, tokens_as_ids_, include_usage_;
  const std::optional<uint32_t> prompt_logprobs_;  // vLLM's: alternatives of each token
  const std::vector<TokenId> prompt_;
};

void read_logprobs(RequestFields& fields, Request& request) {
  fields.read("logprobs", request.logprobs);
  fields.read("top_logprobs", request.top_logprobs, 0, kMaxTopLogprobs);
  if (request.top_logprobs > 0 && !request.logprobs)
    fields.refuse("top_logprobs", "is for logprobs only (set logprobs)");
}

// What would change the answer and that we can't do.
void refuse_unsupported(RequestFields& fields) {
  if (fields.has("audio")) fields.refuse("audio", "is not supported");
  if (fields.has("modalities")) {
    const jinja::Value& given = *fields.find("modalities");
    const bool text_only = given.is_sequence() && given.items().size() == 1 && given.items()[0].is_string() &&
                           given.items()[0].text() == "text";
    if (!text_only) fields.refuse("modalities", "may only be [\"text\"]");
  }
}

// An answer without the call that was asked for would not be what was asked for.
void refuse_forced_calls(RequestFields& fields, const ChatTools& tools) {
  for (const char* name : {"functions", "function_call"}) {
    if (fields.has(name)) fields.refuse(name, "is not supported (use tools and tool_choice)");
  }
  if (tools.choice == ToolChoice::kRequired || tools.choice == ToolChoice::kNamed) {
    fields.refuse("tool_choice", "may only be auto or none: calls can't be enforced");
  }
}

}  // namespace

Reply openai_chat(ApiCall& call) {
  RequestFields& fields = call.fields;
  const std::shared_ptr<ServedModel>& model = call.model;
  GenerationFields generation;
  generation.request.sampling = model->engine->info().default_sampling;
  read_generation_fields(fields, generation);
  fields.read("max_completion_tokens", generation.request.max_tokens, 1, kMaxTokens);
  read_logprobs(fields, generation.request);
  refuse_unsupported(fields);
  ChatInput input;
  read_chat_input(fields, input);
  if (!fields.error()) read_continuation(fields, input);
  ChatTools tools;
  read_tools(fields, tools);
  refuse_forced_calls(fields, tools);
  input.tools = tools.tools;
  if (fields.error()) return *fields.error();
  if (!model->chat) {
    return invalid_field("model", "the model has no chat template (use /v1/completions)");
  }
  generation.request.continues_text = input.continue_final_message;
  Result<ChatPrompt::Rendered> prompt = model->chat->render(std::move(input));
  if (!prompt.ok()) return invalid_field("messages", prompt.error().to_string());
  truncate_prompt(generation.truncate, model->engine->tokenizer(), model->engine->info().context,
                  generation.request.max_tokens, prompt->tokens);
  auto options = plan_chat_answer(*model->chat, *prompt, tools, generation.request);
  auto writer = std::make_unique<ChatWriter>(model, generation, prompt->tokens, std::move(options));
  return start_answer(call, generation, {prompt->tokens}, std::move(writer));
}

}  // namespace ingle
