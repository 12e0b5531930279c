#include "server/chat_answer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "server/answer_events_test.h"
#include "text/piece_tokenizer_test.h"

namespace ingle {
namespace {

// Says deltas as letters.
class Letters final : public ChatAnswerWriter {
 public:
  using ChatAnswerWriter::ChatAnswerWriter;
  const char* stream_type() const override { return ""; }
  std::string begin(uint32_t) override { return ""; }
  std::string failure(const ApiError&) override { return ""; }

 private:
  std::string chat_news(const ChatNews& news) override {
    std::string out;
    for (const AnswerDelta& delta : news.deltas) {
      out += std::to_string(news.choice) + "rcba."[static_cast<int>(delta.kind)] + delta.text + "|";
    }
    return out + (news.calls_tools ? "calls" : "");
  }
  std::string chat_end(const Usage& usage) override { return std::to_string(usage.reasoning_tokens); }
  std::string chat_whole(const std::vector<ChatChoice>& choices, const Usage& usage) override {
    std::string out = usage.reasoning_tokens > 0 ? std::to_string(usage.reasoning_tokens) + " " : "";
    for (const auto& [event, answer, deltas, parts] : choices) {
      out += "r" + answer.reasoning + " c" + answer.content;
      for (const auto& call : answer.calls) out += " " + call.name + call.arguments;
      out += event.finish == FinishReason::kStop ? ". " : "... ";
    }
    return out;
  }
};

TEST(ChatAnswer, ChoicesAreReadEachByItself) {
  Letters writer(chat_with_tools());
  EXPECT_EQ(writer.news(1, answer_event("<think>a")), "1ra|");
  EXPECT_EQ(writer.news(0, answer_event("<tool_")), "");
  EXPECT_EQ(writer.news(1, answer_event("</think>b <tool_")), "1cb|");
  EXPECT_EQ(writer.news(0, answer_event("call>{\"name\":\"f\"}")), "0bf|0a{}|0.|calls");
  EXPECT_EQ(writer.news(1, answer_event("", FinishReason::kLength)), "1c <tool_|");
  EXPECT_EQ(writer.news(0, answer_event("</tool_call>", FinishReason::kStop)), "calls");
}

TEST(ChatAnswer, WholeAnswers) {
  Letters writer(chat_with_tools());
  EXPECT_EQ(writer.whole({answer_event("<think>a</think>b<tool_call>{\"name\":\"f\"}</tool_call>", FinishReason::kStop),
                          answer_event("<tool_call>{\"name\":\"f\"", FinishReason::kLength)},
                         {}),
            "ra cb f{}. r c<tool_call>{\"name\":\"f\"... ");
}

TEST(ChatAnswer, AnAnswerThatMayHaveOneCallEndsBehindIt) {
  AnswerParserOptions reading = *hermes_reading();
  EXPECT_EQ(end_after_only_call(reading), nullptr) << "it may have several";
  reading.one_call = true;
  const auto ends_at = [&](const std::string& text) {
    const AnswerEnd ends = end_after_only_call(reading)();
    for (size_t i = 0; i < text.size(); i++) {
      if (ends(text.substr(i, 1))) return text.substr(0, i + 1);
    }
    return std::string();
  };
  const std::string call = "<think>a</think>b <tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": \"}\"}}";
  EXPECT_EQ(ends_at(call + "\n</tool_call>\n<tool_call>"), call);
  EXPECT_EQ(ends_at("<tool_call> is how it begins"), "");
  EXPECT_EQ(ends_at("{\"name\": \"f\", \"arguments\": {}} "), "{\"name\": \"f\", \"arguments\": {}}");
  reading.takes = [](std::string_view, std::string_view) { return true; };
  EXPECT_EQ(ends_at("{\"name\": \"f\", \"arguments\": {}} "), "") << "not found out here";
  EXPECT_EQ(ends_at(call + "\n</tool_call>"), call);
  reading.tools.clear();
  EXPECT_EQ(end_after_only_call(reading), nullptr);
}

TEST(ChatAnswer, TheTokensOfTheReasoningAreCounted) {
  const std::vector<std::string> thinks = {"<think>", "a", "b", "</think>", "\n\n", "so", "<eos>"};
  const std::unique_ptr<Tokenizer> tokenizer = tokenizer_of(thinks);
  ChatRequest asked = chat_with_tools();
  asked.tokenizer = tokenizer.get();
  const auto whole = [&](const std::vector<std::string>& pieces) {
    return Letters(asked).whole({tokens_event(*tokenizer, pieces, FinishReason::kStop)}, {});
  };
  EXPECT_EQ(whole(thinks), "5 rab cso. ");
  EXPECT_EQ(whole({"so", "<think>", "a", "<eos>"}), "r cso<think>a. ");
  EXPECT_EQ(whole({"<think>", "a", "<eos>"}), "3 ra c. ");
  // The same in a stream, however its events are cut; of all choices.
  for (size_t size = 1; size <= thinks.size(); size++) {
    Letters stream(asked);
    for (uint32_t choice = 0; choice < 2; choice++) {
      for (size_t i = 0; i < thinks.size(); i += size) {
        const auto end = thinks.begin() + static_cast<ptrdiff_t>(std::min(i + size, thinks.size()));
        const bool last = end == thinks.end();
        stream.news(choice, tokens_event(*tokenizer, {thinks.begin() + static_cast<ptrdiff_t>(i), end},
                                         last ? FinishReason::kStop : FinishReason::kNone));
      }
    }
    EXPECT_EQ(stream.end({}), "10");
  }
}

}  // namespace
}  // namespace ingle
