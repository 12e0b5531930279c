#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
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

constexpr int64_t kMaxBound = 999'999'999'999'999;  // of numbers; doubles keep these apart
constexpr int64_t kMaxModulus = 100;                // of multipleOf, without bounds
constexpr int64_t kMaxMultiples = 1000;             // within bounds
constexpr size_t kMaxNameBytes = 512;               // of a property
constexpr size_t kMaxNameNodes = 80;

const char* bound_keyword(bool upper, bool exclusive) {
  return upper ? (exclusive ? "exclusiveMaximum" : "maximum") : (exclusive ? "exclusiveMinimum" : "minimum");
}

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

Expression json_space(GrammarText& text) {
  if (!text.has("ws")) text.define("ws", R"("" | " " | "\n" [ \t]{0,32})");
  return "ws";
}

Expression any_json_object(GrammarText& text) {
  any_json(text);
  return "object";
}

Expression any_json(GrammarText& text) {
  if (!text.has("value")) {
    json_space(text);
    any_number(text);
    text.define("value", fmt::format(R"(object | array | "\"" {} | number | "true" | "false" | "null")",
                                     json_string_rest(text)));
    text.define("array", R"("[" ws (value ("," ws value)* ws)? "]")");
    text.define("member", fmt::format(R"("\"" {} ":" ws value)", json_string_rest(text)));
    text.define("object", R"("{" ws (member ("," ws member)* ws)? "}")");
  }
  return "value";
}

Result<SchemaConverter::Counts> SchemaConverter::counts(const SchemaNode& node, std::string_view min,
                                                        std::string_view max) const {
  Counts out;
  for (const std::string_view keyword : {min, max}) {
    const Value* value = node.find(keyword);
    if (value == nullptr) continue;
    double count = -1;
    if (value->is(Kind::kInt) || value->is(Kind::kFloat)) {
      count = value->as_double();
    } else if (value->is(Kind::kBigInt) && !value->as<jinja::BigIntObj>().digits.starts_with('-')) {
      count = std::numeric_limits<double>::max();
    }
    if (!(count >= 0) || count != std::floor(count)) {
      return invalid(node, keyword, "must be a whole number, not negative");
    }
    if (keyword == min) {
      if (count > kMaxCounted) return unsupported(node, keyword, fmt::format("above {} is", kMaxCounted));
      out.min = static_cast<uint32_t>(count);
    } else {
      out.max = static_cast<uint32_t>(std::min(count, static_cast<double>(kMaxCounted)));
      if (count < out.min) return invalid(node, keyword, fmt::format("is less than {}", min));
    }
  }
  return out;
}

Result<Expression> SchemaConverter::string(const SchemaNode& node) {
  ASSIGN_OR_RETURN(const Counts length, counts(node, "minLength", "maxLength"));
  const Value* format = node.find("format");
  const Value* pattern = node.find("pattern");
  if (format != nullptr && !format->is_string()) return invalid(node, "format", "must be a string");
  if (pattern != nullptr && !pattern->is_string()) return invalid(node, "pattern", "must be a string");
  if (format != nullptr && !is_format_of_any_text(format->text())) {
    const std::string_view whole = format_pattern(format->text());
    if (whole.empty()) return unsupported(node, "format", fmt::format("other than {} is", known_formats()));
    if (pattern != nullptr) return unsupported(node, "pattern", "beside format is");
    if (length.min > 1 || length.max != kNoLimit) {
      return unsupported(node, length.max != kNoLimit ? "maxLength" : "minLength", "beside format is");
    }
    ASSIGN_OR_RETURN(const Expression all, regex_grammar(whole, RegexUse::kJsonString));
    return text_.rule(all);
  }
  if (pattern != nullptr) {
    if (length.limited()) {
      return unsupported(node, node.has("maxLength") ? "maxLength" : "minLength", "beside pattern is");
    }
    const Result<Expression> all = regex_grammar(pattern->text(), RegexUse::kSearchInJson);
    if (!all.ok()) return invalid(node, "pattern", all.error().message);
    return text_.rule(*all);
  }
  if (!length.limited()) return GrammarText::sequence({GrammarText::literal("\""), json_string_rest(text_)});
  if (length.max == kNoLimit) return text_.rule(long_string(length.min));
  // Without escapes: counted, they would make the grammar slow to follow.
  const Expression body = text_.repeat(Expression(kPlainInJson), length.min, length.max);
  return text_.rule(GrammarText::sequence({GrammarText::literal("\""), body, GrammarText::literal("\"")}));
}

