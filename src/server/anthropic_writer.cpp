#include "server/anthropic_writer.h"

#include <optional>
#include <utility>

#include "server/digest.h"

namespace ingle {
namespace {

namespace json = boost::json;

constexpr const char* kThinking = "thinking";

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
  out["output_tokens_details"] = json::object{{"thinking_tokens", usage.reasoning_tokens}};
  return out;
}

class MessageWriter final : public ChatAnswerWriter {
 public:
  MessageWriter(std::string model, const ChatRequest& asked, ErrorForm errors, bool shows_thinking)
      : ChatAnswerWriter(asked),
        model_(std::move(model)),
        prompt_tokens_(asked.prompt.size()),
        max_tokens_(asked.generation.request.max_tokens),
        shows_thinking_(shows_thinking),
        stops_(asked.generation.request.stop),
        errors_(std::move(errors)) {}

  const char* stream_type() const override { return "text/event-stream"; }

  std::string begin(uint32_t) override {
    Usage usage;
    usage.prompt_tokens = prompt_tokens_;
    json::object start;
    start["message"] = message({}, nullptr, nullptr, usage);
    return event_text("message_start", std::move(start)) + heartbeat();
  }

  std::string heartbeat() override { return event_text("ping", {}); }

  std::string failure(const ApiError& error) override {
    return "event: error\ndata: " + error_body(error, errors_) + "\n\n";
  }

 private:
  std::string chat_end(const Usage& usage) override {
    std::string out = close_block();
    json::object last;
    last["delta"] = json::object{{"stop_reason", stop_reason(usage)}, {"stop_sequence", stop_sequence()}};
    last["usage"] = usage_object(usage);
    return out + event_text("message_delta", std::move(last)) + event_text("message_stop", {});
  }

  std::string chat_news(const ChatNews& news) override {
    note(news.event, news.calls_tools);
    std::string out;
    for (const AnswerDelta& delta : news.deltas) out += said(delta);
    return out;
  }

  std::string said(const AnswerDelta& delta) {
    switch (delta.kind) {
      case AnswerDelta::Kind::kContent: {
        const std::string opened = open_block("text", {{"text", ""}});
        return opened + block_delta({{"type", "text_delta"}, {"text", delta.text}});
      }
      case AnswerDelta::Kind::kReasoning: {
        const std::string opened = open_block(kThinking, {{"thinking", ""}, {"signature", ""}});
        if (!shows_thinking_) return opened;
        return opened + block_delta({{"type", "thinking_delta"}, {"thinking", delta.text}});
      }
      case AnswerDelta::Kind::kCallBegin:
        return open_block("tool_use", {{"id", call_id()}, {"name", delta.text}, {"input", json::object()}});
      case AnswerDelta::Kind::kCallArguments:
        return block_delta({{"type", "input_json_delta"}, {"partial_json", delta.text}});
      case AnswerDelta::Kind::kCallEnd:
        return close_block();
    }
    return "";
  }

  std::string chat_whole(const std::vector<ChatChoice>& choices, const Usage& usage) override {
    const auto& [event, answer, deltas, parts] = choices[0];
    note(event, answer.calls_tools());
    return json::serialize(message(blocks(deltas), stop_reason(usage), stop_sequence(), usage));
  }

  // The content, as a stream's blocks come one after the other.
  json::array blocks(const std::vector<AnswerDelta>& deltas) const {
    json::array out;
    std::string arguments;
    const auto add = [&](json::object block, const char* field, const std::string& more) {
      if (out.empty() || out.back().at("type") != block.at("type")) out.push_back(std::move(block));
      out.back().at(field).as_string().append(more);
    };
    for (const AnswerDelta& delta : deltas) {
      switch (delta.kind) {
        case AnswerDelta::Kind::kContent:
          add({{"type", "text"}, {"text", ""}}, "text", delta.text);
          break;
        case AnswerDelta::Kind::kReasoning:
          add({{"type", kThinking}, {"thinking", ""}, {"signature", ""}}, "thinking",
              shows_thinking_ ? delta.text : std::string());
          break;
        case AnswerDelta::Kind::kCallBegin:
          arguments.clear();
          out.push_back({{"type", "tool_use"}, {"id", call_id()}, {"name", delta.text}, {"input", json::object()}});
          break;
        case AnswerDelta::Kind::kCallArguments:
          arguments += delta.text;
          break;
        case AnswerDelta::Kind::kCallEnd:
          out.back().as_object()["input"] = call_arguments(arguments);
          break;
      }
    }
    return out;
  }

  static std::string call_id() { return "toolu_" + random_id(); }

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

  std::string block_delta(json::object what) const {
    json::object out;
    out["index"] = block_;
    out["delta"] = std::move(what);
    return event_text("content_block_delta", std::move(out));
  }

  std::string close_block() {
    if (!open_) return "";
    std::string out;
    if (*open_ == kThinking) out = block_delta({{"type", "signature_delta"}, {"signature", ""}});
    open_.reset();
    return out + event_text("content_block_stop", {{"index", block_++}});
  }

  void note(const TokenEvent& event, bool calls_tools) {
    finish_ = event.finish;
    calls_tools_ = calls_tools;
    if (event.stop) stop_ = event.stop;
  }

  json::value stop_reason(const Usage& usage) const {
    if (finish_ == FinishReason::kLength) {
      return usage.completion_tokens < max_tokens_ ? "model_context_window_exceeded" : "max_tokens";
    }
    if (stop_) return "stop_sequence";
    return calls_tools_ ? "tool_use" : "end_turn";
  }

  json::value stop_sequence() const {
    if (!stop_) return nullptr;
    return json::string(stops_[*stop_]);
  }

  const std::string id_ = "msg_" + random_id(), model_;
  const uint64_t prompt_tokens_, max_tokens_;
  const bool shows_thinking_;
  const std::vector<std::string> stops_;
  const ErrorForm errors_;
  std::optional<std::string> open_;  // the type of the block that is open
  uint32_t block_ = 0;               // its index, or the next one's
  FinishReason finish_ = FinishReason::kNone;
  std::optional<uint32_t> stop_;
  bool calls_tools_ = false;
};

}  // namespace

std::unique_ptr<AnswerWriter> anthropic_writer(std::string model, const ChatRequest& asked, ErrorForm errors,
                                               bool shows_thinking) {
  return std::make_unique<MessageWriter>(std::move(model), asked, std::move(errors), shows_thinking);
}

}  // namespace ingle
