#include "server/ollama_writer.h"

#include <chrono>
#include <optional>
#include <utility>

#include "server/openai_common.h"
#include "server/timestamps.h"

namespace ingle {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr double kNsPerMs = 1e6;

// The fields that every line begins with.
json::object line_head(const std::string& model) {
  json::object out;
  out["model"] = model;
  out["created_at"] = rfc3339(std::chrono::system_clock::now());
  return out;
}

// What a line says of the answer.
struct Said {
  std::string content{}, reasoning{};
  json::array calls{};
};

void set_said(json::object& line, bool is_chat, Said said) {
  json::object words;
  if (is_chat) words["role"] = "assistant";
  words[is_chat ? "content" : "response"] = said.content;
  if (!said.reasoning.empty()) words["thinking"] = said.reasoning;
  if (!said.calls.empty()) words["tool_calls"] = std::move(said.calls);
  if (is_chat) {
    line["message"] = std::move(words);
  } else {
    for (auto& [key, value] : words) line[key] = std::move(value);
  }
}

json::object call_object(const std::string& name, const std::string& arguments) {
  json::object function;
  function["name"] = name;
  function["arguments"] = call_arguments(arguments);
  json::object out;
  out["function"] = std::move(function);
  return out;
}

// Lines of JSON, or one object with all of it.
class OllamaWriter final : public ChatAnswerWriter {
 public:
  OllamaWriter(std::shared_ptr<ServedModel> model, OllamaAnswer answer, const ChatRequest& asked)
      : ChatAnswerWriter(asked),
        model_(std::move(model)),
        answer_(std::move(answer)),
        logprobs_(asked.generation.request.logprobs) {
    if (answer_.tells_context) context_ = asked.prompt;
  }

  const char* stream_type() const override { return "application/x-ndjson"; }

  std::string begin(uint32_t) override { return ""; }

  // Each line is an object that clients take for a part of the answer.
  std::string heartbeat() override { return ""; }

  std::string failure(const ApiError& error) override {
    return error_body(error, {.shape = ErrorShape::kOllama, .request_id = {}}) + "\n";
  }

 private:
  std::string chat_end(const Usage& usage) override { return json::serialize(last_line({}, usage)) + "\n"; }

  std::string chat_news(const ChatNews& news) override {
    note(news.event);
    json::array scores = logprobs(news.event);
    std::string out;
    for (const AnswerDelta& delta : news.deltas) {
      Said said;
      if (delta.kind == AnswerDelta::Kind::kContent) said.content = delta.text;
      if (delta.kind == AnswerDelta::Kind::kReasoning) said.reasoning = delta.text;
      if (delta.kind == AnswerDelta::Kind::kCallBegin) call_ = {.name = delta.text, .arguments = {}};
      if (delta.kind == AnswerDelta::Kind::kCallArguments) call_.arguments += delta.text;
      if (delta.kind == AnswerDelta::Kind::kCallEnd) said.calls.push_back(call_object(call_.name, call_.arguments));
      if (said.content.empty() && said.reasoning.empty() && said.calls.empty()) continue;
      out += line(std::move(said), std::exchange(scores, {}));
    }
    if (!scores.empty()) out += line({}, std::move(scores));
    return out;
  }

  std::string chat_whole(const std::vector<ChatChoice>& choices, const Usage& usage) override {
    const auto& [event, answer, deltas, parts] = choices[0];
    note(event);
    Said said{.content = answer.content, .reasoning = answer.reasoning};
    for (const ParsedAnswer::Call& call : answer.calls) said.calls.push_back(call_object(call.name, call.arguments));
    json::object out = last_line(std::move(said), usage);
    if (logprobs_) out["logprobs"] = logprobs(event);
    return json::serialize(out);
  }

  std::string line(Said said, json::array scores) const {
    json::object out = line_head(answer_.model);
    set_said(out, answer_.is_chat, std::move(said));
    if (!scores.empty()) out["logprobs"] = std::move(scores);
    out["done"] = false;
    return json::serialize(out) + "\n";
  }

  json::array logprobs(const TokenEvent& event) const {
    return logprobs_ ? chat_logprobs(model_->engine->tokenizer(), event, false) : json::array();
  }

  void note(const TokenEvent& event) {
    finish_ = event.finish;
    if (!context_) return;
    const size_t said = said_tokens(model_->engine->tokenizer(), event);
    context_->insert(context_->end(), event.tokens.begin(), event.tokens.begin() + static_cast<ptrdiff_t>(said));
  }

  json::object last_line(Said said, const Usage& usage) const {
    const auto ns = [](double ms) { return static_cast<int64_t>(ms * kNsPerMs); };
    const std::chrono::nanoseconds total = Clock::now() - started_;
    json::object out = line_head(answer_.model);
    set_said(out, answer_.is_chat, std::move(said));
    out["done"] = true;
    out["done_reason"] = finish_ == FinishReason::kLength ? "length" : "stop";
    if (context_) out["context"] = json::array(context_->begin(), context_->end());
    out["total_duration"] = total.count();
    out["load_duration"] = 0;
    out["prompt_eval_count"] = usage.prompt_tokens;
    out["prompt_eval_duration"] = ns(usage.prompt_ms);
    out["eval_count"] = usage.completion_tokens;
    out["eval_duration"] = ns(usage.generation_ms);
    return out;
  }

  const std::shared_ptr<ServedModel> model_;
  const OllamaAnswer answer_;
  const bool logprobs_;
  const Clock::time_point started_ = Clock::now();
  std::optional<std::vector<TokenId>> context_;
  ParsedAnswer::Call call_;  // that is being told
  FinishReason finish_ = FinishReason::kNone;
};

}  // namespace

std::unique_ptr<AnswerWriter> ollama_writer(std::shared_ptr<ServedModel> model, OllamaAnswer answer,
                                            const ChatRequest& asked) {
  return std::make_unique<OllamaWriter>(std::move(model), std::move(answer), asked);
}

json::object ollama_end(const OllamaAnswer& answer, const char* reason) {
  json::object line = line_head(answer.model);
  set_said(line, answer.is_chat, {});
  line["done"] = true;
  line["done_reason"] = reason;
  return line;
}

}  // namespace ingle
