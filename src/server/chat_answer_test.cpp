#include "server/chat_answer.h"

#include <gtest/gtest.h>

#include "server/answer_events_test.h"

namespace ingle {
namespace {

// Says deltas as letters.
class Letters final : public ChatAnswerWriter {
 public:
  using ChatAnswerWriter::ChatAnswerWriter;
  const char* stream_type() const override { return ""; }
  std::string begin(uint32_t) override { return ""; }
  std::string end(const Usage&) override { return ""; }
  std::string failure(const ApiError&) override { return ""; }

 private:
  std::string chat_news(const ChatNews& news) override {
    std::string out;
    for (const AnswerDelta& delta : news.deltas) {
      out += std::to_string(news.choice) + "rcba."[static_cast<int>(delta.kind)] + delta.text + "|";
    }
    return out + (news.calls_tools ? "calls" : "");
  }
  std::string chat_whole(const std::vector<ChatChoice>& choices, const Usage&) override {
    std::string out;
    for (const auto& [event, answer] : choices) {
      out += "r" + answer.reasoning + " c" + answer.content;
      for (const auto& call : answer.calls) out += " " + call.name + call.arguments;
      out += event.finish == FinishReason::kStop ? ". " : "... ";
    }
    return out;
  }
};

TEST(ChatAnswer, ChoicesAreReadEachByItself) {
  Letters writer(hermes_reading());
  EXPECT_EQ(writer.news(1, answer_event("<think>a")), "1ra|");
  EXPECT_EQ(writer.news(0, answer_event("<tool_")), "");
  EXPECT_EQ(writer.news(1, answer_event("</think>b <tool_")), "1cb|");
  EXPECT_EQ(writer.news(0, answer_event("call>{\"name\":\"f\"}")), "0bf|0a{}|0.|calls");
  EXPECT_EQ(writer.news(1, answer_event("", FinishReason::kLength)), "1c <tool_|");
  EXPECT_EQ(writer.news(0, answer_event("</tool_call>", FinishReason::kStop)), "calls");
}

TEST(ChatAnswer, WholeAnswers) {
  Letters writer(hermes_reading());
  EXPECT_EQ(writer.whole({answer_event("<think>a</think>b<tool_call>{\"name\":\"f\"}</tool_call>", FinishReason::kStop),
                          answer_event("<tool_call>{\"name\":\"f\"", FinishReason::kLength)},
                         {}),
            "ra cb f{}. r c<tool_call>{\"name\":\"f\"... ");
}

}  // namespace
}  // namespace ingle
