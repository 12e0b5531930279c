#include "server/structured_output.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "grammar/json_schema.h"
#include "grammar/regex.h"
#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Kind;
using jinja::Value;

class Reader {
 public:
  explicit Reader(RequestFields& fields) : fields_(fields) {}

  std::optional<WantedOutput> read() {
    read_response_format();
    read_forms(fields_, "", "guided_", {"json", "regex", "grammar", "choice", "json_object"});
    if (const Value* outputs = fields_.object("structured_outputs")) {
      RequestFields inner(*outputs, "structured_outputs.");
      read_forms(inner, "structured_outputs.", "", {"json", "regex", "grammar", "choice", "json_object"});
      for (const char* name : {"structural_tag", "whitespace_pattern"}) refuse_if_given(inner, name);
      fields_.refuse_as(inner);
    }
    add_schema(fields_, "json_schema", "json_schema");
    add_text(fields_, "grammar", "grammar", &Grammars::ebnf);
    for (const char* name : {"guided_whitespace_pattern", "structural_tag"}) refuse_if_given(fields_, name);
    return std::move(wanted_);
  }

 private:
  static Result<GrammarText::Expression> write_regex(const std::string& pattern) {
    return regex_grammar(pattern, RegexUse::kWholeText);
  }

  static bool is_asked(RequestFields& fields, std::string_view name) {
    const Value* value = fields.find(name);
    return value != nullptr && !(value->is(Kind::kBool) && !value->as_bool()) &&
           !(value->is_sequence() && value->items().empty());
  }

  void refuse_if_given(RequestFields& fields, const char* name) {
    if (is_asked(fields, name)) fields.refuse(name, "is not supported");
  }

  void want(RequestFields& fields, std::string_view name, std::string field,
            std::function<Grammars::Compiled(Grammars&)> compile,
            std::function<Result<GrammarText::Expression>(GrammarText&)> write = {}) {
    if (wanted_) return fields.refuse(name, fmt::format("is one thing too many beside {}", wanted_->field));
    wanted_ = WantedOutput{std::move(field), std::move(compile), std::move(write)};
  }

  void read_response_format() {
    const Value* format = fields_.object("response_format");
    if (format == nullptr) return;
    RequestFields inner(*format, "response_format.");
    std::string type;
    inner.read("type", type);
    if (type == "json_schema") {
      read_named_schema(inner);
    } else if (type == "json_object" && inner.has("schema")) {
      add_schema(inner, "schema", "response_format.schema");  // as llama.cpp's server has it
    } else if (type == "json_object") {
      want_object(inner, "type", "response_format");
    } else if (type != "text") {
      inner.refuse("type", "must be text, json_object or json_schema");
    }
    fields_.refuse_as(inner);
  }

  void read_named_schema(RequestFields& format) {
    const Value* named = format.object("json_schema");
    if (named == nullptr) return format.refuse("json_schema", "is missing");
    RequestFields inner(*named, "response_format.json_schema.");
    std::string name, description;
    bool strict = true;  // either way the answer is an instance of the schema
    inner.read("name", name);
    inner.read("description", description);
    inner.read("strict", strict);
    if (!inner.has("schema")) inner.refuse("schema", "is missing");
    add_schema(inner, "schema", "response_format.json_schema.schema");
    format.refuse_as(inner);
  }

  void read_forms(RequestFields& fields, const std::string& path, const std::string& prefix,
                  std::initializer_list<const char*> forms) {
    for (const std::string form : forms) {
      const std::string name = prefix + form, field = path + name;
      if (form == "json") add_schema(fields, name, field);
      if (form == "regex") add_text(fields, name, field, &Grammars::regex, write_regex);
      if (form == "grammar") add_text(fields, name, field, &Grammars::ebnf);
      if (form == "choice") add_choice(fields, name, field);
      if (form == "json_object") {
        bool asked = false;
        fields.read(name, asked);
        if (asked) want_object(fields, name, field);
      }
    }
  }

  // A schema, or its text.
  void add_schema(RequestFields& fields, std::string_view name, const std::string& field) {
    const Value* value = fields.find(name);
    if (value == nullptr) return;
    Value schema = *value;
    if (value->is_string()) {
      Result<Value> parsed = parse_json(value->text());
      if (!parsed.ok()) return fields.refuse(name, "is not valid JSON: " + parsed.error().to_string());
      schema = std::move(parsed).value();
    }
    if (!schema.is_dict() && !schema.is(Kind::kBool)) return fields.refuse(name, "must be a JSON schema");
    want(
        fields, name, field, [schema](Grammars& grammars) { return grammars.json_schema(schema); },
        [schema](GrammarText& text) { return json_schema_grammar(text, schema); });
  }

  void want_object(RequestFields& fields, std::string_view name, const std::string& field) {
    want(
        fields, name, field, [](Grammars& grammars) { return grammars.json_object(); },
        [](GrammarText& text) -> Result<GrammarText::Expression> { return any_json_object(text); });
  }

  void add_text(RequestFields& fields, std::string_view name, const std::string& field,
                Grammars::Compiled (Grammars::*compile)(std::string_view),
                Result<GrammarText::Expression> (*write)(const std::string&) = nullptr) {
    if (!fields.has(name)) return;
    std::string text;
    fields.read(name, text);
    if (fields.error()) return;
    std::function<Result<GrammarText::Expression>(GrammarText&)> as_part;
    if (write != nullptr) as_part = [text, write](GrammarText&) { return write(text); };
    want(
        fields, name, field, [text, compile](Grammars& grammars) { return (grammars.*compile)(text); }, as_part);
  }

  void add_choice(RequestFields& fields, std::string_view name, const std::string& field) {
    if (!is_asked(fields, name)) return;
    const Value& value = *fields.find(name);
    std::vector<std::string> texts;
    if (!value.is_sequence()) return fields.refuse(name, "must be an array of strings");
    for (const Value& text : value.items()) {
      if (!text.is_string()) return fields.refuse(name, "must be an array of strings");
      texts.push_back(text.text());
    }
    want(
        fields, name, field, [texts](Grammars& grammars) { return grammars.choice(texts); },
        [texts](GrammarText&) { return choice_grammar(texts); });
  }

  RequestFields& fields_;
  std::optional<WantedOutput> wanted_;
};

}  // namespace

std::optional<WantedOutput> read_structured_output(RequestFields& fields) { return Reader(fields).read(); }

ApiError output_error(const WantedOutput& wanted, const Error& error) {
  if (error.code != ErrorCode::kInvalidArgument && error.code != ErrorCode::kUnsupported) return api_error(error);
  return invalid_field(wanted.field, fmt::format("{}: {}", wanted.field, error.to_string()));
}

}  // namespace ingle
