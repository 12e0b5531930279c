#include "server/anthropic_writer.h"

#include <gtest/gtest.h>

#include "server/answer_events_test.h"

namespace ingle {
namespace {

namespace json = boost::json;

std::unique_ptr<AnswerWriter> writer(const ChatRequest& asked = chat_with_tools()) {
  return anthropic_writer("m", asked, {.shape = ErrorShape::kAnthropic, .request_id = "req_1"});
}

// What the events say, without ids, one a line: "start 0 text", "0 text_delta abc", "stop 0", "end tool_use 6 4 7".
std::string told(const std::string& stream) {
  std::string out;
  for (size_t at = 0; at < stream.size();) {
    const size_t data = stream.find("\ndata: ", at), end = stream.find("\n\n", at);
    const json::object event = json::parse(stream.substr(data + 7, end - data - 7)).as_object();
    const std::string type(event.at("type").as_string());
    EXPECT_EQ(stream.substr(at, data - at), "event: " + type);
    const auto index = [&] { return json::serialize(event.at("index")); };
    if (type == "content_block_start") {
      const json::object& block = event.at("content_block").as_object();
      out += "start " + index() + " " + std::string(block.at("type").as_string());
      if (const json::value* name = block.if_contains("name")) out += " " + std::string(name->as_string());
    } else if (type == "content_block_delta") {
      out += index();
      for (const auto& [key, value] : event.at("delta").as_object()) out += " " + std::string(value.as_string());
    } else if (type == "content_block_stop") {
      out += "stop " + index();
    } else if (type == "message_delta") {
      const json::object& usage = event.at("usage").as_object();
      out += "end " + json::serialize(event.at("delta")) + " " + json::serialize(usage.at("input_tokens")) + " " +
             json::serialize(usage.at("cache_read_input_tokens")) + " " + json::serialize(usage.at("output_tokens"));
    } else {
      out += type;
    }
    out += "\n";
    at = end + 2;
  }
  return out;
}

TEST(AnthropicWriter, BlocksFollowEachOther) {
  const auto say = writer();
  EXPECT_EQ(told(say->begin(1)), "message_start\nping\n");
  EXPECT_EQ(say->heartbeat(), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
  std::string stream = say->news(0, answer_event("<think>hm"));
  stream += say->news(0, answer_event(", so</think>\n\nI "));
  stream +=
      say->news(0, answer_event("call.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>"));
  stream +=
      say->news(0, answer_event("\n<tool_call>{\"name\":\"g\",\"arguments\":{}}</tool_call>", FinishReason::kStop));
  stream += say->end(usage_of_test());
  EXPECT_EQ(told(stream),
            "start 0 thinking\n0 thinking_delta hm\n0 thinking_delta , so\n0 signature_delta \nstop 0\n"
            "start 1 text\n1 text_delta I\n1 text_delta  call.\nstop 1\n"
            "start 2 tool_use f\n2 input_json_delta {\"a\": 1}\nstop 2\n"
            "start 3 tool_use g\n3 input_json_delta {}\nstop 3\n"
            "end {\"stop_reason\":\"tool_use\",\"stop_sequence\":null} 6 4 7\nmessage_stop\n");
}

TEST(AnthropicWriter, WholeMessagesKeepTheOrderOfTextAndCalls) {
  const std::string answer =
      "One.<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>Two."
      "<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>";
  const json::value whole = json::parse(writer()->whole({answer_event(answer, FinishReason::kStop)}, usage_of_test()));
  std::string order;
  for (const json::value& block : whole.at("content").as_array()) {
    const bool text = block.at("type") == "text";
    order += text ? block.at("text").as_string() : block.at("name").as_string();
    if (!text) order += json::serialize(block.at("input"));
    order += ' ';
  }
  EXPECT_EQ(order, "One. f{\"a\":1} Two. g{} ");
}

TEST(AnthropicWriter, WholeMessages) {
  const std::string answer =
      "<think>hm</think>I call.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [1]}}\n</tool_call>";
  const json::value whole = json::parse(writer()->whole({answer_event(answer, FinishReason::kStop)}, usage_of_test()));
  const json::array& content = whole.at("content").as_array();
  ASSERT_EQ(content.size(), 3u);
  EXPECT_EQ(json::serialize(content[0]), R"({"type":"thinking","thinking":"hm","signature":""})");
  EXPECT_EQ(json::serialize(content[1]), R"({"type":"text","text":"I call."})");
  EXPECT_EQ(content[2].at("type"), "tool_use");
  EXPECT_EQ(content[2].at("name"), "f");
  EXPECT_EQ(json::serialize(content[2].at("input")), R"({"a":[1]})");
  EXPECT_EQ(whole.at("stop_reason"), "tool_use");
  EXPECT_EQ(whole.at("usage").at("input_tokens"), 6);
}

TEST(AnthropicWriter, WhyAnAnswerEnds) {
  const auto reason = [](FinishReason finish, std::optional<uint32_t> stop) {
    ChatRequest asked = chat_with_tools();
    asked.generation.request.stop = {"a", "b"};
    TokenEvent event = answer_event("x", finish);
    event.stop = stop;
    const json::value whole = json::parse(writer(asked)->whole({event}, {}));
    return json::serialize(whole.at("stop_reason")) + json::serialize(whole.at("stop_sequence"));
  };
  EXPECT_EQ(reason(FinishReason::kStop, std::nullopt), "\"end_turn\"null");
  EXPECT_EQ(reason(FinishReason::kStop, 1), "\"stop_sequence\"\"b\"");
  EXPECT_EQ(reason(FinishReason::kLength, std::nullopt), "\"max_tokens\"null");
}

TEST(AnthropicWriter, AnAnswerThatTheContextCutsOff) {
  ChatRequest asked = chat_with_tools();
  const auto reason = [&](uint32_t max_tokens) {
    asked.generation.request.max_tokens = max_tokens;
    const json::value whole =
        json::parse(writer(asked)->whole({answer_event("x", FinishReason::kLength)}, usage_of_test()));
    return json::serialize(whole.at("stop_reason"));
  };
  EXPECT_EQ(reason(7), "\"max_tokens\"");  // as many as the test's usage has
  EXPECT_EQ(reason(8), "\"model_context_window_exceeded\"");
}

TEST(AnthropicWriter, ThinkingThatIsNotToBeShown) {
  const auto make = [] {
    return anthropic_writer("m", chat_with_tools(), {.shape = ErrorShape::kAnthropic, .request_id = ""}, false);
  };
  const json::value whole =
      json::parse(make()->whole({answer_event("<think>hm</think>I", FinishReason::kStop)}, usage_of_test()));
  EXPECT_EQ(json::serialize(whole.at("content")),
            R"([{"type":"thinking","thinking":"","signature":""},{"type":"text","text":"I"}])");
  const auto say = make();
  EXPECT_EQ(told(say->news(0, answer_event("<think>hm</think>I"))),
            "start 0 thinking\n0 signature_delta \nstop 0\nstart 1 text\n1 text_delta I\n");
}

TEST(AnthropicWriter, AnAnswerOfNothingAndOneThatFails) {
  const auto say = writer();
  say->begin(1);
  EXPECT_EQ(say->news(0, answer_event("", FinishReason::kStop)), "");
  EXPECT_EQ(told(say->end({})).substr(0, 3), "end");
  EXPECT_EQ(writer()->failure({.status = 503, .message = "gone", .param = {}, .code = {}}),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"gone\"},"
            "\"request_id\":\"req_1\"}\n\n");
}

}  // namespace
}  // namespace ingle
