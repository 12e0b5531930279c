#include "text/answer_parser.h"

#include <gtest/gtest.h>

#include <random>

#include "text/json_value.h"
#include "text/utf8.h"

namespace ingle {
namespace {

using Kind = AnswerDelta::Kind;
using Options = AnswerParserOptions;

AnswerSyntax syntax(CallFormat calls) {
  AnswerSyntax out;
  out.calls = calls;
  out.reasoning_open = "<think>";
  out.reasoning_close = "</think>";
  return out;
}

Options options(CallFormat calls) {
  Options out;
  out.syntax = syntax(calls);
  out.tools = {{.name = "f", .text_parameters = {"s"}, .text_or_null_parameters = {"z"}},
               {.name = "get_weather", .text_parameters = {}}};
  return out;
}

// Deltas of one text that follow each other are one, as a client joins them.
void join(std::vector<AnswerDelta>& all, std::vector<AnswerDelta> more) {
  for (AnswerDelta& delta : more) {
    const bool is_text = delta.kind != Kind::kCallBegin && delta.kind != Kind::kCallEnd;
    EXPECT_TRUE(is_valid_utf8(delta.text));
    EXPECT_FALSE(is_text && delta.text.empty());
    if (is_text && !all.empty() && all.back().kind == delta.kind && all.back().call == delta.call) {
      all.back().text += delta.text;
    } else {
      all.push_back(std::move(delta));
    }
  }
}

std::vector<AnswerDelta> parse(const Options& options, const std::vector<std::string_view>& pieces) {
  AnswerParser parser(std::make_shared<Options>(options));
  std::vector<AnswerDelta> all;
  for (const std::string_view piece : pieces) join(all, parser.push(piece));
  join(all, parser.finish());
  return all;
}

// r(reasoning) c(content) name{arguments}; a call that has no end has a ! there.
std::string show(const std::vector<AnswerDelta>& deltas) {
  std::string out;
  bool open = false;
  for (const AnswerDelta& delta : deltas) {
    switch (delta.kind) {
      case Kind::kReasoning:
        out += "r(" + delta.text + ")";
        break;
      case Kind::kContent:
        out += "c(" + delta.text + ")";
        break;
      case Kind::kCallBegin:
        EXPECT_FALSE(open);
        open = true;
        out += std::to_string(delta.call) + ":" + delta.text;
        break;
      case Kind::kCallArguments:
        EXPECT_TRUE(open);
        out += delta.text;
        break;
      case Kind::kCallEnd:
        EXPECT_TRUE(open);
        open = false;
        out += ";";
        break;
    }
  }
  EXPECT_FALSE(open);
  return out;
}

std::vector<std::string_view> cut_randomly(std::string_view text, std::mt19937& random) {
  std::vector<std::string_view> pieces;
  const size_t longest = 1 + random() % 12;
  while (!text.empty()) {
    const size_t size = std::min<size_t>(random() % (longest + 1), text.size());
    pieces.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return pieces;
}

// What the parser makes of a text: the same at once, byte by byte, cut at every place and in any pieces.
std::string read(const Options& options, std::string_view text) {
  const std::vector<AnswerDelta> whole = parse(options, {text});
  for (size_t cut = 0; cut <= text.size(); cut++) {
    EXPECT_EQ(parse(options, {text.substr(0, cut), text.substr(cut)}), whole) << text << " cut at " << cut;
  }
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < text.size(); i++) bytes.push_back(text.substr(i, 1));
  EXPECT_EQ(parse(options, bytes), whole) << text;
  std::mt19937 random(1);
  for (int round = 0; round < 20; round++) EXPECT_EQ(parse(options, cut_randomly(text, random)), whole) << text;
  return show(whole);
}

std::string read(CallFormat format, std::string_view text) { return read(options(format), text); }

void expect_content(CallFormat format, const std::string& text) { EXPECT_EQ(read(format, text), "c(" + text + ")"); }

TEST(AnswerParser, HermesCalls) {
  const auto hermes = [](std::string_view text) { return read(CallFormat::kHermes, text); };
  EXPECT_EQ(hermes("<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [1, {\"b\": \"}\"}]}}\n</tool_call>"),
            R"(0:f{"a": [1, {"b": "}"}]};)");
  EXPECT_EQ(hermes("Let me see.\n<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n"
                   "<tool_call>{\"name\":\"g\",\"arguments\":{\"x\":1}}</tool_call>\n"),
            "c(Let me see.)0:f{};1:g{\"x\":1};");
  EXPECT_EQ(hermes("<tool_call>{\"arguments\":{\"x\":1},\"name\":\"f\"}</tool_call> Done."), "0:f{\"x\":1};c( Done.)");
  EXPECT_EQ(hermes("<tool_call>{\"name\":\"f\"}</tool_call>"), "0:f{};");
  EXPECT_EQ(hermes("<tool_call>{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}</tool_call>"), "0:f{\"x\":1};");
  EXPECT_EQ(
      hermes("<tool_call>{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}</tool_call>"),
      "0:f{\"x\": 1};");
  // The end is missing, or cut off.
  EXPECT_EQ(hermes("<tool_call>{\"name\":\"f\",\"arguments\":{}}"), "0:f{};");
  EXPECT_EQ(hermes("<tool_call>{\"name\":\"f\",\"arguments\":{}}\n</tool_"), "0:f{};");
  // Two in one block.
  EXPECT_EQ(hermes("<tool_call>{\"name\":\"f\",\"arguments\":{}}\n{\"name\":\"g\"}</tool_call>"), "0:f{};1:g{};");
  EXPECT_EQ(hermes("<tool_call><tool_call>{\"name\":\"f\"}</tool_call>"), "c(<tool_call>)0:f{};");
}

TEST(AnswerParser, WhatSmallModelsWriteInPlaceOfTheirFormat) {
  for (const CallFormat format : {CallFormat::kHermes, CallFormat::kLlama, CallFormat::kMistral, CallFormat::kJson}) {
    EXPECT_EQ(read(format, "{\"name\": \"f\", \"arguments\": {\"x\": 1}}"), "0:f{\"x\": 1};");
    EXPECT_EQ(read(format, "```json\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n```"), "0:f{\"x\": 1};");
    EXPECT_EQ(read(format, "So:\n```json\n{\"name\": \"f\", \"arguments\": {}}\n```\nThat is it."),
              "c(So:)0:f{};c(\nThat is it.)");
    EXPECT_EQ(read(format, "{\"name\":\"f\",\"parameters\":{}}\n{\"name\":\"f\",\"parameters\":{\"x\":2}}"),
              "0:f{};1:f{\"x\":2};");
    // Not of functions that nobody knows, nor without arguments.
    expect_content(format, "{\"name\": \"Ann\", \"arguments\": {\"x\": 1}}");
    expect_content(format, "{\"name\": \"f\"}");
    expect_content(format, "```json\n{\"name\": \"Ann\", \"age\": 3}\n```\n");
    expect_content(format, "{\"title\": \"f\", \"arguments\": {}}");
    expect_content(format, "It is {\"name\": \"f\", \"arguments\": {}}");
  }
  EXPECT_EQ(read(CallFormat::kHermes, "<tools>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tools>"),
            "0:f{\"x\": 1};");
  EXPECT_EQ(read(CallFormat::kJson, "[{\"name\":\"f\",\"arguments\":{}}, {\"name\":\"get_weather\",\"arguments\":{}}]"),
            "0:f{};1:get_weather{};");
}

TEST(AnswerParser, LlamaCalls) {
  const auto llama = [](std::string_view text) { return read(CallFormat::kLlama, text); };
  EXPECT_EQ(llama("<|python_tag|>{\"name\": \"g\", \"parameters\": {\"x\": 1}}"), "0:g{\"x\": 1};");
  EXPECT_EQ(llama("<|python_tag|>{\"name\":\"f\",\"parameters\":{}}; {\"name\":\"g\",\"parameters\":{}}"),
            "0:f{};1:g{};");
  expect_content(CallFormat::kLlama, "<|python_tag|>print(1)");
}

TEST(AnswerParser, MistralCalls) {
  const auto mistral = [](std::string_view text) { return read(CallFormat::kMistral, text); };
  EXPECT_EQ(
      mistral("[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"x\": \"]\"}}, {\"name\":\"g\",\"arguments\":{}}]"),
      "0:f{\"x\": \"]\"};1:g{};");
  EXPECT_EQ(mistral("[TOOL_CALLS] [ {\"name\":\"f\",\"arguments\":{},\"id\":\"abc\"} ]\n"), "0:f{};");
  EXPECT_EQ(mistral("Well. [TOOL_CALLS]get_weather[ARGS]{\"city\": \"Paris\"}"),
            "c(Well.)0:get_weather{\"city\": \"Paris\"};");
  EXPECT_EQ(mistral("[TOOL_CALLS]f[CALL_ID]a1b2c3d4e[ARGS] {}[TOOL_CALLS]g{\"x\":1}"), "0:f{};1:g{\"x\":1};");
  for (const char* text :
       {"[TOOL_CALLS]", "[TOOL_CALLS][]", "[TOOL_CALLS] I think", "[TOOL_CALLS]f[ARGS]x", "[TOOL_CALLS]f[ARG]{}",
        "[TOOL_CALLS]f[ARGS]{\"a\":}", "[TOOL_CALLS][{\"name\":1}]", "[TOOL", "[TOOL_CALLS][{\"name\":\"f\""}) {
    expect_content(CallFormat::kMistral, text);
  }
  EXPECT_EQ(mistral("[TOOL_CALLS]f[TOOL_CALLS]f[ARGS]{}"), "c([TOOL_CALLS]f)0:f{};");
}

TEST(AnswerParser, QwenXmlCalls) {
  const auto xml = [](std::string_view text) { return read(CallFormat::kQwenXml, text); };
  EXPECT_EQ(xml("<tool_call>\n<function=f>\n<parameter=s>\n1\n</parameter>\n<parameter=n>\n[1, 2]\n</parameter>\n"
                "<parameter=b>True</parameter><parameter=t>a < b\nc\n</parameter></function>\n</tool_call>"),
            R"(0:f{"s": "1", "n": [1, 2], "b": true, "t": "a < b\nc"};)");
  EXPECT_EQ(xml("<function=f><parameter=z>12345</parameter></function>"), R"(0:f{"z": "12345"};)");
  EXPECT_EQ(xml("<function=f><parameter=z>\nnull\n</parameter></function>"), R"(0:f{"z": null};)");
  // The opening mark is what the model forgets most often.
  EXPECT_EQ(xml("<function=f></function>\n</tool_call>"), "0:f{};");
  EXPECT_EQ(xml("<function=f></function>\n</tool_call>\nDone."), "0:f{};c(\nDone.)");
  EXPECT_EQ(xml("<function=f></function></tool_box>"), "0:f{};c(</tool_box>)");
  EXPECT_EQ(xml("<tool_call><function=f></function><function=g></function></tool_call>"), "0:f{};1:g{};");
  for (const char* text : {"<tool_call><function=>", "<tool_call><function=f\n>", "<function=unknown></function>",
                           "<tool_call><function=f><parameter=a>b</function>", "<tool_call><function=f>x</function>",
                           "<tool_call><functional>", "<tool_call><function=f><parameter=></parameter></function>"}) {
    expect_content(CallFormat::kQwenXml, text);
  }
}

TEST(AnswerParser, WhatIsNoCallIsContentAsItWas) {
  for (const char* text : {"",
                           " \n ",
                           "hello",
                           "a < b <t <tool <tool_call",
                           "<tool_call>",
                           "<tool_call>\n\n",
                           "<tool_call>hello</tool_call>",
                           "<tool_call>{}</tool_call>",
                           "<tool_call>{\"name\": }</tool_call>",
                           "<tool_call>{\"name\": 3}</tool_call>",
                           "<tool_call>{\"name\": \"\"}</tool_call>",
                           "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>",
                           "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": nope}}</tool_call>",
                           "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}</tool_call>",
                           "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"x\ny\"}}</tool_call>",
                           "<tool_call>{'name': 'f'}</tool_call>",
                           "<tool_call>[]</tool_call>",
                           "<tool_call>{\"name\": \"f\", \"argu",
                           "<tool_call>{\"name\": \"f\\u0000\", \"arguments\": {}}</tool_call>",
                           "```json\n",
                           "```json\n[1, 2]\n```\n",
                           "{",
                           "{\"a\"",
                           "[[",
                           "{}",
                           "[1, 2, 3]",
                           "x </think> y",
                           " <thin",
                           "\xC3\xA9\xE4\xB8\xAD<tool_call>\xF0\x9F\x98\x80",
                           "<tool_call>{\"name\":\"f\",\"arguments\":{\"x\":\"\\ud800\"}}</tool_call>"}) {
    const std::string shown = text == std::string_view("") ? "" : "c(" + std::string(text) + ")";
    EXPECT_EQ(read(CallFormat::kHermes, text), shown);
  }
}

