#include "server/responses_request.h"

#include <gtest/gtest.h>

#include <string>

#include "text/json_value.h"

namespace ingle {
namespace {

// Two items that the server remembers.
std::optional<jinja::Value> remembered(const std::string& id) {
  const char* json = id == "msg_1" ? R"({"type":"message","role":"assistant","content":"so"})"
                     : id == "fc_1"
                         ? R"({"type":"function_call","call_id":"c","namespace":"n","name":"f","arguments":"{}"})"
                     : id == "rs_1" ? R"({"type":"reasoning"})"
                                    : "";
  const Result<jinja::Value> item = parse_json(json);
  return item.ok() ? std::optional(*item) : std::nullopt;
}

// A field of the chat request, as JSON; "namespaced": its map; or "error: ", the status and the field.
std::string translated(const std::string& body, const std::string& field) {
  jinja::Value value;
  const std::optional<ApiError> error = parse_object(body, value);
  EXPECT_FALSE(error) << body;
  if (error) return error->message;
  RequestFields fields(value);
  const ResponsesInput out = read_responses_input(fields, {}, remembered);
  if (fields.error()) return "error: " + std::to_string(fields.error()->status) + " " + fields.error()->param;
  if (field == "namespaced") {
    std::string said;
    for (const auto& [flat, name] : out.namespaced) said += flat + "=" + name.space + "+" + name.name + " ";
    return said;
  }
  const jinja::Value* found = find_member(out.chat, field);
  return found == nullptr ? "" : jinja::to_json_text(*found, {});
}

std::string with_fields(const std::string& fields, const std::string& field) {
  return translated(R"({"input":"x",)" + fields + "}", field);
}

std::string messages(const std::string& items) { return translated("{\"input\":[" + items + "]}", "messages"); }

TEST(ResponsesRequest, OnlyFunctionsAreTools) {
  const std::string f = R"([{"type": "function", "function": {"name": "f", "strict": true}}])";
  EXPECT_EQ(
      with_fields(R"("tools":[{"type":"web_search"},{"type":"function","name":"f","strict":true},)"
                  R"({"type":"web_search_preview_2025_03_11"},{"type":"tool_search"},{"type":"custom","name":"c"},)"
                  R"({"type":"computer_use_preview"},{"type":"mcp"},{"type":"what comes next"}])",
                  "tools"),
      f);
  EXPECT_EQ(with_fields(R"("tools":[{"type":"custom"}])", "tools"), "[]");
  EXPECT_EQ(with_fields(R"("tools":{})", "tools"), "error: 400 tools");
  for (const char* wrong : {"1", "{}", R"({"name":"f"})", R"({"type":1})"}) {
    EXPECT_EQ(with_fields("\"tools\":[" + std::string(wrong) + "]", "tools"), "error: 400 tools[0]") << wrong;
  }
  EXPECT_EQ(with_fields(R"("tools":[{"type":"function"}])", "tools"), "error: 400 tools[0].name");
}

TEST(ResponsesRequest, FunctionsOfNamespacesHaveOneName) {
  const std::string tools =
      R"("tools":[{"type":"function","name":"f"},{"type":"namespace","name":"mcp__x","description":"d","tools":[)"
      R"({"type":"function","name":"f","parameters":{}},{"type":"custom","name":"g"}]},)"
      R"({"type":"namespace","name":"mcp__y__","tools":[{"type":"function","name":"f"}]}])";
  EXPECT_EQ(with_fields(tools, "tools"),
            R"([{"type": "function", "function": {"name": "f"}}, )"
            R"({"type": "function", "function": {"name": "mcp__x__f", "parameters": {}}}, )"
            R"({"type": "function", "function": {"name": "mcp__y__f"}}])");
  EXPECT_EQ(with_fields(tools, "namespaced"), "mcp__x__f=mcp__x+f mcp__y__f=mcp__y__+f ");
  for (const auto& [wrong, field] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"type":"namespace","tools":[]})", "tools[0].name"},
           {R"({"type":"namespace","name":"n"})", "tools[0].tools"},
           {R"({"type":"namespace","name":"n","tools":[1]})", "tools[0].tools[0]"},
           {R"({"type":"namespace","name":"n","tools":[{"type":"function","name":""}]})", "tools[0].tools[0].name"}}) {
    EXPECT_EQ(with_fields("\"tools\":[" + std::string(wrong) + "]", "tools"), std::string("error: 400 ") + field);
  }
  EXPECT_EQ(messages(R"({"type":"function_call","call_id":"c","namespace":"mcp__x","name":"f","arguments":"{}"},)"
                     R"({"type":"function_call","call_id":"d","namespace":"mcp__y__","name":"f","arguments":"{}"},)"
                     R"({"type":"function_call","call_id":"e","namespace":null,"name":"f","arguments":"{}"})"),
            R"([{"role": "assistant", "content": "", "tool_calls": [)"
            R"({"id": "c", "type": "function", "function": {"name": "mcp__x__f", "arguments": "{}"}}, )"
            R"({"id": "d", "type": "function", "function": {"name": "mcp__y__f", "arguments": "{}"}}, )"
            R"({"id": "e", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}])");
}

