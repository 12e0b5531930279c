#include <utility>

#include "server/chat_continuation.h"
#include "server/chat_messages.h"
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

class ChatWriter final : public AnswerWriter {
 public:
  ChatWriter(std::shared_ptr<ServedModel> model, const GenerationFields& fields, std::vector<TokenId> prompt)
      : model_(std::move(model)),
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
      out += chunk(choice, {{"role", "assistant"}, {"content", ""}}, nullptr, FinishReason::kNone);
    }
    return out;
  }

  std::string news(uint32_t choice, const TokenEvent& event) override {
    std::string out;
    const bool has_logprobs = logprobs_ && said_tokens(tokenizer_, event) > 0;
    if (!event.text.empty() || has_logprobs) {
      out += chunk(choice, {{"content", event.text}}, logprobs(event), FinishReason::kNone);
    }
    if (event.finish != FinishReason::kNone) out += chunk(choice, {}, nullptr, event.finish);
    return out;
  }

  std::string end(const Usage& usage) override { return head_.end("chat.completion.chunk", usage, include_usage_); }

  std::string failure(const ApiError& error) override { return sse_failure(error); }

  std::string whole(const std::vector<TokenEvent>& answers, const Usage& usage) override {
    json::array choices;
    for (size_t i = 0; i < answers.size(); i++) {
      json::object choice;
      choice["index"] = i;
      choice["message"] = json::object{{"role", "assistant"}, {"content", answers[i].text}, {"refusal", nullptr}};
      choice["logprobs"] = logprobs(answers[i]);
      choice["finish_reason"] = finish_value(answers[i].finish);
      choices.push_back(std::move(choice));
    }
    std::string out = head_.whole("chat.completion", std::move(choices), usage);
    if (!prompt_logprobs_) return out;
    return with_field(std::move(out), "prompt_logprobs",
                      prompt_logprobs_text(tokenizer_, prompt_, answers[0].prompt_scores, *prompt_logprobs_));
  }

 private:
  std::string chunk(uint32_t choice, json::object delta, json::value logprobs, FinishReason finish) const {
    json::object inner;
    inner["index"] = choice;
    inner["delta"] = std::move(delta);
    inner["logprobs"] = std::move(logprobs);
    inner["finish_reason"] = finish_value(finish);
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

}  // namespace

Reply openai_chat(ApiCall& call) {
  RequestFields& fields = call.fields;
  const std::shared_ptr<ServedModel>& model = call.model;
  GenerationFields generation;
  generation.request.sampling = model->engine->info().default_sampling;
  read_generation_fields(fields, generation);
  fields.read("max_completion_tokens", generation.request.max_tokens, 1, 0x7fffffff);
  read_logprobs(fields, generation.request);
  refuse_unsupported(fields);
  ChatInput input;
  read_chat_input(fields, input);
  if (!fields.error()) read_continuation(fields, input);
  if (fields.error()) return *fields.error();
  if (!model->chat) {
    return invalid_field("model", "the model has no chat template (use /v1/completions)");
  }
  generation.request.continues_text = input.continue_final_message;
  Result<std::vector<TokenId>> prompt = model->chat->tokens(std::move(input));
  if (!prompt.ok()) return invalid_field("messages", prompt.error().to_string());
  truncate_prompt(generation.truncate, model->engine->tokenizer(), model->engine->info().context,
                  generation.request.max_tokens, *prompt);
  return start_answer(call, generation, {*prompt}, std::make_unique<ChatWriter>(model, generation, *prompt));
}

}  // namespace ingle