TEST(AnswerParser, WithoutToolsThereAreNoCalls) {
  Options none = options(CallFormat::kHermes);
  none.tools.clear();
  for (const char* text :
       {"<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>", "{\"name\":\"f\",\"arguments\":{}}"}) {
    EXPECT_EQ(read(none, text), "c(" + std::string(text) + ")");
  }
  // Nor is anything held back for them.
  AnswerParser parser(std::make_shared<Options>(none));
  EXPECT_EQ(show(parser.push("x <tool_call>\n")), "c(x <tool_call>\n)");
}

TEST(AnswerParser, OneCall) {
  Options one = options(CallFormat::kHermes);
  one.one_call = true;
  EXPECT_EQ(read(one, "A <tool_call>{\"name\":\"f\"}</tool_call><tool_call>{\"name\":\"g\"}</tool_call> B"),
            "c(A)0:f{};");
}

TEST(AnswerParser, Reasoning) {
  Options plain = options(CallFormat::kHermes);
  Options begun = plain;
  begun.in_reasoning = true;
  Options no_tools = plain;
  no_tools.tools.clear();
  for (const Options& one : {plain, no_tools}) {
    EXPECT_EQ(read(one, "\n<think>\nHm, <b>.\n\nSo\n</think>\n\nYes. </think>"), "r(Hm, <b>.\n\nSo)c(Yes. </think>)");
    EXPECT_EQ(read(one, "<think>\n\n</think>\n\nYes"), "c(Yes)");
    EXPECT_EQ(read(one, "<think>Hm"), "r(Hm)");
    EXPECT_EQ(read(one, "<think>Hm</thi"), "r(Hm</thi)");
    EXPECT_EQ(read(one, "Yes <think>"), "c(Yes <think>)");
    EXPECT_EQ(read(one, "<think>a</think><think>b"), "r(a)c(<think>b)");
  }
  EXPECT_EQ(read(begun, "Hm\n</think>\nYes\n"), "r(Hm)c(Yes\n)");
  EXPECT_EQ(read(begun, "\n<think>\nHm</think>"), "r(Hm)");
  EXPECT_EQ(read(begun, "Hm <think> <tool_call>"), "r(Hm <think> <tool_call>)");
  EXPECT_EQ(read(begun, "Hm</think>{\"name\":\"f\",\"arguments\":{}}"), "r(Hm)0:f{};");
  EXPECT_EQ(read(plain, "<think>Hm</think>\n<tool_call>{\"name\":\"f\"}</tool_call>"), "r(Hm)0:f{};");
}

