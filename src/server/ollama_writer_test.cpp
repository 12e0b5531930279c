#include "server/ollama_writer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "server/answer_events_test.h"

namespace ingle {
namespace {

namespace json = boost::json;

// The lines without their times.
std::string timeless(const std::string& lines) {
  std::string out;
  for (size_t at = 0; at < lines.size();) {
    const size_t end = std::min(lines.find('\n', at), lines.size());
    json::object line;
    // Erasing would change the order.
    const json::value given = json::parse(lines.substr(at, end - at));
    for (const auto& [key, value] : given.as_object()) {
      if (key != "created_at" && key != "total_duration") line[key] = value;
    }
    out += json::serialize(line) + "\n";
    at = end + 1;
  }
  return out;
}

json::object parsed(const std::string& line) { return json::parse(line).as_object(); }

TEST(OllamaWriter, ChatsTellThoughtsAndCallsApart) {
  const auto say = ollama_writer(nullptr, {.model = "m", .is_chat = true}, chat_with_tools());
  EXPECT_EQ(say->begin(1), "");
  EXPECT_EQ(say->heartbeat(), "");
  EXPECT_EQ(parsed(say->news(0, answer_event("<think>hm"))).at("message"),
            json::value({{"role", "assistant"}, {"content", ""}, {"thinking", "hm"}}));
  EXPECT_EQ(parsed(say->news(0, answer_event("</think>I"))).at("message"),
            json::value({{"role", "assistant"}, {"content", "I"}}));
  EXPECT_EQ(say->news(0, answer_event("<tool_call>{\"name\":\"f\",")), "");
  const json::object call =
      parsed(say->news(0, answer_event("\"arguments\":{\"a\":1}}</tool_call>", FinishReason::kStop)));
  EXPECT_EQ(json::serialize(call.at("message")),
            R"({"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]})");
  EXPECT_EQ(call.at("done"), false);
  EXPECT_EQ(timeless(say->end(usage_of_test())),
            R"({"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",)"
            R"("load_duration":0,"prompt_eval_count":10,"prompt_eval_duration":2000000,"eval_count":7,)"
            R"("eval_duration":3000000})"
            "\n");
}

TEST(OllamaWriter, WholeAnswers) {
  const std::string answer =
      "<think>hm</think>I<tool_call>{\"name\":\"f\"}</tool_call><tool_call>{\"name\":\"g\"}</tool_call>";
  const auto say = ollama_writer(nullptr, {.model = "m", .is_chat = true}, chat_with_tools());
  const json::object whole = parsed(say->whole({answer_event(answer, FinishReason::kStop)}, usage_of_test()));
  EXPECT_EQ(
      json::serialize(whole.at("message")),
      R"({"role":"assistant","content":"I","thinking":"hm","tool_calls":[{"function":{"name":"f","arguments":{}}},)"
      R"({"function":{"name":"g","arguments":{}}}]})");
  EXPECT_EQ(whole.at("done"), true);
}

TEST(OllamaWriter, PromptsGetTheirTextAtTheTop) {
  const json::object whole = parsed(ollama_writer(nullptr, {.model = "m"}, chat_with_tools())
                                        ->whole({answer_event("<think>a</think>b", FinishReason::kLength)}, {}));
  EXPECT_EQ(whole.at("response"), "b");
  EXPECT_EQ(whole.at("thinking"), "a");
  EXPECT_EQ(whole.at("done_reason"), "length");
  EXPECT_FALSE(whole.contains("context"));
}

TEST(OllamaWriter, FailuresAndEnds) {
  const auto say = ollama_writer(nullptr, {.model = "m"}, chat_with_tools());
  EXPECT_EQ(say->failure({.status = 503, .message = "gone", .param = {}, .code = {}}), "{\"error\":\"gone\"}\n");
  EXPECT_EQ(timeless(json::serialize(ollama_end({.model = "m"}, "load"))),
            "{\"model\":\"m\",\"response\":\"\",\"done\":true,\"done_reason\":\"load\"}\n");
}

}  // namespace
}  // namespace ingle
