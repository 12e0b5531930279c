#include "server/call_grammar.h"

#include <utility>
#include <vector>

#include "grammar/code_points.h"
#include "grammar/json_schema.h"
#include "text/json_value.h"

namespace ingle {
namespace {

using Expression = GrammarText::Expression;
using jinja::Value;

class CallGrammar {
 public:
  CallGrammar(const ChatTools& tools, const AnswerSyntax& syntax, const Tokenizer& tokenizer)
      : tools_(tools), syntax_(syntax), tokenizer_(tokenizer) {}

  Result<std::string> write(bool in_reasoning) {
    std::vector<Expression> calls;
    for (const Value& tool : tools_.tools.items()) {
      const Value& function = *find_member(tool, "function");
      const std::string& name = find_member(function, "name")->text();
      if (tools_.choice == ToolChoice::kNamed && name != tools_.named) continue;
      const Value schema = with_member(*find_member(function, "parameters"), "type", Value::string("object"));
      Result<Expression> arguments = json_schema_grammar(text_, schema);
      if (!arguments.ok()) {
        Error error = arguments.error();
        error.message = "the parameters of " + name + ": " + error.message;
        return error;
      }
      calls.push_back(call(name, text_.rule(*arguments)));
      if (text_.too_large()) break;
    }
    const Expression all = answer(text_.rule(GrammarText::choice(calls)));
    return text_.finish(GrammarText::sequence({reasoning(in_reasoning), all}));
  }

 private:
  static Expression literal(std::string_view text) { return GrammarText::literal(text); }

  // A control token is no text.
  Expression mark(std::string_view text) const {
    const TokenId id = tokenizer_.find_token(text);
    return id != kNoToken && tokenizer_.is_control(id) ? GrammarText::token(id) : literal(text);
  }

  // One call without what stands between several. The names of tools need no escapes.
  Expression call(const std::string& name, const Expression& arguments) const {
    const char* key = syntax_.calls == CallFormat::kLlama ? "parameters" : "arguments";
    const Expression object =
        GrammarText::sequence({literal("{\"name\": \"" + name + "\", \"" + key + "\": "), arguments, literal("}")});
    switch (syntax_.calls) {
      case CallFormat::kHermes:
      case CallFormat::kQwenXml:
        return GrammarText::sequence({mark("<tool_call>"), literal("\n"), object, literal("\n"), mark("</tool_call>")});
      case CallFormat::kMistral:
        if (!syntax_.mistral_names) return object;
        return GrammarText::sequence({mark("[TOOL_CALLS]"), literal(name), mark("[ARGS]"), arguments});
      case CallFormat::kLlama:
      case CallFormat::kJson:
        return object;
    }
    return object;
  }

  Expression answer(const Expression& call) {
    const bool one = tools_.choice == ToolChoice::kNamed || !tools_.parallel;
    const auto separated = [&](const char* by) {
      if (one) return call;
      const Expression more = text_.repeat(GrammarText::sequence({literal(by), call}), 0, kMaxForcedCalls - 1);
      return GrammarText::sequence({call, more});
    };
    switch (syntax_.calls) {
      case CallFormat::kMistral:
        if (syntax_.mistral_names) return separated("");
        return GrammarText::sequence({mark("[TOOL_CALLS]"), literal("["), separated(", "), literal("]")});
      case CallFormat::kLlama:
        return separated("; ");
      default:
        return separated("\n");
    }
  }

  Expression reasoning(bool begun) {
    if (syntax_.reasoning_open.empty()) return literal("");
    // Any text without the beginning of an end, "</" or "[/".
    const uint32_t bracket = static_cast<unsigned char>(syntax_.reasoning_close[0]);
    const CodePoints others = CodePoints(std::vector<CodePoints::Range>{{bracket, bracket}}).complement();
    const CodePoints no_end = CodePoints(std::vector<CodePoints::Range>{{bracket, bracket}, {'/', '/'}}).complement();
    const Expression words = GrammarText::choice(
        {others.character_class(),
         GrammarText::sequence({literal(syntax_.reasoning_close.substr(0, 1)), no_end.character_class()})});
    const Expression gap = GrammarText::choice({literal("\n\n"), literal("\n"), literal("")});
    const Expression rest =
        GrammarText::sequence({text_.repeat(text_.rule(words), 0, kNoLimit), mark(syntax_.reasoning_close), gap});
    return begun ? rest : GrammarText::optional(GrammarText::sequence({mark(syntax_.reasoning_open), rest}));
  }

  const ChatTools& tools_;
  const AnswerSyntax& syntax_;
  const Tokenizer& tokenizer_;
  GrammarText text_;
};

}  // namespace

Result<std::string> call_grammar(const ChatTools& tools, const AnswerSyntax& syntax, const Tokenizer& tokenizer,
                                 bool in_reasoning) {
  return CallGrammar(tools, syntax, tokenizer).write(in_reasoning);
}

std::optional<WantedOutput> wanted_calls(const ChatTools& tools, const AnswerSyntax& syntax, const Tokenizer& tokenizer,
                                         bool in_reasoning) {
  if (!tools.must_call()) return std::nullopt;
  const auto compile = [=, &tokenizer](Grammars& grammars) -> Grammars::Compiled {
    ASSIGN_OR_RETURN(const std::string text, call_grammar(tools, syntax, tokenizer, in_reasoning));
    return grammars.compile(text);
  };
  return WantedOutput{.field = "tools", .compile = compile};
}

}  // namespace ingle
