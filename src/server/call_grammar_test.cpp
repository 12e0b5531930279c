#include "server/call_grammar.h"

#include <gtest/gtest.h>

#include "grammar/grammar_world_test.h"
#include "text/answer_parser.h"
#include "text/json_value.h"

namespace ingle {
namespace {

constexpr const char* kTools =
    R"({"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"n":{"enum":[1,2]}},)"
    R"("required":["n"]}}},{"type":"function","function":{"name":"g"}}])";

ChatTools tools(const std::string& more) {
  jinja::Value body;
  EXPECT_FALSE(parse_object(kTools + more + "}", body));
  RequestFields fields(body);
  ChatTools out;
  read_tools(fields, out);
  EXPECT_FALSE(fields.error());
  return out;
}

class CallGrammarTest : public ::testing::Test {
 protected:
  bool accepts(const ChatTools& given, const std::string& text, bool in_reasoning = false) {
    const Result<std::string> grammar = call_grammar(given, syntax, *world.tokenizer, in_reasoning);
    EXPECT_TRUE(grammar.ok()) << grammar.error().to_string();
    if (!grammar.ok()) return false;
    const Grammars::Compiled compiled = world.grammars->compile(*grammar);
    EXPECT_TRUE(compiled.ok()) << *grammar << "\n" << GrammarWorld::error(compiled);
    return compiled.ok() && world.accepts(**compiled, text);
  }
  // The calls that the parser finds in a text that the grammar lets through.
  std::string calls(const ChatTools& given, const std::string& text, bool in_reasoning = false) {
    EXPECT_TRUE(accepts(given, text, in_reasoning)) << text;
    auto options = std::make_shared<AnswerParserOptions>();
    options->syntax = syntax;
    options->tools = given.callable;
    options->in_reasoning = in_reasoning;
    options->stream_arguments = true;
    AnswerParser parser(options);
    ParsedAnswer answer;
    for (const AnswerDelta& delta : parser.push(text)) answer.add(delta);
    for (const AnswerDelta& delta : parser.finish()) answer.add(delta);
    std::string out = answer.content;
    for (const ParsedAnswer::Call& call : answer.calls) out += call.name + call.arguments;
    return out;
  }

  GrammarWorld world;
  AnswerSyntax syntax;
  const ChatTools any = tools(R"(,"tool_choice":"required")");
  const ChatTools one = tools(R"(,"tool_choice":"required","parallel_tool_calls":false)");
  const ChatTools named = tools(R"(,"tool_choice":{"type":"function","function":{"name":"f"}})");
};

TEST_F(CallGrammarTest, EachFormatIsTheParsers) {
  syntax.calls = CallFormat::kHermes;
  const std::string f = "{\"name\": \"f\", \"arguments\": {\"n\": 1}}", g = "{\"name\": \"g\", \"arguments\": {}}";
  const std::string block = "<tool_call>\n" + f + "\n</tool_call>";
  EXPECT_EQ(calls(any, block), "f{\"n\": 1}");
  EXPECT_EQ(calls(any, block + "\n<tool_call>\n" + g + "\n</tool_call>"), "f{\"n\": 1}g{}");
  EXPECT_FALSE(accepts(one, block + "\n" + block));
  syntax.calls = CallFormat::kQwenXml;
  EXPECT_EQ(calls(named, block), "f{\"n\": 1}");
  syntax.calls = CallFormat::kJson;
  EXPECT_EQ(calls(any, g + "\n" + f), "g{}f{\"n\": 1}");
  syntax.calls = CallFormat::kLlama;
  EXPECT_EQ(calls(any, "{\"name\": \"f\", \"parameters\": {\"n\": 2}}; {\"name\": \"g\", \"parameters\": {}}"),
            "f{\"n\": 2}g{}");
  syntax.calls = CallFormat::kMistral;
  EXPECT_EQ(calls(any, "[TOOL_CALLS][" + f + ", " + g + "]"), "f{\"n\": 1}g{}");
  EXPECT_EQ(calls(one, "[TOOL_CALLS][" + g + "]"), "g{}");
  syntax.mistral_names = true;
  EXPECT_EQ(calls(any, "[TOOL_CALLS]f[ARGS]{\"n\": 2}[TOOL_CALLS]g[ARGS]{}"), "f{\"n\": 2}g{}");
}

TEST_F(CallGrammarTest, NothingElseIsLetThrough) {
  EXPECT_TRUE(accepts(named, "{\"name\": \"f\", \"arguments\": {\"n\": 1}}"));
  EXPECT_FALSE(accepts(named, "{\"name\": \"g\", \"arguments\": {}}"));
  for (const ChatTools& given : {any, one, named}) {
    for (const char* text :
         {"", "hello", "{\"name\": \"f\", \"arguments\": {\"n\": 3}}", "{\"name\": \"f\", \"arguments\": {}}",
          "{\"name\": \"h\", \"arguments\": {}}", "{\"name\": \"f\", \"arguments\": {\"n\": 1}} x"}) {
      EXPECT_FALSE(accepts(given, text)) << text;
    }
  }
}

TEST_F(CallGrammarTest, ReasoningComesFirst) {
  const std::string call = "{\"name\": \"g\", \"arguments\": {}}";
  syntax.reasoning_open = "<think>";
  syntax.reasoning_close = "</think>";
  EXPECT_EQ(calls(any, call), "g{}");
  EXPECT_EQ(calls(any, "<think>1 < 2, <b>\n</think>\n\n" + call), "g{}");
  EXPECT_EQ(calls(any, "hm\n</think>\n" + call, true), "g{}");
  EXPECT_FALSE(accepts(any, call, true));
  EXPECT_FALSE(accepts(any, "hm" + call));
  syntax.reasoning_open = "[THINK]";
  syntax.reasoning_close = "[/THINK]";
  EXPECT_EQ(calls(any, "[THINK]a[0]\\[/THINK]" + call), "g{}");
  // Where marks are control tokens, no text is them.
  syntax.reasoning_open = "<call>";
  EXPECT_FALSE(accepts(any, "<call>a[/THINK]" + call));
}

TEST_F(CallGrammarTest, ASchemaThatCannotBeHonouredIsAnError) {
  jinja::Value body;
  ASSERT_FALSE(parse_object(
      R"({"tools":[{"type":"function","function":{"name":"f","parameters":{"not":{}}}}],"tool_choice":"required"})",
      body));
  RequestFields fields(body);
  ChatTools given;
  read_tools(fields, given);
  const Result<std::string> grammar = call_grammar(given, syntax, *world.tokenizer, false);
  ASSERT_FALSE(grammar.ok());
  EXPECT_NE(grammar.error().message.find("the parameters of f"), std::string::npos);
  EXPECT_TRUE(wanted_calls(given, syntax, *world.tokenizer, false));
  EXPECT_FALSE(wanted_calls(tools(""), syntax, *world.tokenizer, false));
}

}  // namespace
}  // namespace ingle
