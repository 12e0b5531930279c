#include "server/call_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "grammar/json_schema.h"
#include "grammar/value_text.h"
#include "text/json_value.h"

namespace ingle {
namespace {

using Expression = GrammarText::Expression;
using jinja::Entries;
using jinja::Items;
using jinja::Value;

// The parts of a call, as a grammar's expressions or as text.
std::string call_head(const AnswerSyntax& syntax, std::string_view name) {
  const char* key = syntax.calls == CallFormat::kLlama ? "parameters" : "arguments";
  return fmt::format(R"({{"name": "{}", "{}": )", name, key);  // names of tools need no escapes
}

const char* call_mark(CallFormat format) {
  switch (format) {
    case CallFormat::kHermes:
    case CallFormat::kQwenXml:
      return "<tool_call>";
    case CallFormat::kMistral:
      return "[TOOL_CALLS]";
    case CallFormat::kLlama:
      return "<|python_tag|>";
    case CallFormat::kJson:
      break;
  }
  return "";
}

// Whether a mark says where they end.
bool ends_calls(CallFormat format) { return format == CallFormat::kHermes || format == CallFormat::kQwenXml; }

class CallGrammar {
 public:
  // `begins`: the answer begins with its calls, whose marks are part of it; else they come in free text behind a
  // trigger.
  CallGrammar(const ChatTools& tools, const AnswerSyntax& syntax, const Tokenizer& tokenizer, bool begins)
      : tools_(tools), syntax_(syntax), tokenizer_(tokenizer), marks_calls_(begins) {}

  // `otherwise`: what the answer may be in place of calls, and has to be where there are no tools.
  Result<std::string> write(bool in_reasoning, const WantedOutput* otherwise) {
    ASSIGN_OR_RETURN(const Expression all, tools_.callable.empty() ? other_answer(*otherwise) : answer(otherwise));
    return text_.finish(GrammarText::sequence({reasoning(in_reasoning), all}));
  }

 private:
  Result<Expression> answer(const WantedOutput* otherwise) {
    std::vector<Expression> calls;
    for (const Value& tool : tools_.tools.items()) {
      const Value& function = *find_member(tool, "function");
      const std::string& name = find_member(function, "name")->text();
      if (!tools_.may_call(name)) continue;
      ASSIGN_OR_RETURN(const Expression arguments, arguments_of(name, *find_member(function, "parameters")));
      calls.push_back(call(name, text_.rule(arguments)));
      if (text_.too_large()) break;
    }
    const Expression any = text_.rule(GrammarText::choice(calls));
    const bool is_free = !marks_calls_ && syntax_.calls != CallFormat::kJson;
    const Expression called = is_free ? free_answer(any) : forced_answer(any);
    if (otherwise == nullptr) return called;
    ASSIGN_OR_RETURN(const Expression other, other_answer(*otherwise));
    return GrammarText::choice({called, other});
  }

  Result<Expression> other_answer(const WantedOutput& otherwise) {
    ASSIGN_OR_RETURN(const Expression other, otherwise.write(text_));
    return text_.rule(other);
  }

  static Expression literal(std::string_view text) { return GrammarText::literal(text); }

  bool is_control(std::string_view text) const {
    const TokenId id = tokenizer_.find_token(text);
    return id != kNoToken && tokenizer_.is_control(id);
  }

  // A control token is no text, and where there has to be a mark no other bytes may take its place.
  Expression mark(std::string_view text) const {
    return is_control(text) ? GrammarText::token(tokenizer_.find_token(text)) : literal(text);
  }
  // As one literal.
  Expression spelled_mark(std::string_view text) const {
    return is_control(text) ? GrammarText::token_literal(tokenizer_.find_token(text)) : literal(text);
  }
  // What no text has that is not to have the mark: its letters alone are the mark to whoever reads the answer.
  void exclude(std::string_view text, std::vector<Expression>& out) const {
    out.push_back(literal(text));
    if (is_control(text)) out.push_back(spelled_mark(text));
  }

  Result<Expression> arguments_of(const std::string& name, const Value& parameters) {
    const auto found = tools_.strict.find(name);
    const Strictness strict = tools_.must_call()             ? Strictness::kYes
                              : found != tools_.strict.end() ? found->second
                                                             : Strictness::kNo;
    // Where other keywords are the whole of the schema, they see to it.
    const bool is_said = std::ranges::any_of(std::array{"$ref", "anyOf", "oneOf", "allOf", "enum", "const"},
                                             [&](const char* key) { return find_member(parameters, key) != nullptr; });
    const Value schema = is_said ? parameters : with_member(parameters, "type", Value::string("object"));
    if (strict == Strictness::kIfPossible) {
      GrammarText trial;  // what fails half way leaves rules behind
      if (!json_schema_grammar(trial, schema).ok() || trial.too_large()) return any_json_object(text_);
    }
    if (strict == Strictness::kNo) return any_json_object(text_);
    Result<Expression> arguments = json_schema_grammar(text_, schema);
    if (arguments.ok()) return arguments;
    Error error = arguments.error();
    error.message = "the parameters of " + name + ": " + error.message;
    return error;
  }

