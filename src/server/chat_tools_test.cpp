#include "server/chat_tools.h"

#include <gtest/gtest.h>

#include "text/json_value.h"

namespace ingle {
namespace {

// The tools as templates get them and the choice, or "error: " and the field.
std::string read(const std::string& members) {
  jinja::Value body;
  const std::optional<ApiError> error = parse_object("{" + members + "}", body);
  EXPECT_FALSE(error) << members;
  if (error) return error->message;
  RequestFields fields(body);
  ChatTools tools;
  read_tools(fields, tools);
  if (fields.error()) return "error: " + fields.error()->param;
  return jinja::to_json_text(tools.tools, {}) + " " + std::to_string(static_cast<int>(tools.choice)) + " " +
         std::to_string(tools.callable.size()) + (tools.parallel ? "" : " one");
}

std::string tool(const std::string& function) { return R"({"type":"function","function":)" + function + "}"; }
std::string tools(const std::string& function) { return "\"tools\":[" + tool(function) + "]"; }

TEST(ChatTools, AreReadAsTheTemplateGetsThem) {
  EXPECT_EQ(read(""), "null 0 0");
  EXPECT_EQ(read(R"("tools":null,"tool_choice":null)"), "null 0 0");
  EXPECT_EQ(read(R"("tools":[],"tool_choice":"auto")"), "null 0 0");
  const std::string given = R"({"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true})";
  const std::string list = R"([{"type": "function", "function": )" + given + "}]";
  EXPECT_EQ(read("\"tools\":" + list), list + " 0 1");
  EXPECT_EQ(read("\"tools\":" + list + R"(,"parallel_tool_calls":false)"), list + " 0 1 one");
  EXPECT_EQ(read("\"tools\":" + list + R"(,"tool_choice":"none")"), "null 1 0");
  EXPECT_EQ(read("\"tools\":" + list + R"(,"tool_choice":"required")"), list + " 2 1");
  EXPECT_EQ(read("\"tools\":" + list + R"(,"tool_choice":{"type":"function","function":{"name":"f"}})"), list + " 3 1");
  EXPECT_NE(read(tools(R"({"name":"f"})")).find(R"("parameters": {"type": "object", "properties": {}})"),
            std::string::npos);
}

TEST(ChatTools, NameWhatIsWrong) {
  EXPECT_EQ(read(R"("tools":{})"), "error: tools");
  EXPECT_EQ(read(R"("tools":[1])"), "error: tools[0]");
  EXPECT_EQ(read(R"("tools":[{"function":{"name":"f"}}])"), "error: tools[0].type");
  EXPECT_EQ(read(R"("tools":[{"type":"web_search"}])"), "error: tools[0].type");
  EXPECT_EQ(read(R"("tools":[{"type":"function"}])"), "error: tools[0].function");
  for (const std::string& name : {std::string(R"({})"), std::string(R"({"name":3})"), std::string(R"({"name":""})"),
                                  std::string(R"({"name":"a b"})"), std::string(R"({"name":"a\"b"})"),
                                  "{\"name\":\"" + std::string(129, 'a') + "\"}"}) {
    EXPECT_EQ(read(tools(name)), "error: tools[0].function.name") << name;
  }
  EXPECT_EQ(read(tools(R"({"name":"f","description":1})")), "error: tools[0].function.description");
  for (const char* schema : {"[]", "true", R"({"type":"string"})", R"({"type":["object"]})", R"({"properties":[]})"}) {
    EXPECT_EQ(read(tools(std::string(R"({"name":"f","parameters":)") + schema + "}")),
              "error: tools[0].function.parameters");
  }
  EXPECT_EQ(read(tools(R"({"name":"f","strict":1})")), "error: tools[0].function.strict");
  const std::string f = tool(R"({"name":"f"})");
  EXPECT_EQ(read("\"tools\":[" + f + "," + f + "]"), "error: tools");
  std::string many;
  for (size_t i = 0; i <= kMaxTools; i++)
    many += (i > 0 ? "," : "") + tool("{\"name\":\"f" + std::to_string(i) + "\"}");
  EXPECT_EQ(read("\"tools\":[" + many + "]"), "error: tools");
  for (const char* choice :
       {"1", R"("any")", R"({"type":"function"})", R"({"type":"function","function":{}})",
        R"({"type":"function","function":{"name":"g"}})", R"({"type":"custom","function":{"name":"f"}})"}) {
    EXPECT_EQ(read(tools(R"({"name":"f"})") + ",\"tool_choice\":" + choice), "error: tool_choice") << choice;
  }
  EXPECT_EQ(read(R"("tool_choice":"required")"), "error: tool_choice");
  EXPECT_EQ(read(R"("parallel_tool_calls":1)"), "error: parallel_tool_calls");
}

