#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "grammar/json_schema.h"
#include "grammar/regex.h"
#include "grammar/schema_converter.h"
#include "grammar/string_formats.h"

namespace ingle {

using jinja::Kind;
using jinja::Value;
using Expression = GrammarText::Expression;

namespace {

constexpr int64_t kMaxBound = 999'999'999'999'999;  // of numbers; doubles keep these apart
constexpr int64_t kMaxModulus = 100;                // of multipleOf, without bounds
constexpr int64_t kMaxMultiples = 1000;             // within bounds

const char* bound_keyword(bool upper, bool exclusive) {
  return upper ? (exclusive ? "exclusiveMaximum" : "maximum") : (exclusive ? "exclusiveMinimum" : "minimum");
}

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

}  // namespace ingle