// At least so many characters, escapes counted as one each.
Expression SchemaConverter::long_string(uint32_t least) {
  const Expression rest = json_string_rest(text_);
  const Expression one = text_.rule(fmt::format(R"({} | "\\" escape)", kPlainInJson));
  return GrammarText::sequence({GrammarText::literal("\""), text_.repeat(one, least, least), rest});
}

Result<const Value*> SchemaConverter::find_number(const SchemaNode& node, const char* keyword) const {
  const Value* value = node.find(keyword);
  const bool fits = value == nullptr || value->is(Kind::kInt) || value->is(Kind::kFloat) || value->is(Kind::kBigInt);
  if (!fits) return invalid(node, keyword, "must be a number");
  return value;
}

// The tighter of the inclusive and the exclusive bound, as an inclusive one.
Result<std::optional<int64_t>> SchemaConverter::integer_bound(const SchemaNode& node, bool upper) const {
  std::optional<int64_t> out;
  for (const bool exclusive : {false, true}) {
    const char* keyword = bound_keyword(upper, exclusive);
    ASSIGN_OR_RETURN(const Value* value, find_number(node, keyword));
    if (value == nullptr) continue;
    const double limit = static_cast<double>(kMaxBound);
    if (value->is(Kind::kBigInt) || !(std::fabs(value->as_double()) <= limit)) {
      return unsupported(node, keyword, "of 10^15 or more is");
    }
    const double rounded = upper ? std::floor(value->as_double()) : std::ceil(value->as_double());
    auto bound = static_cast<int64_t>(rounded);
    if (exclusive && rounded == value->as_double()) bound += upper ? -1 : 1;
    out = !out ? bound : upper ? std::min(*out, bound) : std::max(*out, bound);
  }
  return out;
}

Result<Expression> SchemaConverter::integer(const SchemaNode& node) {
  ASSIGN_OR_RETURN(const std::optional<int64_t> low, integer_bound(node, false));
  ASSIGN_OR_RETURN(const std::optional<int64_t> high, integer_bound(node, true));
  if (const Value* of = node.find("multipleOf")) {
    if (!of->is(Kind::kInt) && !of->is(Kind::kFloat)) return invalid(node, "multipleOf", "must be a number above 0");
    if (!(of->as_double() > 0)) return invalid(node, "multipleOf", "must be a number above 0");
    if (of->as_double() != std::floor(of->as_double()) || of->as_double() > static_cast<double>(kMaxBound)) {
      return unsupported(node, "multipleOf", "that is not a whole number is");
    }
    return multiples(node, static_cast<int64_t>(of->as_double()), low, high);
  }
  const std::optional<Expression> found = integer_between(text_, low, high);
  if (!found) return invalid(node, bound_keyword(true, !node.has("maximum")), "leaves no integer");
  return *found;
}

// Within bounds they are listed; without, a number's remainder is followed digit by digit.
Result<Expression> SchemaConverter::multiples(const SchemaNode& node, int64_t of, std::optional<int64_t> low,
                                              std::optional<int64_t> high) {
  if (of == 1) {
    const std::optional<Expression> found = integer_between(text_, low, high);
    return found ? Result<Expression>(*found) : invalid(node, "multipleOf", "leaves no number within the bounds");
  }
  if (low && high) {
    int64_t first = *low / of;
    if (first * of < *low) first++;
    int64_t last = *high / of;
    if (last * of > *high) last--;
    if (first > last) return invalid(node, "multipleOf", "leaves no number within the bounds");
    if (last - first >= kMaxMultiples) {
      return unsupported(node, "multipleOf", fmt::format("with more than {} values is", kMaxMultiples));
    }
    std::vector<Expression> options;
    for (int64_t i = first; i <= last; i++) options.push_back(GrammarText::literal(std::to_string(i * of)));
    return text_.rule(GrammarText::choice(options));
  }
  if (low || high) return unsupported(node, "multipleOf", "with a bound on one side is");
  if (of > kMaxModulus) return unsupported(node, "multipleOf", fmt::format("above {} without bounds is", kMaxModulus));
  std::vector<Expression> after;
  for (int64_t i = 0; i < of; i++) after.push_back(text_.reserve());
  for (int64_t i = 0; i < of; i++) {
    std::vector<Expression> options;
    if (i == 0) options.push_back(GrammarText::literal(""));
    for (int64_t digit = 0; digit < 10; digit++) {
      options.push_back(
          GrammarText::sequence({GrammarText::literal(std::to_string(digit)), after[(i * 10 + digit) % of]}));
    }
    text_.define(after[i], GrammarText::choice(options));
  }
  std::vector<Expression> begins;
  for (int64_t digit = 1; digit < 10; digit++) {
    begins.push_back(GrammarText::sequence({GrammarText::literal(std::to_string(digit)), after[digit % of]}));
  }
  return text_.rule(GrammarText::choice(
      {GrammarText::literal("0"),
       GrammarText::sequence({GrammarText::optional(GrammarText::literal("-")), GrammarText::choice(begins)})}));
}

