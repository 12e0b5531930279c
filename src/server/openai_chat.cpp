#include <utility>

#include "server/chat_request.h"
#include "server/digest.h"
#include "server/openai.h"
#include "server/openai_common.h"
#include "server/token_scores.h"

namespace ingle {
namespace {

namespace json = boost::json;

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
  ChatWriter(std::shared_ptr<ServedModel> model, const ChatRequest& asked)
      : ChatAnswerWriter(asked),
        model_(std::move(model)),
        tokenizer_(model_->engine->tokenizer()),
        head_(*model_, "chatcmpl-"),
        logprobs_(asked.generation.request.logprobs),
        tokens_as_ids_(asked.generation.tokens_as_ids),
        include_usage_(asked.generation.include_usage),
        prompt_logprobs_(asked.generation.request.prompt_logprobs),
        prompt_(asked.prompt) {}

  const char* stream_type() const override { return "text/event-stream"; }

  std::string begin(uint32_t choices) override {
    std::string out;
    for (uint32_t choice = 0; choice < choices; choice++) {
      out += chunk(choice, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
    }
    return out;
  }

  std::string failure(const ApiError& error) override { return sse_failure(error); }

 private:
  std::string chat_end(const Usage& usage) override {
    return head_.end("chat.completion.chunk", usage, include_usage_);
  }

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
      const auto& [event, answer, deltas, parts] = answers[i];
      json::object choice;
      choice["index"] = i;
      choice["message"] = message(answer);
      choice["logprobs"] = logprobs(event);
      choice["finish_reason"] = chat_finish(event.finish, answer.calls_tools());
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
    json::array content = chat_logprobs(tokenizer_, event, tokens_as_ids_);
    return json::object{{"content", std::move(content)}, {"refusal", nullptr}};
  }

  const std::shared_ptr<ServedModel> model_;
  const Tokenizer& tokenizer_;
  const AnswerHead head_;
  const bool logprobs_, tokens_as_ids_, include_usage_;
  const std::optional<uint32_t> prompt_logprobs_;  // vLLM's: alternatives of each token
  const std::vector<TokenId> prompt_;
};

}  // namespace

Reply openai_chat(ApiCall& call) {
  const auto read = read_chat_request(call.fields, *call.model);
  if (const ApiError* refused = std::get_if<ApiError>(&read)) return *refused;
  const ChatRequest& asked = std::get<ChatRequest>(read);
  return start_answer(call, asked.generation, {asked.prompt}, std::make_unique<ChatWriter>(call.model, asked));
}

}  // namespace ingle
