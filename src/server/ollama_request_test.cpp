#include "server/ollama_request.h"

#include <gtest/gtest.h>

#include <string>

#include "text/json_value.h"

namespace ingle {
namespace {

// OpenAI's request that the fields become, as JSON; or "error: " and the field.
std::string translated(const std::string& body) {
  jinja::Value value;
  std::optional<ApiError> error = parse_object(body, value);
  EXPECT_FALSE(error) << body;
  if (error) return error->message;
  RequestFields fields(value);
  const jinja::Value out = openai_body_of_chat(fields, error);
  return error ? "error: " + error->param : jinja::to_json_text(out, {});
}

TEST(OllamaRequest, OptionsOfSampling) {
  EXPECT_EQ(translated("{}"), "{}");
  EXPECT_EQ(translated(R"({"options":{"temperature":0.5,"top_k":3,"seed":7,"stop":["a"],"num_predict":9}})"),
            R"({"temperature": 0.5, "top_k": 3, "stop": ["a"], "seed": 7, "max_tokens": 9})");
  for (const char* none :
       {"{}", R"({"seed":-1})", R"({"num_predict":-1})", R"({"num_predict":-2,"num_ctx":1})", R"({"num_predict":0})",
        R"({"mirostat":0,"tfs_z":1,"mirostat_tau":5})", R"({"numa":true})"}) {
    EXPECT_EQ(translated("{\"options\":" + std::string(none) + "}"), "{}") << none;
  }
}

TEST(OllamaRequest, FormatAndThought) {
  EXPECT_EQ(translated(R"({"format":"json"})"), R"({"response_format": {"type": "json_object"}})");
  EXPECT_EQ(translated(R"({"format":{"type":"object"}})"),
            R"({"response_format": {"type": "json_schema", "json_schema": {"name": "format", "schema": )"
            R"({"type": "object"}}}})");
  EXPECT_EQ(translated(R"({"format":"","think":null})"), "{}");
  EXPECT_EQ(translated(R"({"think":false})"), R"({"chat_template_kwargs": {"enable_thinking": false}})");
  EXPECT_EQ(translated(R"({"think":"low"})"),
            R"({"chat_template_kwargs": {"enable_thinking": true, "reasoning_effort": "low"}})");
}

TEST(OllamaRequest, Messages) {
  EXPECT_EQ(translated(R"({"messages":[{"role":"user"},{"role":"assistant","content":"a","thinking":"t","images":[],
                         "tool_calls":[]},{"role":"tool","tool_name":"f","content":"r"}]})"),
            R"({"messages": [{"role": "user", "content": ""}, )"
            R"({"role": "assistant", "content": "a", "reasoning_content": "t"}, )"
            R"({"role": "tool", "name": "f", "content": "r"}]})");
  EXPECT_EQ(
      translated(R"({"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{}}}]}]})"),
      R"({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}, )"
      R"("id": "call_0"}], "content": ""}]})");
}

TEST(OllamaRequest, ALastMessageOfTheAssistantIsContinued) {
  const auto continues = [](const std::string& last) {
    return translated(R"({"messages":[{"role":"user","content":"x"},)" + last + "]}")
               .find("\"continue_final_message\": true") != std::string::npos;
  };
  EXPECT_TRUE(continues(R"({"role":"assistant","content":"so"})"));
  EXPECT_TRUE(continues(R"({"role":"assistant","content":"so","tool_calls":[]})"));
  EXPECT_FALSE(continues(R"({"role":"assistant","content":"so"},{"role":"user","content":"y"})"));
  EXPECT_FALSE(continues(R"({"role":"assistant","content":""})"));
  EXPECT_FALSE(continues(R"({"role":"assistant"})"));
  EXPECT_FALSE(continues(R"({"role":"assistant","content":"so","tool_calls":[{"function":{"name":"f"}}]})"));
}

// "f=call_0 g=? | call_0": the calls' ids, and those that the results are for.
std::string ids(const std::string& messages) {
  const std::string text = translated("{\"messages\":[" + messages + "]}");
  std::string calls, results;
  const Result<jinja::Value> body = parse_json(text);
  EXPECT_TRUE(body.ok()) << text;
  if (!body.ok()) return text;
  for (const jinja::Value& message : find_member(*body, "messages")->items()) {
    if (const jinja::Value* made = find_member(message, "tool_calls")) {
      for (const jinja::Value& call : made->items()) {
        calls +=
            find_member(*find_member(call, "function"), "name")->text() + "=" + find_member(call, "id")->text() + " ";
      }
    } else if (find_member(message, "role")->text() == "tool") {
      const jinja::Value* id = find_member(message, "tool_call_id");
      results += " " + (id == nullptr ? std::string("none") : id->text());
    }
  }
  return calls + "|" + results;
}