TEST(AnswerParser, HoldsBackOnlyWhatMayBeAMark) {
  AnswerParser parser(std::make_shared<Options>(options(CallFormat::kHermes)));
  EXPECT_EQ(show(parser.push("Hello wor")), "c(Hello wor)");
  EXPECT_EQ(show(parser.push("ld <")), "c(ld)");
  EXPECT_EQ(show(parser.push("too")), "");
  EXPECT_EQ(show(parser.push("k <tool_call")), "c( <took)");
  EXPECT_EQ(show(parser.push("er> {\"name\":")), "c( <tool_caller> {\"name\":)");
  EXPECT_EQ(show(parser.push("<tool_call>{\"name\":\"f\",\"arguments\":{}}")), "0:f{};");
  EXPECT_EQ(show(parser.push("</tool_call>\n")), "");
  EXPECT_EQ(show(parser.push("\n")), "");
  EXPECT_EQ(show(parser.push("Done")), "c(\n\nDone)");
}

TEST(AnswerParser, ArgumentsAsTheyCome) {
  Options live = options(CallFormat::kHermes);
  live.stream_arguments = true;
  AnswerParser parser(std::make_shared<Options>(live));
  const auto kinds = [](const std::vector<AnswerDelta>& deltas) {
    std::string out;
    for (const AnswerDelta& delta : deltas) out += std::to_string(static_cast<int>(delta.kind)) + delta.text + "|";
    return out;
  };
  EXPECT_EQ(kinds(parser.push("<tool_call>{\"name\": \"f\", \"argu")), "");
  EXPECT_EQ(kinds(parser.push("ments\": {\"a\"")), "2f|3{\"a\"|");
  EXPECT_EQ(kinds(parser.push(": 1}")), "3: 1}|");
  EXPECT_EQ(kinds(parser.push("}")), "4|");
  EXPECT_EQ(kinds(parser.push("</tool_call>")), "");
  EXPECT_FALSE(parser.last_call_is_cut());
  // A call without its last brace is whole, one in the midst of its arguments is not.
  for (const auto& [text, cut] : {std::pair{"{\"x\": 1}", false}, std::pair{"{\"x\": 1", true}}) {
    AnswerParser ends(std::make_shared<Options>(live));
    ends.push("<tool_call>{\"name\": \"f\", \"arguments\": ");
    ends.push(text);
    const std::vector<AnswerDelta> last = ends.finish();
    ASSERT_FALSE(last.empty());
    EXPECT_EQ(last.back().kind, Kind::kCallEnd);
    EXPECT_EQ(last.back().cut, cut);
    EXPECT_EQ(ends.last_call_is_cut(), cut);
  }
  EXPECT_EQ(read(live, "<tool_call>{\"name\":\"f\",\"arguments\":{\"x\":{\"name\":[1]}},\"id\":3}</tool_call>"),
            "0:f{\"x\":{\"name\":[1]}};");
  EXPECT_EQ(read(live, "<tool_call>{\"arguments\":{\"x\":1},\"name\":\"f\"}</tool_call>"), "0:f{\"x\":1};");
  EXPECT_EQ(read(live, "<tool_call>{\"name\":\"f\",\"arguments\":{\"x\": 12"), "0:f{\"x\": 12;");
  EXPECT_EQ(read(live, "<tool_call>{\"name\":\"f\",\"arguments\":{\"x\"!"), "0:f{\"x\";c(!)");
  Options mistral = live;
  mistral.syntax.calls = CallFormat::kMistral;
  EXPECT_EQ(read(mistral, "[TOOL_CALLS]f[ARGS]{\"x\":1}"), "0:f{\"x\":1};");
  EXPECT_EQ(read(mistral, "[TOOL_CALLS]f[ARGS]{\"x\":1"), "0:f{\"x\":1;");
}

