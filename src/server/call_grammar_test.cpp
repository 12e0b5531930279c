#include "server/call_grammar.h"

#include <gtest/gtest.h>

#include "grammar/grammar_world_test.h"
#include "grammar/json_schema.h"
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

TEST_F(CallGrammarTest, OnlyAllowedFunctionsAreCalled) {
  const std::string f = R"({"name": "f", "arguments": {"n": 1}})", g = R"({"name": "g", "arguments": {}})";
  const ChatTools allowed = tools(R"(,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required",)"
                                  R"("tools":[{"type":"function","function":{"name":"g"}}]}})");
  EXPECT_EQ(calls(allowed, g), "g{}");
  EXPECT_EQ(calls(allowed, g + "\n" + g), "g{}g{}");
  EXPECT_FALSE(accepts(allowed, f));
  EXPECT_FALSE(accepts(allowed, g + "\n" + f));
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
  AnswerParserOptions reading;
  EXPECT_TRUE(wanted_calls(given, *world.tokenizer, reading));
  EXPECT_FALSE(wanted_calls(tools(""), *world.tokenizer, reading));
}

// Of requests that leave it to the model whether it calls.
class StrictToolsTest : public CallGrammarTest {
 protected:
  // f is strict, g is not.
  static ChatTools strict_tools(const std::string& more = "", Strictness otherwise = Strictness::kNo,
                                const std::string& parameters = kParameters) {
    jinja::Value body;
    EXPECT_FALSE(parse_object(R"({"tools":[{"type":"function","function":{"name":"f",)" +
                                  std::string(otherwise == Strictness::kNo ? R"("strict":true,)" : "") +
                                  R"("parameters":)" + parameters +
                                  R"(}},{"type":"function","function":{"name":"g","strict":false}}])" + more + "}",
                              body));
    RequestFields fields(body);
    ChatTools out;
    out.strict_by_default = otherwise;
    read_tools(fields, out);
    EXPECT_FALSE(fields.error());
    return out;
  }
  // The grammar of the answer, and how it is read.
  struct Held {
    Grammars::Compiled grammar;
    std::shared_ptr<AnswerParserOptions> reading;
  };
  Held hold(const ChatTools& given, bool in_reasoning = false) {
    auto reading = std::make_shared<AnswerParserOptions>();
    reading->syntax = syntax;
    reading->tools = given.callable;
    reading->in_reasoning = in_reasoning;
    reading->one_call = !given.parallel;
    const std::optional<WantedOutput> wanted = wanted_calls(given, *world.tokenizer, *reading);
    EXPECT_TRUE(wanted);
    Held out = {wanted->compile(*world.grammars), reading};
    EXPECT_TRUE(out.grammar.ok()) << GrammarWorld::error(out.grammar);
    return out;
  }
  static std::string read(const Held& held, const std::string& text) {
    AnswerParser parser(held.reading);
    ParsedAnswer answer;
    for (const char byte : text) {
      for (const AnswerDelta& delta : parser.push({&byte, 1})) answer.add(delta);
    }
    for (const AnswerDelta& delta : parser.finish()) answer.add(delta);
    std::string out = answer.content;
    for (const ParsedAnswer::Call& call : answer.calls) out += "|" + call.name + call.arguments;
    return out;
  }
  bool lets(const Held& held, const std::string& text) { return world.accepts(**held.grammar, text); }

  static constexpr const char* kParameters =
      R"({"type":"object","properties":{"n":{"enum":[1,2]}},"required":["n"],"additionalProperties":false})";
  const std::string good = R"({"name": "f", "arguments": {"n": 1}})", bad = R"({"name": "f", "arguments": {"n": 3}})";
  const std::string free = R"({"name": "g", "arguments": {"n": [3]}})";
};

TEST_F(StrictToolsTest, ArgumentsThatAreHeldComeAsTheyAreWritten) {
  const auto begun = [](const std::shared_ptr<AnswerParserOptions>& reading, const std::string& text) {
    return !AnswerParser(reading).push(text).empty();
  };
  const std::string call = R"({"name": "f", "arguments": {"n": )";
  for (const auto& [format, mark] :
       {std::pair{CallFormat::kHermes, "<tool_call>\n"}, std::pair{CallFormat::kMistral, "[TOOL_CALLS]["}}) {
    syntax.calls = format;
    const Held held = hold(strict_tools());
    EXPECT_TRUE(begun(held.reading, mark + call));
    held.reading->holds_marked = nullptr;
    EXPECT_FALSE(begun(held.reading, mark + call));
  }
  syntax.calls = CallFormat::kJson;
  EXPECT_FALSE(begun(hold(strict_tools()).reading, call));
}

