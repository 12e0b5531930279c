#include "text/template_tools.h"

#include <gtest/gtest.h>

#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Value;

Value json(const std::string& text) {
  Result<Value> parsed = parse_json(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return parsed.ok() ? *parsed : Value::none();
}

constexpr const char* kTool =
    R"([{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}])";
constexpr const char* kCall =
    R"([{"role":"user","content":"x"},{"role":"assistant","content":"Hm","tool_calls":[{"id":"call_1","type":"function",)"
    R"("function":{"name":"f","arguments":{"a":"b"}}}]},{"role":"tool","tool_call_id":"call_1","content":"4"},)"
    R"({"role":"user","content":"and?"}])";

// What a template makes of messages and tools once they are prepared for it.
std::string rendered(const std::string& source, const std::string& messages, const std::string& tools = "null") {
  const Result<ChatTemplate> chat_template = ChatTemplate::parse(source);
  EXPECT_TRUE(chat_template.ok()) << source;
  const TemplateTools prepared = TemplateTools::probe(*chat_template, {});
  ChatInput input;
  input.messages = json(messages);
  input.tools = json(tools);
  const Status status = prepared.prepare(input);
  EXPECT_TRUE(status.ok());
  const Result<std::string> text = chat_template->render(input);
  return text.ok() ? *text : text.error().message;
}

const std::string kPlain = "{% for m in messages %}[{{ m.role }}: {{ m.content }}]{% endfor %}";
const std::string kTools =
    "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}[{{ m.role }}: {{ m.content }}"
    "{% for c in m.tool_calls %}({{ c.id }} {{ c.function.name }} ARGUMENTS){% endfor %}{{ m.tool_call_id }}]{% endfor "
    "%}";

std::string with_arguments(const std::string& expression) {
  std::string out = kTools;
  return out.replace(out.find("ARGUMENTS"), 9, expression);
}

TEST(TemplateTools, ArgumentsAreWhatTheTemplateTakes) {
  const std::string said = R"([user: x][assistant: Hm(call_1 f {"a": "b"})][tool: 4call_1][user: and?])";
  EXPECT_EQ(rendered(with_arguments("{{ c.function.arguments | tojson }}"), kCall), said);
  EXPECT_EQ(rendered(with_arguments("{{ c.function.arguments }}"), kCall), said);
  EXPECT_EQ(rendered(with_arguments("{{ '' + c.function.arguments }}"), kCall), said);
  EXPECT_EQ(
      rendered(with_arguments(
                   "{{ c.function.arguments if c.function.arguments is string else c.function.arguments | tojson }}"),
               kCall),
      said);
}

TEST(TemplateTools, IdsOfNineCharactersWhereTheTemplateInsists) {
  const std::string strict = with_arguments(
      "{% if c.id | length != 9 %}{{ raise_exception('id') }}{% endif %}{{ c.function.arguments | tojson }}");
  const std::string text = rendered(strict, kCall);
  const size_t at = text.find("Hm(") + 3;
  ASSERT_GT(text.size(), at + 9);
  EXPECT_EQ(text[at + 9], ' ') << text;
  EXPECT_NE(text.find("[tool: 4" + text.substr(at, 9) + "]"), std::string::npos) << text;
  std::string nine = kCall;
  for (size_t i = nine.find("call_1"); i != std::string::npos; i = nine.find("call_1")) nine.replace(i, 6, "Abc123xyz");
  EXPECT_NE(rendered(strict, nine).find("(Abc123xyz f"), std::string::npos);
}

TEST(TemplateTools, ATemplateWithoutToolsGetsThemInWords) {
  const std::string text = rendered(kPlain, kCall, kTool);
  EXPECT_TRUE(text.starts_with("[system: ")) << text;
  EXPECT_NE(text.find(R"({"name": "f", "parameters": {"type": "object", "properties": {}}})"), std::string::npos)
      << text;
  EXPECT_NE(text.find("][user: x][assistant: Hm\n{\"name\": \"f\", \"arguments\": {\"a\": \"b\"}}][user: The function "
                      "returned:\n4\n\nand?]"),
            std::string::npos)
      << text;
  EXPECT_TRUE(rendered(kPlain, R"([{"role":"system","content":"Be kind."},{"role":"user","content":"x"}])", kTool)
                  .starts_with("[system: Be kind.\n\nYou can call"));
  const std::string no_system =
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}[{{ m.role }}: {{ "
      "m.content }}]{% endfor %}";
  const std::string user = rendered(no_system, R"([{"role":"user","content":"x"}])", kTool);
  EXPECT_TRUE(user.starts_with("[user: You can call")) << user;
  EXPECT_TRUE(user.ends_with("\n\nx]")) << user;
  // Calls of earlier turns, but no tools any more.
  EXPECT_TRUE(rendered(kPlain, kCall).starts_with("[user: x][assistant: Hm\n{"));
}

TEST(TemplateTools, WithoutToolsNothingChanges) {
  const std::string messages = R"([{"role":"user","content":"a"},{"role":"user","content":"b"}])";
  EXPECT_EQ(rendered(kPlain, messages), "[user: a][user: b]");
  EXPECT_EQ(rendered(kPlain, messages, "[]"), "[user: a][user: b]");
  EXPECT_EQ(rendered(with_arguments(""), messages, "[]"), "[user: a][user: b]");
  EXPECT_TRUE(rendered(with_arguments(""), messages, kTool).starts_with(R"([{"type": "function")"));
}

}  // namespace
}  // namespace ingle