TEST(AnswerParser, ArgumentsThatAGrammarHoldsAsTheyCome) {
  Options held = options(CallFormat::kHermes);
  bool holds = true;
  held.holds_marked = [&holds] { return holds; };
  const auto begun = [&held](const std::string& text) {
    AnswerParser parser(std::make_shared<Options>(held));
    return !parser.push(text).empty();
  };
  EXPECT_TRUE(begun("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\""));
  EXPECT_FALSE(begun("{\"name\": \"f\", \"arguments\": {\"a\"")) << "nothing holds what has no mark";
  EXPECT_FALSE(begun("```json\n{\"name\": \"f\", \"arguments\": {\"a\""));
  holds = false;
  EXPECT_FALSE(begun("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\"")) << "there is no grammar";
}

TEST(AnswerParser, MemoryIsBounded) {
  const Options hermes = options(CallFormat::kHermes);
  for (const std::string& text :
       {"<tool_call>" + std::string(3 << 20, ' ') + "x", std::string(3 << 20, '\n') + "x",
        "<tool_call>{\"name\":\"" + std::string(3 << 20, 'f') + "\"}",
        "{\"name\":\"f\",\"arguments\":" + std::string(100000, '['),
        "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":\"" + std::string(3 << 20, '\\') + "\"}}"}) {
    EXPECT_EQ(show(parse(hermes, {text})), "c(" + text + ")");
  }
  std::string many;
  for (uint32_t i = 0; i <= AnswerParser::kMaxCalls; i++) many += "<tool_call>{\"name\":\"f\"}</tool_call>";
  const std::vector<AnswerDelta> deltas = parse(hermes, {many});
  EXPECT_EQ(deltas.back(), (AnswerDelta{Kind::kContent, 0, "<tool_call>{\"name\":\"f\"}</tool_call>"}));
  EXPECT_EQ(deltas[deltas.size() - 2].call, AnswerParser::kMaxCalls - 1);
}