  // One call without what stands between several.
  Expression call(const std::string& name, const Expression& arguments) const {
    const Expression object = GrammarText::sequence({literal(call_head(syntax_, name)), arguments, literal("}")});
    switch (syntax_.calls) {
      case CallFormat::kHermes:
      case CallFormat::kQwenXml: {
        const Expression inner = GrammarText::sequence({literal("\n"), object, literal("\n"), mark("</tool_call>")});
        return marks_calls_ ? GrammarText::sequence({mark("<tool_call>"), inner}) : inner;
      }
      case CallFormat::kMistral: {
        if (!syntax_.mistral_names) return object;
        const Expression inner = GrammarText::sequence({literal(name), mark("[ARGS]"), arguments});
        return marks_calls_ ? GrammarText::sequence({mark("[TOOL_CALLS]"), inner}) : inner;
      }
      case CallFormat::kLlama:
      case CallFormat::kJson:
        return object;
    }
    return object;
  }

  Expression several(const Expression& call, const Expression& between) {
    if (tools_.choice == ToolChoice::kNamed || !tools_.parallel) return call;
    return GrammarText::sequence({call, text_.repeat(GrammarText::sequence({between, call}), 0, kMaxForcedCalls - 1)});
  }

  Expression forced_answer(const Expression& call) {
    switch (syntax_.calls) {
      case CallFormat::kMistral:
        if (syntax_.mistral_names) return several(call, literal(""));
        return GrammarText::sequence({mark("[TOOL_CALLS]"), literal("["), several(call, literal(", ")), literal("]")});
      case CallFormat::kLlama:
        return several(call, literal("; "));
      default:
        return several(call, literal("\n"));
    }
  }

  // Where nothing ends a block of calls, more of them may follow without a mark; so nothing else follows.
  Expression free_answer(const Expression& call) {
    const Expression trigger = spelled_mark(call_mark(syntax_.calls));
    std::vector<Expression> without;
    if (is_control(call_mark(syntax_.calls))) without.push_back(literal(call_mark(syntax_.calls)));
    if (!syntax_.reasoning_open.empty()) exclude(syntax_.reasoning_open, without);
    Expression calls = call;
    if (syntax_.calls == CallFormat::kLlama) calls = several(call, literal("; "));
    if (syntax_.calls == CallFormat::kMistral) {
      calls = syntax_.mistral_names ? several(call, mark("[TOOL_CALLS]"))
                                    : GrammarText::sequence({literal("["), several(call, literal(", ")), literal("]")});
    }
    return text_.text_with(trigger, text_.rule(calls), ends_calls(syntax_.calls) && tools_.parallel, without);
  }

  Expression reasoning(bool begun) {
    if (syntax_.reasoning_open.empty()) return literal("");
    std::vector<Expression> ends;
    exclude(syntax_.reasoning_close, ends);
    const Expression gap = GrammarText::choice({literal("\n\n"), literal("\n"), literal("")});
    const Expression rest = GrammarText::sequence({text_.text_without(ends), mark(syntax_.reasoning_close), gap});
    const Expression space = tools_.must_call() ? literal("") : R"([ \t\r\n]*)";
    return begun ? rest : GrammarText::optional(GrammarText::sequence({space, mark(syntax_.reasoning_open), rest}));
  }

  const ChatTools& tools_;
  const AnswerSyntax& syntax_;
  const Tokenizer& tokenizer_;
  const bool marks_calls_;
  GrammarText text_;
};

// The value with the members of its objects in the order of the schema's properties, in which alone a schema's grammar
// has them, and others behind.
Value in_schema_order(const Value& value, const Value& schema) {
  if (value.is_sequence()) {
    const Value* of_items = find_member(schema, "items");
    if (of_items == nullptr) return value;
    Items items = value.items();
    for (Value& item : items) item = in_schema_order(item, *of_items);
    return Value::list(std::move(items));
  }
  const Value* properties = find_member(schema, "properties");
  if (!value.is_dict() || properties == nullptr || !properties->is_dict()) return value;
  Entries ordered;
  for (const auto& [key, of_member] : properties->dict_object().entries) {
    const Value* member = value.dict_object().find(key.text());
    if (member != nullptr) ordered.emplace_back(key, in_schema_order(*member, of_member));
  }
  for (const auto& [key, member] : value.dict_object().entries) {
    if (properties->dict_object().find(key.text()) == nullptr) ordered.emplace_back(key, member);
  }
  return Value::dict(std::move(ordered));
}

// Whether a call in another form than the model's own obeys the schema of its tool, where its request wants that: said
// in the model's form, the grammar of the answer has it.
struct CallCheck {
  ChatTools tools;
  AnswerSyntax syntax;
  bool in_reasoning = false;
  std::shared_ptr<const Grammar> grammar;  // from when the answer begins; without one nothing is checked

