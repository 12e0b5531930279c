#include <optional>
#include <utility>

#include "server/anthropic.h"
#include "server/anthropic_request.h"
#include "server/chat_continuation.h"
#include "server/chat_messages.h"
#include "server/chat_tools.h"
#include "server/digest.h"
#include "server/openai_common.h"

namespace ingle {
namespace {

namespace json = boost::json;

std::string event_text(const char* type, json::object data) {
  json::object out;
  out["type"] = type;
  for (auto& [key, value] : data) out[key] = std::move(value);
  return std::string("event: ") + type + "\ndata: " + json::serialize(out) + "\n\n";
}

// A prompt's tokens that were found in the cache are not counted as input again.
json::object usage_object(const Usage& usage) {
  json::object out;
  out["input_tokens"] = usage.prompt_tokens - usage.cached_tokens;
  out["cache_creation_input_tokens"] = 0;
  out["cache_read_input_tokens"] = usage.cached_tokens;
  out["output_tokens"] = usage.completion_tokens;
  return out;
}

class MessageWriter final : public AnswerWriter {
 public:
  // `stops`: the request's, to say which one ended the answer.
  MessageWriter(std::string model, uint64_t prompt_tokens, std::vector<std::string> stops, ErrorForm errors)
      : model_(std::move(model)), prompt_tokens_(prompt_tokens), stops_(std::move(stops)), errors_(std::move(errors)) {}

  const char* stream_type() const override { return "text/event-stream"; }

  std::string begin(uint32_t) override {
    Usage usage;
    usage.prompt_tokens = prompt_tokens_;
    json::object start;
    start["message"] = message({}, nullptr, nullptr, usage);
    return event_text("message_start", std::move(start)) + event_text("ping", {});
  }

  std::string news(uint32_t, const TokenEvent& event) override {
    std::string out;
    if (!event.text.empty()) {
      out += open_block("text", {{"text", ""}});
      out += delta({{"type", "text_delta"}, {"text", event.text}});
    }
    note(event);
    return out;
  }

  std::string end(const Usage& usage) override {
    std::string out = close_block();
    json::object last;
    last["delta"] = json::object{{"stop_reason", stop_reason()}, {"stop_sequence", stop_sequence()}};
    last["usage"] = usage_object(usage);
    return out + event_text("message_delta", std::move(last)) + event_text("message_stop", {});
  }

  std::string failure(const ApiError& error) override {
    return "event: error\ndata: " + error_body(error, errors_) + "\n\n";
  }

  std::string whole(const std::vector<TokenEvent>& answers, const Usage& usage) override {
    note(answers[0]);
    json::array content;
    if (!answers[0].text.empty()) content.push_back(json::object{{"type", "text"}, {"text", answers[0].text}});
    return json::serialize(message(std::move(content), stop_reason(), stop_sequence(), usage));
  }

 private:
  json::object message(json::array content, json::value reason, json::value sequence, const Usage& usage) const {
    json::object out;
    out["id"] = id_;
    out["type"] = "message";
    out["role"] = "assistant";
    out["model"] = model_;
    out["content"] = std::move(content);
    out["stop_reason"] = std::move(reason);
    out["stop_sequence"] = std::move(sequence);
    out["usage"] = usage_object(usage);
    return out;
  }

  // Blocks of a stream follow each other: one of another kind ends the one before.
  std::string open_block(const char* type, json::object rest) {
    if (open_ && *open_ == type) return "";
    std::string out = close_block();
    open_ = type;
    json::object block;
    block["type"] = type;
    for (auto& [key, value] : rest) block[key] = std::move(value);
    json::object start;
    start["index"] = block_;
    start["content_block"] = std::move(block);
    return out + event_text("content_block_start", std::move(start));
  }

  std::string delta(json::object what) const {
    json::object out;
    out["index"] = block_;
    out["delta"] = std::move(what);
    return event_text("content_block_delta", std::move(out));
  }

  std::string close_block() {
    if (!open_) return "";
    open_.reset();
    return event_text("content_block_stop", {{"index", block_++}});
  }

  void note(const TokenEvent& event) {
    finish_ = event.finish;
    if (event.stop) stop_ = event.stop;
  }

  json::value stop_reason() const {
    if (finish_ == FinishReason::kLength) return "max_tokens";
    return stop_ ? "stop_sequence" : "end_turn";
  }

  json::value stop_sequence() const {
    if (!stop_) return nullptr;
    return json::string(stops_[*stop_]);
  }

  const std::string id_ = "msg_" + random_id(), model_;
  const uint64_t prompt_tokens_;
  const std::vector<std::string> stops_;
  const ErrorForm errors_;
  std::optional<std::string> open_;  // the type of the block that is open
  uint32_t block_ = 0;               // its index, or the next one's
  FinishReason finish_ = FinishReason::kNone;
  std::optional<uint32_t> stop_;
};

struct Asked {
  GenerationFields generation;
  std::vector<TokenId> prompt;
};

std::optional<ApiError> read_asked(ApiCall& call, bool needs_max_tokens, Asked& out) {
  const jinja::Value body = openai_body_of_anthropic(call.fields, needs_max_tokens);
  if (call.fields.error()) return call.fields.error();
  out.generation.request.sampling = call.model->engine->info().default_sampling;
  RequestFields fields(body);
  read_generation_fields(fields, out.generation);
  ChatInput input;
  read_chat_input(fields, input);
  refuse_tools(fields);
  if (!fields.error()) read_continuation(fields, input);
  if (fields.error()) return fields.error();
  out.generation.request.continues_text = input.continue_final_message;
  if (!call.model->chat) return invalid_field("model", "the model has no chat template (use /v1/completions)");
  Result<std::vector<TokenId>> prompt = call.model->chat->tokens(std::move(input));
  if (!prompt.ok()) return invalid_field("messages", prompt.error().to_string());
  out.prompt = std::move(prompt).value();
  return std::nullopt;
}

}  // namespace

Reply anthropic_messages(ApiCall& call) {
  Asked asked;
  if (std::optional<ApiError> refused = read_asked(call, true, asked)) return *refused;
  std::string name = call.model->id;
  call.fields.read("model", name);
  auto writer = std::make_unique<MessageWriter>(std::move(name), asked.prompt.size(), asked.generation.request.stop,
                                                error_form(call.request));
  return start_answer(call, asked.generation, {asked.prompt}, std::move(writer));
}

Reply anthropic_count_tokens(ApiCall& call) {
  Asked asked;
  if (std::optional<ApiError> refused = read_asked(call, false, asked)) return *refused;
  HttpResponse response;
  response.body = json::serialize(json::object{{"input_tokens", asked.prompt.size()}}) + "\n";
  return answer_with(std::move(response));
}

}  // namespace ingle