std::string allowed(const std::string& mode, const std::string& list) {
  return R"(,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":)" + mode + ",\"tools\":[" + list + "]}}";
}

TEST(ChatTools, SomeMayBeAllowedAlone) {
  const std::string list = R"([{"type": "function", "function": {"name": "f", "parameters": {}}}, )"
                           R"({"type": "function", "function": {"name": "g", "parameters": {}, "strict": true}}])";
  const std::string both = "\"tools\":" + list, f = tool(R"({"name":"f"})"), g = tool(R"({"name":"g"})");
  // The template gets all of them.
  EXPECT_EQ(read(both + allowed(R"("auto")", f)), list + " 0 1");
  EXPECT_EQ(read(both + allowed(R"("required")", g)), list + " 2 1");
  EXPECT_EQ(read(both + allowed(R"("required")", f + "," + g + "," + f)), list + " 2 2");
  EXPECT_EQ(read(both + allowed(R"("auto")", "")), list + " 0 0");
  EXPECT_EQ(read(both + allowed(R"("required")", "")), "error: tool_choice");
  for (const std::string& wrong :
       {allowed(R"("none")", f), allowed("null", f), allowed(R"("auto")", tool(R"({"name":"h"})")),
        allowed(R"("auto")", "1"), allowed(R"("auto")", R"({"type":"function","name":"f"})"),
        allowed(R"("auto")", R"({"type":"mcp"})"), std::string(R"(,"tool_choice":{"type":"allowed_tools"})"),
        std::string(R"(,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":{}}})")}) {
    EXPECT_EQ(read(both + wrong), "error: tool_choice") << wrong;
  }
  EXPECT_EQ(read("\"n\":1" + allowed(R"("auto")", f)), "error: tool_choice");
}

TEST(ChatTools, WhatIsNotAllowedIsNotStrictEither) {
  jinja::Value body;
  const std::string f = tool(R"({"name":"f","strict":true})"), g = tool(R"({"name":"g"})");
  ASSERT_FALSE(parse_object(R"({"tools":[)" + f + "," + g + "]" + allowed(R"("auto")", g) + "}", body));
  RequestFields fields(body);
  ChatTools out;
  read_tools(fields, out);
  ASSERT_FALSE(fields.error());
  EXPECT_FALSE(out.any_strict());
  EXPECT_FALSE(out.may_call("f"));
  EXPECT_TRUE(out.may_call("g"));
}

TEST(ChatTools, KnowsWhichParametersAreStrings) {
  jinja::Value body;
  ASSERT_FALSE(parse_object("{" + tools(R"({"name":"f","parameters":{"properties":{
    "a":{"type":"string"},"b":{"type":["string"]},"c":3,"d":{"type":["string","null"]},"e":{"type":["string","integer"]},
    "f":{"anyOf":[{"type":"string"},{"type":"null"}]},"g":{"enum":["1","2"]},"h":{"enum":["1",2]},"i":{"const":"3"},
    "j":{"$ref":"#/$defs/kind"},"k":{"allOf":[{"$ref":"#/$defs/kind"}]},"l":{"$ref":"#/$defs/itself"},"m":{},
    "n":{"type":"null"},"o":{"$ref":"#/$defs/nothing"}},
    "$defs":{"kind":{"type":"string","enum":["1"]},"itself":{"$ref":"#/$defs/itself"}}}})") +
                                "}",
                            body));
  RequestFields fields(body);
  ChatTools out;
  read_tools(fields, out);
  ASSERT_FALSE(fields.error());
  EXPECT_EQ(out.callable[0].text_parameters, (std::vector<std::string>{"a", "b", "g", "i", "j", "k"}));
  EXPECT_EQ(out.callable[0].text_or_null_parameters, (std::vector<std::string>{"d", "f"}));
}

}  // namespace
}  // namespace ingle