TEST(OllamaRequest, CallsAreNumberedAndResultsFindThem) {
  const auto call = [](const std::string& name, const std::string& more = "") {
    return R"({"function":{"name":")" + name + R"("})" + more + "}";
  };
  const auto calls = [](const std::string& made) { return R"({"role":"assistant","tool_calls":[)" + made + "]},"; };
  const auto result = [](const std::string& more) { return R"({"role":"tool","content":"r")" + more + "}"; };
  const auto of = [&](const std::string& name) { return result(R"(,"tool_name":")" + name + "\""); };
  EXPECT_EQ(ids(calls(call("f")) + result("")), "f=call_0 | call_0");
  // By name, in whatever order they come; of the same name the earliest first.
  EXPECT_EQ(ids(calls(call("f") + "," + call("g") + "," + call("f")) + of("g") + "," + of("f") + "," + of("f")),
            "f=call_0 g=call_1 f=call_2 | call_1 call_0 call_2");
  // A name that was not called, or none: the earliest.
  EXPECT_EQ(ids(calls(call("f") + "," + call("g")) + of("h") + "," + result("") + "," + result("")),
            "f=call_0 g=call_1 | call_0 call_1 none");
  // Over several turns, with ids that are there already.
  EXPECT_EQ(ids(calls(call("f")) + of("f") + "," + calls(call("f", R"(,"id":"x")") + "," + call("f")) +
                result(R"(,"tool_call_id":"x","tool_name":"f")") + "," + of("f")),
            "f=call_0 f=x f=call_1 | call_0 x call_1");
  EXPECT_EQ(ids(result("")), "| none");
}

TEST(OllamaRequest, KeepAliveIsADuration) {
  bool is_kept = false;
  const auto is_taken = [&](const std::string& value) {
    jinja::Value body;
    EXPECT_FALSE(parse_object("{\"keep_alive\":" + value + "}", body)) << value;
    RequestFields fields(body);
    is_kept = read_keep_alive(fields);
    return !fields.error();
  };
  for (const char* good : {"null", "0", "-1", "300", "1.5", R"("5m")", R"("1h30m")", R"("-1s")", R"("+1.5h")", R"("0")",
                           R"("-1")", R"("100ms")", R"("1\u00b5s")", R"(".5s")", R"("2.m")"}) {
    EXPECT_TRUE(is_taken(good)) << good;
    EXPECT_EQ(is_kept, std::string(good) != "0" && std::string(good) != "\"0\"") << good;
  }
  EXPECT_TRUE(is_taken(R"("0h0.0s")"));
  EXPECT_FALSE(is_kept);
  for (const char* bad : {"true", "[]", "{}", R"("")", R"("m")", R"("-")", R"("soon")", R"("5 m")", R"("5x")",
                          R"("1m2")", R"(".s")", R"("5mm")", R"("1h-5m")", R"("1..5s")"}) {
    EXPECT_FALSE(is_taken(bad)) << bad;
  }
}

TEST(OllamaRequest, NamesWhatIsWrong) {
  for (const auto& [body, field] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"options":[]})", "options"},
           {R"({"options":{"num_predict":1.5}})", "options.num_predict"},
           {R"({"options":{"mirostat":1}})", "options.mirostat"},
           {R"({"options":{"tfs_z":0}})", "options.tfs_z"},
           {R"({"format":1})", "format"},
           {R"({"format":"yaml"})", "format"},
           {R"({"think":1})", "think"},
           {R"({"messages":{}})", "messages"},
           {R"({"messages":[1]})", "messages[0]"},
           {R"({"messages":[{"role":"user","images":["x"]}]})", "messages[0].images"},
           {R"({"messages":[{"role":"user","images":"x"}]})", "messages[0].images"}}) {
    EXPECT_EQ(translated(body), std::string("error: ") + field) << body;
  }
}

}  // namespace
}  // namespace ingle