TEST_F(StrictToolsTest, TextIsFreeAndCallsAreHeld) {
  for (const CallFormat format : {CallFormat::kHermes, CallFormat::kQwenXml}) {
    syntax.calls = format;
    const Held held = hold(strict_tools());
    const auto block = [](const std::string& call) { return "<tool_call>\n" + call + "\n</tool_call>"; };
    for (const std::string text :
         {"", "Hello {\"n\": 3} < <tool <<tool_cal 日本\n", "</tool_call>", "{\"name\": \"f\"}"}) {
      EXPECT_TRUE(lets(held, text)) << text;
      EXPECT_EQ(read(held, text), text);
    }
    EXPECT_TRUE(lets(held, "Well: " + block(good) + " and <b> " + block(free) + block(good) + "so"));
    EXPECT_EQ(read(held, "Well: " + block(good) + block(free)), "Well:|f{\"n\": 1}|g{\"n\": [3]}");
    for (const std::string& text : {block(bad), "a<" + block(bad), block(good) + block(bad), std::string("<tool_call>"),
                                    std::string("<tool_call>x"), block("{\"name\": \"h\", \"arguments\": {}}")}) {
      EXPECT_FALSE(lets(held, text)) << text;
    }
    const Held single = hold(strict_tools(R"(,"parallel_tool_calls":false)"));
    EXPECT_TRUE(lets(single, "a" + block(good)));
    EXPECT_FALSE(lets(single, block(good) + "b"));
  }
}

TEST_F(StrictToolsTest, NothingFollowsCallsThatHaveNoEnd) {
  syntax.calls = CallFormat::kMistral;
  Held held = hold(strict_tools());
  EXPECT_TRUE(lets(held, "a [TOOL_CALL"));
  EXPECT_TRUE(lets(held, "a [TOOL_CALLS][" + good + ", " + free + "]"));
  EXPECT_EQ(read(held, "a [TOOL_CALLS][" + good + ", " + free + "]"), "a|f{\"n\": 1}|g{\"n\": [3]}");
  for (const std::string& text : {"[TOOL_CALLS][" + bad + "]", "[TOOL_CALLS][" + good + "] " + bad,
                                  "[TOOL_CALLS][" + good + "][TOOL_CALLS][" + bad + "]"}) {
    EXPECT_FALSE(lets(held, text)) << text;
  }
  syntax.mistral_names = true;
  held = hold(strict_tools());
  EXPECT_TRUE(lets(held, "a [TOOL_CALLS]f[ARGS]{\"n\": 2}[TOOL_CALLS]g[ARGS]{\"n\": 3}"));
  EXPECT_FALSE(lets(held, "[TOOL_CALLS]f[ARGS]{\"n\": 3}"));
  EXPECT_FALSE(lets(held, "[TOOL_CALLS]g[ARGS]{}[TOOL_CALLS]f[ARGS]{\"n\": 3}"));
  syntax.calls = CallFormat::kLlama;
  held = hold(strict_tools());
  EXPECT_TRUE(lets(held, "<|python_tag|>{\"name\": \"f\", \"parameters\": {\"n\": 2}}"));
  EXPECT_FALSE(lets(held, "<|python_tag|>{\"name\": \"f\", \"parameters\": {\"n\": 3}}"));
}

TEST_F(StrictToolsTest, CallsWithoutTheirMarkAreCheckedWhenTheyAreWhole) {
  const auto fence = [](const std::string& text) { return "So:\n```json\n" + text + "\n```"; };
  for (const CallFormat format :
       {CallFormat::kJson, CallFormat::kLlama, CallFormat::kHermes, CallFormat::kQwenXml, CallFormat::kMistral}) {
    for (const bool in_reasoning : {false, true}) {
      syntax.calls = format;
      syntax.reasoning_open = in_reasoning ? "<think>" : "";
      syntax.reasoning_close = in_reasoning ? "</think>" : "";
      const Held held = hold(strict_tools(), in_reasoning);
      EXPECT_EQ(*held.grammar == nullptr, format == CallFormat::kJson);
      const std::string before = in_reasoning ? "</think>" : "";
      EXPECT_EQ(read(held, before + good), "|f{\"n\": 1}");
      EXPECT_EQ(read(held, before + "{\n  \"name\": \"f\", \"arguments\": {\n  \"n\":\t1\n}}"), "|f{\n  \"n\":\t1\n}");
      EXPECT_EQ(read(held, before + bad), bad);
      EXPECT_EQ(read(held, before + free), "|g{\"n\": [3]}");
      EXPECT_EQ(read(held, before + fence(good)), "So:|f{\"n\": 1}");
      EXPECT_EQ(read(held, before + fence(bad)), fence(bad));
    }
  }
}

