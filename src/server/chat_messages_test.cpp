#include "server/chat_messages.h"

#include <gtest/gtest.h>

#include <string>

#include "text/json_value.h"

namespace ingle {
namespace {

// The messages as templates get them, as JSON; or "error: " and the field.
std::string read(const std::string& body) {
  jinja::Value value;
  const std::optional<ApiError> error = parse_object(body, value);
  EXPECT_FALSE(error) << body;
  if (error) return error->message;
  RequestFields fields(value);
  ChatInput input;
  read_chat_input(fields, input);
  if (fields.error()) return "error: " + fields.error()->param;
  std::string out = jinja::to_json_text(input.messages, {});
  for (const auto& [name, more] : input.variables) out += " " + name + "=" + jinja::to_json_text(more, {});
  return out;
}

std::string messages(const std::string& inner) { return read("{\"messages\":[" + inner + "]}"); }

TEST(ChatMessages, BecomeWhatTemplatesWereWrittenFor) {
  EXPECT_EQ(messages(R"({"role":"user","content":"hi"})"), R"([{"role": "user", "content": "hi"}])");
  EXPECT_EQ(messages(R"({"role":"developer","content":"x"})"), R"([{"role": "system", "content": "x"}])");
  EXPECT_EQ(
      messages(
          R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":""},{"type":"text","text":"b"}]})"),
      R"([{"role": "user", "content": "a\n\nb"}])");
  EXPECT_EQ(messages(R"({"role":"assistant","content":[{"type":"text","text":"a"},{"type":"refusal","refusal":"b"}]})"),
            R"([{"role": "assistant", "content": "a\nb"}])");
  EXPECT_EQ(messages(R"({"role":"assistant","content":null})"), R"([{"role": "assistant", "content": ""}])");
  EXPECT_EQ(messages(R"({"role":"tool","tool_call_id":"1","content":"4","more":[1]})"),
            R"([{"role": "tool", "tool_call_id": "1", "content": "4", "more": [1]}])");
}

TEST(ChatMessages, ArgumentsOfToolCallsBecomeObjectsWhereTheyAre) {
  const auto call = [](const std::string& arguments) {
    return messages(R"({"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":)" + arguments +
                    "}}]}");
  };
  EXPECT_NE(call(R"("{\"a\": 1}")").find(R"("arguments": {"a": 1})"), std::string::npos);
  EXPECT_NE(call(R"({"a":1})").find(R"("arguments": {"a": 1})"), std::string::npos);
  EXPECT_NE(call(R"("not json")").find(R"("arguments": "not json")"), std::string::npos);
  EXPECT_NE(call(R"("[1]")").find(R"("arguments": "[1]")"), std::string::npos);
}

TEST(ChatMessages, HowMuchToThink) {
  const auto variables = [](const std::string& fields) {
    const std::string said = read(R"({"messages":[{"role":"user","content":"x"}],)" + fields + "}");
    return said.starts_with("error") ? said : said.substr(std::string(R"([{"role": "user", "content": "x"}])").size());
  };
  EXPECT_EQ(variables(R"("reasoning_effort":"low")"), R"( reasoning_effort="low" enable_thinking=true)");
  EXPECT_EQ(variables(R"("reasoning_effort":"none")"), R"( reasoning_effort="none" enable_thinking=false)");
  EXPECT_EQ(variables(R"("enable_thinking":false)"), " enable_thinking=false");
  EXPECT_EQ(variables(R"("reasoning_effort":null,"enable_thinking":null)"), "");
  EXPECT_EQ(variables(R"("reasoning_effort":"low","chat_template_kwargs":{"enable_thinking":false})"),
            R"( reasoning_effort="low" enable_thinking=false)");
  EXPECT_EQ(variables(R"("reasoning_effort":"much")"), "error: reasoning_effort");
  EXPECT_EQ(variables(R"("enable_thinking":"yes")"), "error: enable_thinking");
}

TEST(ChatMessages, NameWhatIsWrong) {
  EXPECT_EQ(read("{}"), "error: messages");
  EXPECT_EQ(read(R"({"messages":null})"), "error: messages");
  EXPECT_EQ(read(R"({"messages":{}})"), "error: messages");
  EXPECT_EQ(messages(""), "error: messages");
  EXPECT_EQ(messages(R"("hi")"), "error: messages[0]");
  EXPECT_EQ(messages("{}"), "error: messages[0].role");
  EXPECT_EQ(messages(R"({"role":1,"content":"x"})"), "error: messages[0].role");
  EXPECT_EQ(messages(R"({"role":"user","content":"x"},{"role":"user"})"), "error: messages[1].content");
  EXPECT_EQ(messages(R"({"role":"user","content":3})"), "error: messages[0].content");
  EXPECT_EQ(messages(R"({"role":"user","content":["x"]})"), "error: messages[0].content[0]");
  EXPECT_EQ(messages(R"({"role":"user","content":[{"type":"text"}]})"), "error: messages[0].content[0]");
  EXPECT_EQ(messages(R"({"role":"assistant","content":[{"type":"refusal","text":"x"}]})"),
            "error: messages[0].content[0]");
  EXPECT_EQ(messages(R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]})"),
            "error: messages[0].content[0]");
  EXPECT_EQ(messages(R"({"role":"assistant","tool_calls":{}})"), "error: messages[0].tool_calls");
  EXPECT_EQ(messages(R"({"role":"assistant","tool_calls":[1]})"), "error: messages[0].tool_calls");
  EXPECT_EQ(messages(R"({"role":"assistant","tool_calls":[{"function":{}}]})"), "error: messages[0].tool_calls");
}

TEST(ChatMessages, NullIsTheSameAsAbsent) {
  EXPECT_EQ(messages(R"({"role":"assistant","content":"x","tool_calls":null,"audio":null,"refusal":null})"),
            R"([{"role": "assistant", "content": "x"}])");
  EXPECT_EQ(messages(R"({"role":"assistant","content":"x","tool_calls":[]})"),
            R"([{"role": "assistant", "content": "x"}])");
}

TEST(ChatMessages, ReasoningOfEarlierAnswers) {
  EXPECT_EQ(messages(R"({"role":"assistant","content":"x","reasoning_content":"y"})"),
            R"([{"role": "assistant", "content": "x", "reasoning_content": "y"}])");
  EXPECT_NE(messages(R"({"role":"assistant","content":"x","reasoning":"y"})").find(R"("reasoning_content": "y")"),
            std::string::npos);
  EXPECT_EQ(messages(R"({"role":"assistant","content":"x","reasoning_content":3})"),
            "error: messages[0].reasoning_content");
}

TEST(ChatMessages, VariablesOfTheTemplate) {
  const std::string start = R"({"messages":[{"role":"user","content":"x"}])";
  EXPECT_NE(read(start + R"(,"chat_template_kwargs":{"enable_thinking":false}})").find("enable_thinking=false"),
            std::string::npos);
  EXPECT_EQ(read(start + R"(,"chat_template_kwargs":{"tools":[]}})"), "error: chat_template_kwargs");
  EXPECT_EQ(read(start + R"(,"chat_template_kwargs":[]})"), "error: chat_template_kwargs");
}

}  // namespace
}  // namespace ingle
