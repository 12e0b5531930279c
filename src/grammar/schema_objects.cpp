#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "grammar/code_points.h"
#include "grammar/json_schema.h"
#include "grammar/regex.h"
#include "grammar/schema_converter.h"
#include "grammar/string_formats.h"
#include "grammar/value_text.h"
#include "text/utf8.h"

namespace ingle {

using jinja::Kind;
using jinja::Value;
using Expression = GrammarText::Expression;

namespace {

constexpr size_t kMaxNameBytes = 512;  // of a property
constexpr size_t kMaxNameNodes = 80;

// Property names as a tree of their characters.
struct NameTree {
  std::map<uint32_t, std::unique_ptr<NameTree>> next;
  bool ends = false;  // a name
  bool cut = false;   // a name goes on here, but this is as far as the tree does

  // The rest of a key, with the quotation mark, that is none of the names from here on.
  std::optional<Expression> rest_of_others(GrammarText& text) const {
    std::vector<Expression> options;
    if (!ends) options.push_back(GrammarText::literal("\""));
    if (cut) return options.empty() ? std::optional<Expression>() : text.rule(options[0]);
    std::vector<CodePoints::Range> taken = {{0, 0x1f}, {'"', '"'}, {'\\', '\\'}};
    for (const auto& [code, child] : next) taken.push_back({code, code});
    options.push_back(
        GrammarText::sequence({CodePoints(std::move(taken)).complement().character_class(), json_string_rest(text)}));
    for (const auto& [code, child] : next) {
      std::string character;
      append_utf8(character, code);
      const std::optional<Expression> rest = child->rest_of_others(text);
      if (rest) options.push_back(GrammarText::sequence({GrammarText::literal(character), *rest}));
    }
    return text.rule(GrammarText::choice(options));
  }
};

}  // namespace

Result<Expression> SchemaConverter::object(const SchemaNode& node) {
  if (const Value* named = node.find("properties"); named != nullptr && !named->is_dict()) {
    return invalid(node, "properties", "must be an object");
  }
  if (!node.has("properties") && !node.has("required")) return map(node);
  for (const char* keyword : {"patternProperties", "propertyNames"}) {
    if (node.has(keyword)) return unsupported(node, keyword, "beside properties or required is");
  }
  ASSIGN_OR_RETURN(const Counts count, counts(node, "minProperties", "maxProperties"));
  ASSIGN_OR_RETURN(const std::vector<Property> known, properties(node));
  std::vector<std::string> names;
  uint32_t required = 0;
  for (const Property& one : known) {
    names.push_back(one.name);
    required += one.required;
  }
  ASSIGN_OR_RETURN(const std::optional<Expression> further, further_properties(node, names));
  if (known.empty() && !further && count.min > 0) return invalid(node, "minProperties", "is more than there may be");
  if (count.min > std::max(required, 1u)) {
    return unsupported(node, "minProperties", "above 1 and above the number of required ones is");
  }
  if (count.max != kNoLimit && (further || count.max < known.size())) {
    return unsupported(node, "maxProperties", "below the number of properties is");
  }
  const bool may_be_empty = required == 0 && count.min == 0;
  return braces(members(known, further), may_be_empty);
}

Result<SchemaConverter::Property> SchemaConverter::property(const SchemaNode& node, const std::string& name,
                                                            const Expression& value, bool required) {
  const std::optional<std::string> key = value_text(Value::string(name));
  if (!key || name.size() > kMaxNameBytes) {
    return unsupported(node, "properties", fmt::format("with a name beyond {} bytes of UTF-8 is", kMaxNameBytes));
  }
  return Property{name, text_.rule(GrammarText::sequence({GrammarText::literal(*key + ":"), json_space(text_), value})),
                  required};
}

// Those that the schema names, in its order; then those that it only requires.
Result<std::vector<SchemaConverter::Property>> SchemaConverter::properties(const SchemaNode& node) {
  std::vector<std::string> required;
  if (const Value* given = node.find("required")) {
    const bool names = given->is_sequence() && std::all_of(given->items().begin(), given->items().end(),
                                                           [](const Value& name) { return name.is_string(); });
    if (!names) return invalid(node, "required", "must be an array of names");
    for (const Value& name : given->items()) required.push_back(name.text());
  }
  std::set<std::string> missing(required.begin(), required.end());
  std::vector<Property> out;
  if (const Value* given = node.find("properties")) {
    for (const auto& [key, value] : given->dict_object().entries) {
      const bool is_required = missing.erase(key.text()) > 0;
      if (!is_required && value.is(Kind::kBool) && !value.as_bool()) continue;  // may not be there
      if (key.text().size() > kMaxNameBytes) return property(node, key.text(), "", false).error();
      ASSIGN_OR_RETURN(const Expression one, schema(value, node.place + "/properties/" + key.text(), node.depth + 1));
      ASSIGN_OR_RETURN(Property made, property(node, key.text(), one, is_required));
      out.push_back(std::move(made));
    }
  }
  const Value* others = node.find("additionalProperties");
  for (const std::string& name : required) {
    if (missing.erase(name) == 0) continue;
    ASSIGN_OR_RETURN(const Expression one, others == nullptr
                                               ? Result<Expression>(any_json(text_))
                                               : schema(*others, node.place + "/additionalProperties", node.depth + 1));
    ASSIGN_OR_RETURN(Property made, property(node, name, one, true));
    out.push_back(std::move(made));
  }
  return out;
}

// Members under other names, where `additionalProperties` says what they are.
Result<std::optional<Expression>> SchemaConverter::further_properties(const SchemaNode& node,
                                                                      const std::vector<std::string>& names) {
  const Value* value = node.find("additionalProperties");
  if (value == nullptr || (value->is(Kind::kBool) && !value->as_bool())) return std::optional<Expression>();
  ASSIGN_OR_RETURN(const Expression one, schema(*value, node.place + "/additionalProperties", node.depth + 1));
  std::vector<std::string> all = names;
  if (const Value* given = node.find("properties")) {
    for (const auto& [key, forbidden] : given->dict_object().entries) all.push_back(key.text());
  }
  return std::optional(
      text_.rule(GrammarText::sequence({key_other_than(all), GrammarText::literal(":"), json_space(text_), one})));
}

// Where a name has what a key would escape, no key here begins like it: escapes come after the first difference. Where
// the names are many, keys that begin like one of them are left out too, since each node of the tree takes milliseconds
// to compile.
Expression SchemaConverter::key_other_than(const std::vector<std::string>& names) {
  struct Place {
    NameTree* tree;
    std::string_view rest;
  };
  NameTree root;
  size_t nodes = 1;
  std::vector<Place> places;
  for (const std::string& name : names) places.push_back({&root, name});
  while (!places.empty()) {
    std::vector<Place> next;
    for (const Place& place : places) {
      if (place.rest.empty()) {
        place.tree->ends = true;
        continue;
      }
      const Utf8Char c = decode_utf8(place.rest);
      const bool plain = c.kind == Utf8Kind::kValid && c.codepoint >= 0x20 && c.codepoint != '"' && c.codepoint != '\\';
      if (!plain) continue;
      std::unique_ptr<NameTree>& child = place.tree->next[c.codepoint];
      if (child == nullptr) {
        child = std::make_unique<NameTree>();
        nodes++;
      }
      next.push_back({child.get(), place.rest.substr(c.size_bytes)});
    }
    places = std::move(next);
    if (nodes < kMaxNameNodes) continue;
    for (const Place& place : places) place.rest.empty() ? place.tree->ends = true : place.tree->cut = true;
    break;
  }
  return GrammarText::sequence({GrammarText::literal("\""), *root.rest_of_others(text_)});
}

// In order, each once, the optional ones or not; then any number of further ones.
Expression SchemaConverter::members(const std::vector<Property>& properties, const std::optional<Expression>& further) {
  const Expression comma = GrammarText::sequence({GrammarText::literal(","), json_space(text_)});
  const auto count = properties.size();
  std::vector<Expression> after(count + 1);  // what may follow the i-th, or the braces' beginning, with its comma
  after[count] = further ? text_.rule(text_.repeat(GrammarText::sequence({comma, *further}), 0, kNoLimit))
                         : GrammarText::literal("");
  for (size_t i = count; i-- > 0;) {
    const Expression here = GrammarText::sequence({comma, properties[i].expression, after[i + 1]});
    after[i] = text_.rule(properties[i].required ? here : GrammarText::choice({after[i + 1], here}));
  }
  std::vector<Expression> options;
  size_t i = 0;
  for (; i < count; i++) {
    options.push_back(GrammarText::sequence({properties[i].expression, after[i + 1]}));
    if (properties[i].required) break;
  }
  if (i == count && further) options.push_back(GrammarText::sequence({*further, after[count]}));
  if (options.empty()) return "";
  return text_.rule(GrammarText::choice(options));
}

Expression SchemaConverter::braces(const Expression& members, bool may_be_empty) {
  const Expression open = GrammarText::sequence({GrammarText::literal("{"), json_space(text_)});
  const Expression close = GrammarText::literal("}");
  if (members.empty()) return GrammarText::sequence({open, close});
  const Expression content = GrammarText::sequence({members, json_space(text_)});
  return text_.rule(GrammarText::sequence({open, may_be_empty ? GrammarText::optional(content) : content, close}));
}

// Objects whose names the schema does not list.
Result<Expression> SchemaConverter::map(const SchemaNode& node) {
  ASSIGN_OR_RETURN(const Counts count, counts(node, "minProperties", "maxProperties"));
  if (count.min > 1) return unsupported(node, "minProperties", "above 1 without properties is");
  const Value* patterns = node.find("patternProperties");
  const Value* others = node.find("additionalProperties");
  if (patterns == nullptr && others == nullptr && !node.has("propertyNames") && !count.limited()) {
    return node.has("unevaluatedProperties") ? braces("", true) : any_json_object(text_);
  }
  Expression name, value;
  if (patterns != nullptr) {
    if (!patterns->is_dict()) return invalid(node, "patternProperties", "must be an object");
    const jinja::Entries& entries = patterns->dict_object().entries;
    const bool alone = others == nullptr || (others->is(Kind::kBool) && !others->as_bool());
    if (entries.size() != 1 || !alone || node.has("propertyNames")) {
      return unsupported(node, "patternProperties",
                         "with several patterns or beside additionalProperties or propertyNames is");
    }
    const Result<Expression> matching = regex_grammar(entries[0].first.text(), RegexUse::kSearchInJson);
    if (!matching.ok()) return invalid(node, "patternProperties", matching.error().message);
    name = text_.rule(*matching);
    const std::string place = node.place + "/patternProperties/" + entries[0].first.text().substr(0, 64);
    ASSIGN_OR_RETURN(value, schema(entries[0].second, place, node.depth + 1));
  } else {
    const bool none = others != nullptr && others->is(Kind::kBool) && !others->as_bool();
    if ((none || count.max == 0) && count.min > 0) return invalid(node, "minProperties", "is more than there may be");
    if (none || count.max == 0) return braces("", true);
    ASSIGN_OR_RETURN(name, key(node));
    ASSIGN_OR_RETURN(value, others == nullptr ? Result<Expression>(any_json(text_))
                                              : schema(*others, node.place + "/additionalProperties", node.depth + 1));
  }
  const Expression member =
      text_.rule(GrammarText::sequence({name, GrammarText::literal(":"), json_space(text_), value}));
  if (count.max == 0) return braces("", true);
  const Expression more = text_.rule(GrammarText::sequence({GrammarText::literal(","), json_space(text_), member}));
  const Expression all =
      GrammarText::sequence({member, text_.repeat(more, 0, count.max == kNoLimit ? kNoLimit : count.max - 1)});
  return braces(text_.rule(all), count.min == 0);
}

// A key, as `propertyNames` wants it.
Result<Expression> SchemaConverter::key(const SchemaNode& node) {
  const Value* names = node.find("propertyNames");
  if (names == nullptr || (names->is(Kind::kBool) && names->as_bool())) {
    return GrammarText::sequence({GrammarText::literal("\""), json_string_rest(text_)});
  }
  if (!names->is_dict()) return unsupported(node, "propertyNames", "other than a schema for strings is");
  const SchemaNode inner = {names->dict_object(), node.place + "/propertyNames", node.depth + 1};
  RETURN_IF_ERROR(check_keywords(inner));
  for (const char* keyword : {"$ref", "anyOf", "oneOf", "allOf", "enum", "const"}) {
    if (inner.has(keyword)) return unsupported(inner, keyword, "here is");
  }
  if (inner.has("type") && declared_types(inner.keywords) != kStringType) {
    return unsupported(inner, "type", "other than string is");
  }
  return string(inner);
}

}  // namespace ingle