  bool takes(const Tokenizer& tokenizer, std::string_view name, std::string_view arguments) const {
    const auto strict = tools.strict.find(std::string(name));
    if (grammar == nullptr || strict == tools.strict.end() || strict->second != Strictness::kYes) return true;
    const Result<Value> value = parse_json(arguments);
    if (!value.ok()) return false;
    const std::optional<std::string> plain = value_text(in_order(name, *value));
    if (!plain) return false;
    std::vector<Grammar::Piece> pieces;
    const auto add_mark = [&](std::string_view text) {
      const TokenId id = tokenizer.find_token(text);
      if (text.empty()) return;
      const bool control = id != kNoToken && tokenizer.is_control(id);
      pieces.push_back(control ? Grammar::Piece{.text = {}, .token = id} : Grammar::Piece{.text = std::string(text)});
    };
    if (in_reasoning) add_mark(syntax.reasoning_close);
    add_mark(call_mark(syntax.calls));
    if (syntax.calls == CallFormat::kMistral && syntax.mistral_names) {
      pieces.push_back({.text = std::string(name)});
      add_mark("[ARGS]");
      pieces.push_back({.text = *plain});
      return grammar->has(pieces);
    }
    const std::string object = call_head(syntax, name) + *plain + "}";
    const bool has_end = ends_calls(syntax.calls);
    const bool is_list = syntax.calls == CallFormat::kMistral;
    pieces.push_back({.text = has_end ? "\n" + object + "\n" : is_list ? "[" + object + "]" : object});
    if (has_end) add_mark("</tool_call>");
    return grammar->has(pieces);
  }

  Value in_order(std::string_view name, const Value& arguments) const {
    for (const Value& tool : tools.tools.items()) {
      const Value& function = *find_member(tool, "function");
      if (find_member(function, "name")->text() != name) continue;
      return in_schema_order(arguments, *find_member(function, "parameters"));
    }
    return arguments;
  }
};

bool asks_for_strictness(const ChatTools& tools) {
  return std::any_of(tools.strict.begin(), tools.strict.end(),
                     [](const auto& tool) { return tool.second == Strictness::kYes; });
}

}  // namespace

Result<std::string> call_grammar(const ChatTools& tools, const AnswerSyntax& syntax, const Tokenizer& tokenizer,
                                 bool in_reasoning, const WantedOutput* otherwise) {
  const bool begins = tools.must_call() || otherwise != nullptr;
  return CallGrammar(tools, syntax, tokenizer, begins).write(in_reasoning, otherwise);
}

std::optional<WantedOutput> wanted_calls(const ChatTools& tools, const Tokenizer& tokenizer,
                                         AnswerParserOptions& reading, const std::optional<WantedOutput>& otherwise) {
  const AnswerSyntax& syntax = reading.syntax;
  const bool in_reasoning = reading.in_reasoning && !syntax.reasoning_open.empty();
  if (tools.must_call()) {
    const auto compile = [=, &tokenizer](Grammars& grammars) -> Grammars::Compiled {
      ASSIGN_OR_RETURN(const std::string text, call_grammar(tools, syntax, tokenizer, in_reasoning));
      return grammars.compile(text);
    };
    return WantedOutput{.field = "tools", .compile = compile};
  }
  if (otherwise && !otherwise->write) {
    // A grammar that the request brings is the whole of the answer, whatever the prompt has begun.
    reading.in_reasoning = false;
    reading.tools.clear();
    return std::nullopt;
  }
  if (otherwise) {
    if (tools.callable.empty() && !in_reasoning) return std::nullopt;
    reading.calls_first = true;
    reading.holds_marked = [] { return true; };
    const auto compile = [=, other = *otherwise, &tokenizer](Grammars& grammars) -> Grammars::Compiled {
      ASSIGN_OR_RETURN(const std::string text, call_grammar(tools, syntax, tokenizer, in_reasoning, &other));
      return grammars.compile(text);
    };
    return WantedOutput{.field = otherwise->field, .compile = compile};
  }
  if (!tools.any_strict()) return std::nullopt;
  const auto check = std::make_shared<CallCheck>(CallCheck{tools, syntax, in_reasoning, nullptr});
  if (syntax.calls != CallFormat::kJson) reading.holds_marked = [check] { return check->grammar != nullptr; };
  reading.takes = [check, &tokenizer](std::string_view name, std::string_view arguments) {
    return check->takes(tokenizer, name, arguments);
  };
  const auto compile = [check, &tokenizer](Grammars& grammars) -> Grammars::Compiled {
    const Result<std::string> text = call_grammar(check->tools, check->syntax, tokenizer, check->in_reasoning);
    Grammars::Compiled compiled = text.ok() ? grammars.compile(*text) : text.error();
    if (compiled.ok()) check->grammar = *compiled;
    // Where calls have no mark any text may be an answer; and strictness that nobody asked for is done without if need
    // be.
    const bool is_free =
        compiled.ok() ? check->syntax.calls == CallFormat::kJson
                      : !asks_for_strictness(check->tools) && compiled.error().code != ErrorCode::kResourceExhausted;
    return is_free ? Grammars::Compiled(nullptr) : compiled;
  };
  return WantedOutput{.field = "tools", .compile = compile};
}

}  // namespace ingle
