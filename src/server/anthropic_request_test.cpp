#include "server/anthropic_request.h"

#include <gtest/gtest.h>

#include <string>

#include "text/json_value.h"

namespace ingle {
namespace {

// The fields of OpenAI's request that a field of Anthropic's becomes, as JSON; or "error: " and the field.
std::string translated(const std::string& body, const std::string& field, bool needs_max_tokens = false) {
  jinja::Value value;
  const std::optional<ApiError> error = parse_object(body, value);
  EXPECT_FALSE(error) << body;
  if (error) return error->message;
  RequestFields fields(value);
  const jinja::Value out = openai_body_of_anthropic(fields, needs_max_tokens);
  if (fields.error()) return "error: " + fields.error()->param;
  const jinja::Value* found = out.dict_object().find(field);
  return found == nullptr ? "" : jinja::to_json_text(*found, {});
}

std::string with_fields(const std::string& fields, const std::string& field) {
  return translated(R"({"messages":[{"role":"user","content":"x"}],)" + fields + "}", field);
}

std::string messages(const std::string& turns) { return translated("{\"messages\":[" + turns + "]}", "messages"); }

TEST(AnthropicRequest, TurnsBecomeMessages) {
  EXPECT_EQ(messages(R"({"role":"user","content":"a"})"), R"([{"role": "user", "content": "a"}])");
  EXPECT_EQ(messages(R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":""}]})"),
            R"([{"role": "user", "content": "a\n"}])");
  EXPECT_EQ(messages(R"({"role":"user","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":""},
                        {"role":"user","content":"c"})"),
            R"([{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": ""}, )"
            R"({"role": "user", "content": "c"}])");
  EXPECT_EQ(with_fields(R"("system":"s")", "messages"),
            R"([{"role": "system", "content": "s"}, {"role": "user", "content": "x"}])");
  EXPECT_EQ(with_fields(R"("system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}])", "messages"),
            R"([{"role": "system", "content": "s"}, {"role": "user", "content": "x"}])");
  // Without text there is none.
  for (const char* none :
       {R"("")", "[]", R"([{"type":"text","text":""}])", R"("x-anthropic-billing-header: cch=1;")"}) {
    EXPECT_EQ(with_fields(std::string(R"("system":)") + none, "messages"), R"([{"role": "user", "content": "x"}])")
        << none;
  }
  const std::string prefix = R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})";
  EXPECT_EQ(translated(prefix, "continue_final_message"), "true");
  EXPECT_EQ(with_fields(R"("seed":1)", "continue_final_message"), "");
}

// Claude Code's first block is another one in each request: with it no prompt would be found in the prefix cache.
TEST(AnthropicRequest, ThePromptDoesNotDependOnTheBillingLine) {
  const std::string said = R"([{"role": "system", "content": "s\nx-anthropic-billing-header: told"}, )"
                           R"({"role": "user", "content": "x"}])";
  const auto block = [](const std::string& text) { return R"({"type":"text","text":")" + text + "\"}"; };
  const std::string rest = R"(s\nx-anthropic-billing-header: told)";
  for (const std::string hash : {"eb6c6", "00a1f"}) {
    const std::string line = "x-anthropic-billing-header: cc_version=2.1.100.7b4; cc_entrypoint=cli; cch=" + hash + ";";
    EXPECT_EQ(with_fields("\"system\":[" + block(line) + "," + block(rest) + "]", "messages"), said);
    EXPECT_EQ(with_fields("\"system\":\"" + line + "\\n" + rest + "\"", "messages"), said);
  }
}