// Texts of the parts that calls are made of, in any order.
TEST(AnswerParser, AnyTextInAnyPieces) {
  static const std::string parts[] = {"<tool_call>",
                                      "</tool_call>",
                                      "[TOOL_CALLS]",
                                      "[ARGS]",
                                      "<|python_tag|>",
                                      "<think>",
                                      "</think>",
                                      "<tools>",
                                      "```json\n",
                                      "```",
                                      "{\"name\": \"f\", \"arguments\": {\"x\": 1}}",
                                      "{\"name\":\"f\"",
                                      ",\"parameters\":{",
                                      "}",
                                      "]",
                                      "[",
                                      "{",
                                      "\"",
                                      "f",
                                      "get_weather",
                                      "<function=f>",
                                      "<parameter=s>",
                                      "</parameter>",
                                      "</function>",
                                      "\n",
                                      " ",
                                      ",",
                                      ";",
                                      "x",
                                      "\xC3\xA9",
                                      "\xF0\x9F\x98\x80",
                                      "<",
                                      "\xFF"};
  std::mt19937 random(7);
  for (int round = 0; round < 20000; round++) {
    Options any = options(static_cast<CallFormat>(random() % 5));
    any.in_reasoning = random() % 4 == 0;
    any.one_call = random() % 8 == 0;
    any.stream_arguments = random() % 4 == 0;
    if (random() % 4 == 0) any.holds_marked = [] { return true; };
    std::string text;
    for (size_t n = random() % 12; n > 0; n--) text += parts[random() % std::size(parts)];
    const std::vector<AnswerDelta> whole = parse(any, {text});
    ASSERT_EQ(parse(any, cut_randomly(text, random)), whole) << text;
    show(whole);
    ParsedAnswer answer;
    for (const AnswerDelta& delta : whole) answer.add(delta);
    if (answer.calls.empty() && answer.reasoning.empty() && text.find("think>") == std::string::npos &&
        !any.in_reasoning) {
      Utf8Stream utf8;
      ASSERT_EQ(answer.content, utf8.push(text) + utf8.finish());
    }
    for (const ParsedAnswer::Call& call : answer.calls) {
      if (any.stream_arguments || any.holds_marked) continue;
      const Result<jinja::Value> arguments = parse_json(call.arguments);
      ASSERT_TRUE(arguments.ok() && arguments->is_dict()) << text;
    }
  }
}

}  // namespace
}  // namespace ingle
