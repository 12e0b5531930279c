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
      R"({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}], )"
      R"("content": ""}]})");
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