Result<std::optional<NumberBound>> SchemaConverter::number_bound(const SchemaNode& node, bool upper) const {
  std::optional<NumberBound> out;
  double tightest = 0;
  for (const bool exclusive : {false, true}) {
    const char* keyword = bound_keyword(upper, exclusive);
    ASSIGN_OR_RETURN(const Value* value, find_number(node, keyword));
    if (value == nullptr) continue;
    const double bound = value->is(Kind::kBigInt) ? std::numeric_limits<double>::infinity() : value->as_double();
    const std::optional<Decimal> decimal =
        std::fabs(bound) <= static_cast<double>(kMaxBound) ? to_decimal(bound) : std::nullopt;
    if (!decimal) return unsupported(node, keyword, "with more than 15 digits is");
    if (!out || (upper ? bound <= tightest : bound >= tightest)) {
      out = NumberBound{*decimal, exclusive};
      tightest = bound;
    }
  }
  return out;
}

Result<Expression> SchemaConverter::number(const SchemaNode& node) {
  if (node.has("multipleOf")) return integer(node);  // of a whole number, all of them are whole
  ASSIGN_OR_RETURN(const std::optional<NumberBound> low, number_bound(node, false));
  ASSIGN_OR_RETURN(const std::optional<NumberBound> high, number_bound(node, true));
  const std::optional<Expression> found = number_between(text_, low, high);
  if (!found) return invalid(node, bound_keyword(true, !node.has("maximum")), "leaves no number");
  return text_.rule(*found);
}

Result<Expression> SchemaConverter::array(const SchemaNode& node) {
  ASSIGN_OR_RETURN(const Counts count, counts(node, "minItems", "maxItems"));
  std::vector<Expression> first;
  if (const Value* prefix = node.find("prefixItems")) {
    if (!prefix->is_sequence()) return invalid(node, "prefixItems", "must be an array of schemas");
    for (size_t i = 0; i < prefix->items().size() && i < count.max; i++) {
      ASSIGN_OR_RETURN(Expression item,
                       schema(prefix->items()[i], fmt::format("{}/prefixItems/{}", node.place, i), node.depth + 1));
      first.push_back(std::move(item));
    }
  }
  std::optional<Expression> further;
  const Value* items = node.find("items");
  const bool none_further =
      items != nullptr ? items->is(Kind::kBool) && !items->as_bool() : node.has("unevaluatedItems");
  if (!none_further && count.max > first.size()) {
    if (items != nullptr && items->is_sequence())
      return unsupported(node, "items", "with a list of schemas (prefixItems) is");
    ASSIGN_OR_RETURN(further, items == nullptr ? Result<Expression>(any_json(text_))
                                               : schema(*items, node.place + "/items", node.depth + 1));
  }
  const auto given = static_cast<uint32_t>(first.size());
  if (!further && count.min > given) return invalid(node, "minItems", "is more than the items there may be");
  const Expression comma = GrammarText::sequence({GrammarText::literal(","), json_space(text_)});
  // What may follow the items before, from the last to the first.
  Expression rest = GrammarText::literal("");
  if (further && given == 0) {
    const uint32_t more_max = count.max == kNoLimit ? kNoLimit : count.max - 1;
    rest = GrammarText::sequence({*further, text_.repeat(text_.rule(GrammarText::sequence({comma, *further})),
                                                         std::max(count.min, 1u) - 1, more_max)});
  } else if (further) {
    rest = text_.repeat(text_.rule(GrammarText::sequence({comma, *further})), count.min - std::min(count.min, given),
                        count.max == kNoLimit ? kNoLimit : count.max - given);
  }
  for (uint32_t i = given; i-- > 0;) {
    const Expression here =
        i == 0 ? GrammarText::sequence({first[0], rest}) : GrammarText::sequence({comma, first[i], rest});
    rest = text_.rule(i > 0 && i >= count.min ? GrammarText::optional(here) : here);
  }
  const bool any = further || given > 0;
  const Expression open = GrammarText::sequence({GrammarText::literal("["), json_space(text_)});
  const Expression close = GrammarText::literal("]");
  if (!any) return GrammarText::sequence({open, close});
  const Expression content = GrammarText::sequence({rest, json_space(text_)});
  return text_.rule(GrammarText::sequence({open, count.min == 0 ? GrammarText::optional(content) : content, close}));
}

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