TEST(AnthropicRequest, LaterSystemMessagesAreReminders) {
  const auto said = [](const std::string& inner) { return "<system-reminder>\\n" + inner + "\\n</system-reminder>"; };
  const std::string user = R"({"role":"user","content":"a"},)", s = R"({"role":"system","content":"s"})";
  const std::string a = R"({"role": "user", "content": "a)";
  EXPECT_EQ(messages(s + "," + s + R"(,{"role":"user","content":"a"})"),
            R"([{"role": "system", "content": "s\ns"}, {"role": "user", "content": "a"}])");
  EXPECT_EQ(messages(user + s), "[" + a + "\\n" + said("s") + "\"}]");
  EXPECT_EQ(messages(user + s + "," + s + R"(,{"role":"user","content":"b"})"),
            "[" + a + "\\n" + said("s") + "\\n" + said("s") + "\\nb\"}]");
  EXPECT_EQ(messages(user + s + R"(,{"role":"assistant","content":"b"})"),
            "[" + a + "\\n" + said("s") + R"("}, {"role": "assistant", "content": "b"}])");
  const std::string answered = user + R"({"role":"assistant","content":"b"},)" + s;
  const std::string begin = "[" + a + R"("}, {"role": "assistant", "content": "b"}, {"role": "user", "content": ")";
  EXPECT_EQ(messages(answered), begin + said("s") + "\"}]");
  EXPECT_EQ(messages(answered + R"(,{"role":"user","content":[{"type":"text","text":"c"}]})"),
            begin + said("s") + "\\nc\"}]");
  EXPECT_EQ(translated("{\"messages\":[" + answered + "]}", "continue_final_message"), "");
  EXPECT_EQ(messages(user + R"({"role":"system","content":[{"type":"image"}]})"), "error: messages[1].content[0]");
  // Results follow their calls.
  const std::string call = R"({"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}}]},)";
  const std::string calls =
      "[" + a +
      R"("}, {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "type": "function", )"
      R"("function": {"name": "f", "arguments": {}}}]}, )"
      R"({"role": "tool", "tool_call_id": "1", "name": "f", "content": "r"}, {"role": "user", "content": ")";
  const std::string result = R"({"type":"tool_result","tool_use_id":"1","content":"r"})";
  EXPECT_EQ(messages(user + call + s + R"(,{"role":"user","content":[)" + result + "]}"), calls + said("s") + "\"}]");
  EXPECT_EQ(messages(user + call + s + R"(,{"role":"user","content":[)" + result + R"(,{"type":"text","text":"c"}]})"),
            calls + said("s") + "\\nc\"}]");
}

TEST(AnthropicRequest, CallsAndResultsBecomeMessagesOfTheirOwn) {
  const std::string call =
      R"({"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},
         {"type":"text","text":"y"},{"type":"tool_use","id":"1","name":"f","input":{"a":[1]}},
         {"type":"tool_use","id":"2","name":"g","input":{}}]},)";
  const std::string said =
      R"([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "reasoning_content": "hm", )"
      R"("tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": {"a": [1]}}}, )"
      R"({"id": "2", "type": "function", "function": {"name": "g", "arguments": {}}}]}, )";
  EXPECT_EQ(messages(call + R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"2","content":"r"},
         {"type":"tool_result","tool_use_id":"9","content":[{"type":"text","text":"p"},{"type":"text","text":"q"}]},
         {"type":"text","text":"z"}]},{"role":"user","content":"more"})"),
            said +
                R"({"role": "tool", "tool_call_id": "2", "name": "g", "content": "r"}, )"
                R"({"role": "tool", "tool_call_id": "9", "content": "p\nq"}, {"role": "user", "content": "z\nmore"}])");
}

TEST(AnthropicRequest, ToolsAndTheirChoice) {
  EXPECT_EQ(
      with_fields(R"("tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"type":"custom"}])",
                  "tools"),
      R"([{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}])");
  EXPECT_EQ(with_fields(R"("tool_choice":{"type":"auto"})", "tool_choice"), R"("auto")");
  EXPECT_EQ(with_fields(R"("tool_choice":{"type":"none"})", "tool_choice"), R"("none")");
  EXPECT_EQ(with_fields(R"("tool_choice":{"type":"any"})", "tool_choice"), R"("required")");
  EXPECT_EQ(with_fields(R"("tool_choice":{"type":"tool","name":"f"})", "tool_choice"),
            R"({"type": "function", "function": {"name": "f"}})");
  EXPECT_EQ(with_fields(R"("tool_choice":{"type":"auto","disable_parallel_tool_use":true})", "parallel_tool_calls"),
            "false");
}