// As agents ask whose last answer has a form: calls as long as there is something to call, and then that.
TEST_F(StrictToolsTest, BesideAFormTheAnswerIsOneOrTheOther) {
  WantedOutput form = {.field = "response_format", .compile = {}};
  form.write = [](GrammarText& text) {
    return json_schema_grammar(text, *parse_json(R"({"type":"object","properties":{"s":{"type":"string"}}})"));
  };
  const std::string instance = R"({"s": "<tool_call>\n{\"name\": \"f\"}"})", other = R"({"t": 1})";
  for (const CallFormat format : {CallFormat::kHermes, CallFormat::kJson, CallFormat::kLlama, CallFormat::kMistral}) {
    for (const bool in_reasoning : {false, true}) {
      syntax.calls = format;
      syntax.reasoning_open = in_reasoning ? "<think>" : "";
      syntax.reasoning_close = in_reasoning ? "</think>" : "";
      auto reading = std::make_shared<AnswerParserOptions>();
      reading->syntax = syntax;
      const ChatTools given = strict_tools();
      reading->tools = given.callable;
      reading->in_reasoning = in_reasoning;
      const auto wanted = wanted_calls(given, *world.tokenizer, *reading, form);
      ASSERT_TRUE(wanted);
      const Held held = {wanted->compile(*world.grammars), reading};
      ASSERT_TRUE(held.grammar.ok()) << GrammarWorld::error(held.grammar);
      const std::string before = in_reasoning ? "</think>" : "";
      const auto call = [&](std::string object) {
        if (format == CallFormat::kLlama) object.replace(object.find("arguments"), 9, "parameters");
        if (format == CallFormat::kHermes) return before + "<tool_call>\n" + object + "\n</tool_call>";
        return before + (format == CallFormat::kMistral ? "[TOOL_CALLS][" + object + "]" : object);
      };
      EXPECT_TRUE(lets(held, before + instance));
      EXPECT_EQ(read(held, before + instance), instance);
      EXPECT_TRUE(lets(held, call(good)));
      EXPECT_EQ(read(held, call(good)), "|f{\"n\": 1}");
      for (const std::string& text : {call(bad), before + other, before + "x", call(good) + instance}) {
        EXPECT_FALSE(lets(held, text)) << text;
      }
      if (format != CallFormat::kHermes) continue;
      EXPECT_TRUE(lets(held, call(good) + "\n" + call(free).substr(before.size())));
      EXPECT_EQ(read(held, call(good) + "\n" + call(free).substr(before.size())), "|f{\"n\": 1}|g{\"n\": [3]}");
    }
  }
}

TEST_F(StrictToolsTest, ACallWithoutTheMarkMayHaveItsPropertiesInAnyOrder) {
  const std::string parameters =
      R"({"type":"object","additionalProperties":false,"required":["city","at"],"properties":{"city":{"type":"string"},)"
      R"("at":{"type":"object","additionalProperties":false,"required":["day","hour"],"properties":)"
      R"({"day":{"type":"integer"},"hour":{"type":"integer"}}}}})";
  const auto call = [](const std::string& arguments) { return R"({"name": "f", "parameters": )" + arguments + "}"; };
  const std::string fits = R"({"at": {"hour": 1, "day": 2}, "city": "Oslo"})",
                    lacks = R"({"at": {"hour": 1}, "city": "Oslo"})";
  syntax.calls = CallFormat::kLlama;
  const Held held = hold(strict_tools("", Strictness::kNo, parameters));
  EXPECT_EQ(read(held, call(fits)), "|f" + fits);
  EXPECT_EQ(read(held, call(lacks)), call(lacks));
  // Nobody has asked for more than what may be had.
  EXPECT_EQ(read(hold(strict_tools("", Strictness::kIfPossible, parameters)), call(lacks)), "|f" + lacks);
}

