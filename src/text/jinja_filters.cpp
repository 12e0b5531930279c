// Filters of single values, and the table of all filters.
#include "text/jinja_filters.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "text/jinja_numbers.h"
#include "text/json_value.h"

namespace ingle::jinja {

namespace {

Value absolute(Runtime&, const Value& v, Args& args) {
  const Bound b("abs", args, {}, 0);
  if (v.is_undefined()) fail(std::string("bad operand type for abs(): 'Undefined'"));
  if (v.is(Kind::kFloat)) return std::fabs(v.as_double());
  if (!v.is_int()) fail(std::string("bad operand type for abs(): '") + v.type_name() + "'");
  return v.as_int() < 0 ? negate(v) : Value(v.as_int());
}

Value attr(Runtime& rt, const Value& v, Args& args) {
  const Bound b("attr", args, {"name"}, 1);
  Value out;
  if (find_attribute(rt, v, b.text(0), &out)) return get_attribute(rt, v, b.text(0));
  return rt.undefined(std::string("'") + v.type_name() + " object' has no attribute '" + b.text(0) + "'");
}

Value default_value(Runtime& rt, const Value& v, Args& args) {
  const Bound b("default", args, {"default_value", "boolean"}, 0);
  if (v.is_undefined() || (b.truthy(1, false) && !v.truthy())) return b.get(0, rt.str(""));
  return v;
}

// int(float): throws for what is no integer at all.
std::optional<Value> truncated(Runtime& rt, double d) {
  if (std::isnan(d) || std::isinf(d)) return std::nullopt;
  if (std::fabs(d) >= 9223372036854775808.0) {
    char digits[400];
    std::snprintf(digits, sizeof digits, "%.0f", std::trunc(d));
    return Value::big_int(digits, &rt.budget);
  }
  return Value(static_cast<int64_t>(d));
}

Value to_int(Runtime& rt, const Value& v, Args& args) {
  const Bound b("int", args, {"default", "base"}, 0);
  const Value otherwise = b.get(0, 0);
  if (v.is_undefined()) fail_undefined(v);
  if (v.is_int()) return v.as_int();
  if (v.is(Kind::kBigInt)) return v;
  if (v.is(Kind::kFloat)) {
    if (std::isinf(v.as_double())) fail("cannot convert float infinity to integer");
    return truncated(rt, v.as_double()).value_or(otherwise);
  }
  if (!v.is_string()) return otherwise;
  const int64_t base = b.integer(1, 10);
  rt.budget.work(4 * v.text().size());
  if (base == 0 || (base >= 2 && base <= 36)) {
    if (auto i = int_of_text(v.text(), static_cast<int>(base), &rt.budget)) return *i;
  }
  const auto d = float_of_text(v.text());
  return d ? truncated(rt, *d).value_or(otherwise) : otherwise;
}

Value to_float(Runtime& rt, const Value& v, Args& args) {
  const Bound b("float", args, {"default"}, 0);
  if (v.is_undefined()) fail_undefined(v);
  if (v.is_number()) return v.as_double();
  if (v.is(Kind::kBigInt)) {
    const double d = parse_double(v.as<BigIntObj>().digits);
    if (std::isinf(d)) fail("int too large to convert to float");
    return d;
  }
  if (!v.is_string()) return b.get(0, 0.0);
  rt.budget.work(4 * v.text().size());
  const auto d = float_of_text(v.text());
  return d ? Value(*d) : b.get(0, 0.0);
}

// Python's round(x, digits): to the nearest, ties to even, of the exact decimal value.
double round_float(Runtime& rt, double x, int64_t digits) {
  if (!std::isfinite(x) || x == 0 || digits > 323) return x;
  if (digits < -308) return std::copysign(0.0, x);
  rt.budget.work(1000);  // writing hundreds of digits exactly takes that long
  char text[700];
  if (digits >= 0) {
    std::snprintf(text, sizeof text, "%.*f", static_cast<int>(digits), x);
    return parse_double(text);
  }
  // The digits before the point that are kept, of the exact value.
  std::snprintf(text, sizeof text, "%.0e", x);
  const auto unit = std::pow(10.0, static_cast<double>(-digits));
  const double quotient = std::fabs(x) / unit;
  double kept = std::floor(quotient);
  const double rest = std::fmod(std::fabs(x), unit) * 2;
  if (rest > unit || (rest == unit && std::fmod(kept, 2) != 0)) kept += 1;
  return std::copysign(kept * unit, x);
}

Value round_int(int64_t x, int64_t digits) {
  if (digits >= 0) return x;
  if (digits < -18) return 0;
  int64_t unit = 1;
  for (int64_t i = 0; i < -digits; ++i) unit *= 10;
  const int64_t rest = ((x % unit) + unit) % unit;
  int64_t down = 0;
  if (__builtin_sub_overflow(x, rest, &down)) fail("an integer does not fit into 64 bits");
  const bool up = rest > unit - rest || (rest == unit - rest && (down / unit) % 2 != 0);
  int64_t result = down;
  if (up && __builtin_add_overflow(down, unit, &result)) fail("an integer does not fit into 64 bits");
  return result;
}

Value round(Runtime& rt, const Value& v, Args& args) {
  const Bound b("round", args, {"precision", "method"}, 0);
  const std::string method = b.has(1) && b[1].is_string() ? b[1].text() : b.has(1) ? "" : "common";
  if (method != "common" && method != "ceil" && method != "floor") fail("method must be common, ceil or floor");
  if (v.is_undefined()) fail_undefined(v);
  if (!v.is_number()) fail(std::string("type ") + v.type_name() + " doesn't define __round__ method");
  const int64_t digits = b.integer(0, 0);
  if (method == "common")
    return v.is_int() ? round_int(v.as_int(), digits) : Value(round_float(rt, v.as_double(), digits));
  const Value power = arithmetic(rt, Op::kPow, 10, digits);
  const Value scaled = arithmetic(rt, Op::kMul, v, power);
  const double d = scaled.as_double();
  if (!std::isfinite(d)) fail("cannot convert float infinity or NaN to integer");
  const Value whole = scaled.is_int() ? scaled : Value(method == "ceil" ? std::ceil(d) : std::floor(d));
  return arithmetic(rt, Op::kDiv, whole, power);
}

Value filesizeformat(Runtime& rt, const Value& v, Args& args) {
  const Bound b("filesizeformat", args, {"binary"}, 0);
  Args none;
  if (!v.is_number() && !(v.is_string() && float_of_text(v.text()))) fail("filesizeformat needs a number");
  const double bytes = to_float(rt, v, none).as_double();
  const bool binary = b.truthy(0, false);
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return rt.str("1 Byte");
  if (bytes < base) return rt.str(rt.to_str(truncated(rt, bytes).value_or(0)) + " Bytes");
  static constexpr char kPrefixes[] = "kMGTPEZY";
  double unit = base;
  int i = 0;
  for (; i < 8; ++i) {
    unit *= base;
    if (bytes < unit) break;
  }
  i = std::min(i, 7);
  char text[400];
  const char prefix = binary ? kPrefixes[i] == 'k' ? 'K' : kPrefixes[i] : kPrefixes[i];
  std::snprintf(text, sizeof text, "%.1f %c%sB", base * bytes / unit, prefix, binary ? "i" : "");
  return rt.str(text);
}

Value format(Runtime& rt, const Value& v, Args& args) {
  if (!args.positional.empty() && !args.keyword.empty()) {
    fail("can't handle positional and keyword arguments at the same time");
  }
  Value with;
  if (args.keyword.empty()) {
    with = rt.tuple(args.positional);
  } else {
    Entries entries;
    for (auto& [name, value] : args.keyword) entries.emplace_back(rt.str(name), value);
    with = rt.dict(std::move(entries));
  }
  return format_percent(rt, rt.as_string(v), with);
}

Value to_json(Runtime& rt, const Value& v, Args& args) {
  const Bound b("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"}, 0);
  JsonStyle style;
  style.ascii = b.truthy(0, false);
  style.sort_keys = b.truthy(3, false);
  style.budget = &rt.budget;
  if (b.is_given(1)) {
    if (b[1].is_string()) {
      style.indent = b[1].text();
    } else {
      const int64_t width = std::max<int64_t>(b.integer(1, 0), 0);
      rt.budget.expect(static_cast<size_t>(width));
      if (width > 10000) fail_limit("tojson: the indent is too wide");
      style.indent = std::string(static_cast<size_t>(width), ' ');
    }
    style.item_separator = ",";
  }
  if (b.is_given(2)) {
    const Items pair = rt.to_items(b[2]);
    if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) fail("separators must be a pair of strings");
    style.item_separator = pair[0].text();
    style.key_separator = pair[1].text();
  }
  return rt.str(to_json_text(v, style));
}

Value pprint(Runtime& rt, const Value& v, Args& args) {
  const Bound b("pprint", args, {}, 0);
  std::string text = repr_of(v, &rt.budget);
  // What fits into a line is the repr with sorted keys; the layout of more is not worth having in a prompt.
  if (text.size() > 80 || text.find('{') != std::string::npos) fail("pprint of long values or dicts is not supported");
  return rt.str(std::move(text));
}

Value string(Runtime& rt, const Value& v, Args& args) {
  const Bound b("string", args, {}, 0);
  return rt.as_string(v);
}

}  // namespace

const FilterTable& value_filters() {
  static const FilterTable kTable = {
      {"abs", absolute},
      {"attr", attr},
      {"d", default_value},
      {"default", default_value},
      {"filesizeformat", filesizeformat},
      {"float", to_float},
      {"format", format},
      {"int", to_int},
      {"pprint", pprint},
      {"round", round},
      {"string", string},
      {"tojson", to_json},
  };
  return kTable;
}

NativeFn find_filter(std::string_view name) {
  for (const FilterTable* table : {&value_filters(), &sequence_filters(), &text_filters()}) {
    const auto it = table->find(name);
    if (it != table->end()) return it->second;
  }
  return nullptr;
}

}  // namespace ingle::jinja