// As clients have them whose conversation began with a model that calls such tools.
TEST(ResponsesRequest, CallsOfCustomToolsAreCallsWithOneArgument) {
  EXPECT_EQ(messages(R"({"type":"custom_tool_call","call_id":"c","name":"patch","input":"a \"b\"\n"},)"
                     R"({"type":"custom_tool_call_output","call_id":"c","output":"done"})"),
            R"([{"role": "assistant", "content": "", "tool_calls": [{"id": "c", "type": "function", "function": )"
            R"({"name": "patch", "arguments": "{\"input\": \"a \\\"b\\\"\\n\"}"}}]}, )"
            R"({"role": "tool", "tool_call_id": "c", "content": "done"}])");
  EXPECT_EQ(messages(R"({"type":"custom_tool_call","call_id":"c","name":"patch"})"), "error: 400 input[0].input");
}

TEST(ResponsesRequest, ChoicesOfTools) {
  EXPECT_EQ(with_fields(R"("tool_choice":"required")", "tool_choice"), R"("required")");
  EXPECT_EQ(with_fields(R"("tool_choice":{"type":"function","name":"f"})", "tool_choice"),
            R"({"type": "function", "function": {"name": "f"}})");
  EXPECT_EQ(with_fields(R"("tool_choice":{"type":"function","namespace":"n","name":"f"})", "tool_choice"),
            R"({"type": "function", "function": {"name": "n__f"}})");
  EXPECT_EQ(
      with_fields(R"("tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"},)"
                  R"({"type":"web_search"},{"name":"g"}]})",
                  "tool_choice"),
      R"({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [)"
      R"({"type": "function", "function": {"name": "f"}}, {"name": "g"}]}})");
  EXPECT_EQ(with_fields(R"("tool_choice":{"type":"allowed_tools"})", "tool_choice"),
            R"({"type": "allowed_tools", "allowed_tools": {}})");
}

TEST(ResponsesRequest, WhatWasSaidBetweenCallsIsOneTurn) {
  const std::string call = R"({"type":"function_call","call_id":"c","name":"f","arguments":"{}"},)";
  const std::string said = R"({"type":"message","role":"assistant","content":"%"},)";
  const auto say = [&](const char* text) { return std::string(said).replace(said.find('%'), 1, text); };
  const std::string result = R"({"type":"function_call_output","call_id":"c","output":"x"})";
  const std::string told = messages(say("One.") + call + say("Two.") + call + result);
  EXPECT_EQ(told.find("\"assistant\""), told.rfind("\"assistant\"")) << told;
  EXPECT_NE(told.find("\"One.Two.\""), std::string::npos) << told;
  // Without a call between them they are two.
  const std::string apart = messages(say("One.") + say("Two.") + call + result);
  EXPECT_NE(apart.find("\"assistant\""), apart.rfind("\"assistant\"")) << apart;
}

TEST(ResponsesRequest, ItemsMayBeReferredTo) {
  const auto reference = [](const std::string& id) { return R"({"type":"item_reference","id":")" + id + "\"}"; };
  EXPECT_EQ(messages(R"({"role":"user","content":"x"},)" + reference("rs_1") + "," + reference("msg_1") + "," +
                     reference("fc_1") + R"(,{"type":"function_call_output","call_id":"c","output":"r"})"),
            R"([{"role": "user", "content": "x"}, {"role": "assistant", "content": "so", "tool_calls": [)"
            R"({"id": "c", "type": "function", "function": {"name": "n__f", "arguments": "{}"}}]}, )"
            R"({"role": "tool", "tool_call_id": "c", "content": "r"}])");
  EXPECT_EQ(messages(reference("msg_1") + "," + reference("msg_2")), "error: 404 input[1]");
  EXPECT_EQ(messages(reference("msg_1") + "," + reference("msg_1")), "error: 400 input[1].id");
  EXPECT_EQ(messages(R"({"type":"item_reference"})"), "error: 400 input[0].id");
}

}  // namespace
}  // namespace ingle