TEST_F(StrictToolsTest, AFormComesBehindTheReasoningThatThePromptHasBegun) {
  WantedOutput form = {.field = "guided_choice", .compile = {}};
  form.write = [](GrammarText&) { return choice_grammar(std::vector<std::string>{"yes", "no"}); };
  AnswerParserOptions reading;
  reading.syntax = syntax;
  EXPECT_FALSE(wanted_calls(ChatTools(), *world.tokenizer, reading, form));
  reading.syntax.reasoning_open = "<think>";
  reading.syntax.reasoning_close = "</think>";
  EXPECT_FALSE(wanted_calls(ChatTools(), *world.tokenizer, reading, form));
  reading.in_reasoning = true;
  const auto wanted = wanted_calls(ChatTools(), *world.tokenizer, reading, form);
  ASSERT_TRUE(wanted);
  const Held held = {wanted->compile(*world.grammars), std::make_shared<AnswerParserOptions>(reading)};
  ASSERT_TRUE(held.grammar.ok()) << GrammarWorld::error(held.grammar);
  EXPECT_TRUE(lets(held, "no</thin> hm\n</think>\n\nyes"));
  EXPECT_EQ(read(held, "no</thin> hm\n</think>\n\nyes"), "yes");
  for (const char* text : {"yes", "a</think>", "a</think>maybe", "a</think>b</think>yes"})
    EXPECT_FALSE(lets(held, text));
  // What can't be a part of the grammar is all of the answer.
  form.write = nullptr;
  EXPECT_FALSE(wanted_calls(strict_tools(), *world.tokenizer, reading, form));
  EXPECT_FALSE(reading.in_reasoning);
  EXPECT_TRUE(reading.tools.empty());
}

TEST_F(StrictToolsTest, MarksThatAreControlTokensAreNoText) {
  const GrammarWorld other({}, {"[TOOL_CALLS]", "[ARGS]", "<think>", "</think>"});
  const auto id = [&](const char* text) { return other.tokenizer->find_token(text); };
  syntax.calls = CallFormat::kMistral;
  syntax.mistral_names = true;
  syntax.reasoning_open = "<think>";
  syntax.reasoning_close = "</think>";
  AnswerParserOptions reading;
  reading.syntax = syntax;
  const std::optional<WantedOutput> wanted = wanted_calls(strict_tools(), *other.tokenizer, reading);
  const Grammars::Compiled grammar = wanted->compile(*other.grammars);
  ASSERT_TRUE(grammar.ok()) << GrammarWorld::error(grammar);
  EXPECT_TRUE(other.accepts(**grammar, "text"));
  EXPECT_FALSE(other.accepts(**grammar, "[TOOL_CALLS]f[ARGS]{\"n\": 3}"));  // the reader would take it for a call
  const auto answer = [&](std::vector<Grammar::Piece> pieces) { return (*grammar)->has(pieces); };
  const Grammar::Piece call = {.text = {}, .token = id("[TOOL_CALLS]")}, args = {.text = {}, .token = id("[ARGS]")};
  const Grammar::Piece open = {.text = {}, .token = id("<think>")}, close = {.text = {}, .token = id("</think>")};
  EXPECT_TRUE(answer({{.text = "a"}, call, {.text = "f"}, args, {.text = "{\"n\": 2}"}}));
  EXPECT_FALSE(answer({{.text = "a"}, call, {.text = "f"}, args, {.text = "{\"n\": 3}"}}));
  EXPECT_FALSE(answer({{.text = "a"}, call, {.text = "f[ARGS]{\"n\": 2}"}}));
  EXPECT_TRUE(answer(
      {open, {.text = "</b> [TOOL_CALLS]"}, close, {.text = "b"}, call, {.text = "f"}, args, {.text = "{\"n\": 1}"}}));
  EXPECT_FALSE(answer({{.text = "a"}, open, {.text = "b"}, close}));
  EXPECT_FALSE(answer({open, {.text = "a"}, close, call, {.text = "f"}, args, {.text = "{\"n\": 3}"}}));
  const std::unique_ptr<Constraint> token_by_token = (*grammar)->clone();
  EXPECT_TRUE(other.step(*token_by_token, id("[TOOL_CALLS]")));
  EXPECT_FALSE(other.step(*token_by_token, GrammarWorld::kFirstByte + 'x'));
  EXPECT_TRUE(other.step(*token_by_token, GrammarWorld::kFirstByte + 'f'));
}

TEST_F(StrictToolsTest, SchemasThatCannotBeHonouredAreErrorsWhereStrictnessIsAskedFor) {
  const std::string cannot = R"({"type":"object","properties":{"n":{"not":{}}}})";
  AnswerParserOptions reading;
  reading.syntax = syntax;
  EXPECT_FALSE(wanted_calls(strict_tools("", Strictness::kNo, cannot), *world.tokenizer, reading)
                   ->compile(*world.grammars)
                   .ok());
  syntax.calls = CallFormat::kHermes;
  const Held held = hold(strict_tools("", Strictness::kIfPossible, cannot));
  EXPECT_TRUE(lets(held, "<tool_call>\n" + bad + "\n</tool_call>"));
  EXPECT_FALSE(lets(held, "<tool_call>\n[]\n</tool_call>"));
  EXPECT_FALSE(lets(hold(strict_tools("", Strictness::kIfPossible)), "<tool_call>\n" + bad + "\n</tool_call>"));
}

}  // namespace
}  // namespace ingle