TEST(AnthropicRequest, TheRest) {
  EXPECT_EQ(with_fields(R"("stop_sequences":["a","b"])", "stop"), R"(["a", "b"])");
  EXPECT_EQ(with_fields(R"("metadata":{"user_id":"u"})", "user"), R"("u")");
  EXPECT_EQ(with_fields(R"("max_tokens":7)", "max_tokens"), "7");
  EXPECT_EQ(with_fields(R"("seed":1)", "chat_template_kwargs"), R"({"enable_thinking": false})");
  EXPECT_EQ(with_fields(R"("thinking":{"type":"enabled","budget_tokens":1024})", "chat_template_kwargs"),
            R"({"enable_thinking": true})");
  EXPECT_EQ(
      with_fields(R"("output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}})", "response_format"),
      R"({"type": "json_schema", "json_schema": {"name": "output", "schema": {"type": "object"}}})");
  EXPECT_EQ(with_fields(R"("output_config":{"effort":"low"})", "response_format"), "");
  EXPECT_EQ(with_fields(R"("output_config":{"effort":"low"})", "chat_template_kwargs"),
            R"({"enable_thinking": false, "reasoning_effort": "low"})");
}

TEST(AnthropicRequest, ThinkingAndItsBudget) {
  EXPECT_EQ(with_fields(R"("thinking":{"type":"enabled","budget_tokens":1024})", "thinking_budget"), "1024");
  EXPECT_EQ(with_fields(R"("thinking":{"type":"enabled"})", "thinking_budget"), "");
  EXPECT_EQ(with_fields(R"("thinking":{"type":"adaptive","budget_tokens":1024})", "thinking_budget"), "");
  for (const char* wrong : {R"({"budget_tokens":9})", R"({"type":"hard"})", R"({"type":"enabled","budget_tokens":0})",
                            R"({"type":"enabled","budget_tokens":"x"})", R"({"type":"enabled","display":"all"})"}) {
    EXPECT_TRUE(with_fields("\"thinking\":" + std::string(wrong), "thinking_budget").starts_with("error: thinking."))
        << wrong;
  }
  const auto shown = [](const std::string& thinking) {
    jinja::Value body;
    EXPECT_FALSE(parse_object("{\"thinking\":" + thinking + "}", body));
    return shows_thinking(RequestFields(body));
  };
  EXPECT_TRUE(shown("null"));
  EXPECT_TRUE(shown(R"({"type":"enabled"})"));
  EXPECT_FALSE(shown(R"({"type":"enabled","display":"omitted"})"));
}

TEST(AnthropicRequest, ManyTurnsOfOneRoleTakeLinearTime) {
  std::string turns;
  for (int i = 0; i < 50'000; i++) turns += R"({"role":"user","content":"0123456789"},)";
  turns += R"({"role":"assistant","content":"x"})";
  EXPECT_GT(messages(turns).size(), size_t{50'000} * 11);
}

TEST(AnthropicRequest, NamesWhatIsWrong) {
  EXPECT_EQ(translated(R"({"messages":[{"role":"user","content":"x"}]})", "", true), "error: max_tokens");
  EXPECT_EQ(translated("{}", ""), "error: messages");
  EXPECT_EQ(with_fields(R"("container":"c")", ""), "error: container");
  EXPECT_EQ(messages(R"({"role":"user"})"), "error: messages[0].content");
  EXPECT_EQ(messages(R"({"role":"tool","content":"x"})"), "error: messages[0].role");
  const auto block = [](const std::string& role, const std::string& text) {
    return messages("{\"role\":\"" + role + "\",\"content\":[" + text + "]}");
  };
  for (const char* bad : {"1", "null", "{}", R"({"type":1})", R"({"type":"image"})", R"({"type":"document"})",
                          R"({"type":"tool_use","id":"1","name":"f","input":{}})", R"({"type":"thinking"})",
                          R"({"type":"search_result"})"}) {
    EXPECT_EQ(block("user", bad), "error: messages[0].content[0]") << bad;
  }
  EXPECT_EQ(block("user", R"({"type":"text"})"), "error: messages[0].content[0].text");
  EXPECT_EQ(block("user", R"({"type":"tool_result"})"), "error: messages[0].content[0].tool_use_id");
  EXPECT_EQ(block("user", R"({"type":"tool_result","tool_use_id":"1","content":[{"type":"image"}]})"),
            "error: messages[0].content[0].content[0]");
  EXPECT_EQ(block("assistant", R"({"type":"tool_result","tool_use_id":"1"})"), "error: messages[0].content[0]");
  EXPECT_EQ(block("assistant", R"({"type":"tool_use","id":"1","name":"f","input":"{}"})"),
            "error: messages[0].content[0].input");
  EXPECT_EQ(block("assistant", R"({"type":"tool_use","name":"f","input":{}})"), "error: messages[0].content[0].id");
}

}  // namespace
}  // namespace ingle
