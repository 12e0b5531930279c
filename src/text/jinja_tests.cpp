// The tests of `is`.
#include <algorithm>
#include <unordered_map>

#include "text/jinja_runtime.h"
#include "text/jinja_unicode.h"

namespace ingle::jinja {

namespace {

// Tests that only look at the value.
template <bool (*test)(const Value&)>
Value unary(Runtime&, const Value& v, Args& args) {
  const Bound b("test", args, {}, 0);
  return test(v);
}

bool is_defined(const Value& v) { return !v.is_undefined(); }
bool is_undefined(const Value& v) { return v.is_undefined(); }
bool is_none(const Value& v) { return v.is_none(); }
bool is_boolean(const Value& v) { return v.is(Kind::kBool); }
bool is_true(const Value& v) { return v.is(Kind::kBool) && v.as_bool(); }
bool is_false(const Value& v) { return v.is(Kind::kBool) && !v.as_bool(); }
bool is_integer(const Value& v) { return v.is(Kind::kInt) || v.is(Kind::kBigInt); }
bool is_float(const Value& v) { return v.is(Kind::kFloat); }
bool is_number(const Value& v) { return v.is_number() || v.is(Kind::kBigInt); }
bool is_string(const Value& v) { return v.is_string(); }
bool is_mapping(const Value& v) { return v.is_dict(); }
bool is_escaped(const Value& v) { return v.is_string() && v.str().markup; }

// What has a length and can be subscripted. Jinja's undefined claims to.
bool is_sequence(const Value& v) {
  return v.is_string() || v.is_sequence() || v.is_dict() || v.is(Kind::kRange) || v.is_undefined();
}

bool is_iterable(const Value& v) {
  return is_sequence(v) || v.is(Kind::kDictView) || v.is(Kind::kGenerator) || v.is(Kind::kLoop);
}

bool is_callable(const Value& v) {
  return v.is(Kind::kFunction) || v.is(Kind::kMacro) || v.is(Kind::kLoop) || v.is(Kind::kJoiner) || v.is_undefined();
}

Value remainder(Runtime& rt, const Value& v, Value by) { return arithmetic(rt, Op::kMod, v, by); }

Value odd(Runtime& rt, const Value& v, Args& args) {
  const Bound b("odd", args, {}, 0);
  return equal(remainder(rt, v, 2), 1);
}

Value even(Runtime& rt, const Value& v, Args& args) {
  const Bound b("even", args, {}, 0);
  return equal(remainder(rt, v, 2), 0);
}

Value divisible_by(Runtime& rt, const Value& v, Args& args) {
  const Bound b("divisibleby", args, {"num"}, 1);
  return equal(remainder(rt, v, b[0]), 0);
}

template <bool (*wanted)(uint32_t), bool (*other)(uint32_t)>
Value has_case(Runtime& rt, const Value& v, Args& args) {
  const Bound b("test", args, {}, 0);
  const std::string text = rt.to_str(v);
  rt.budget.work(text.size());
  bool any = false;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = decode_utf8(text, &at);
    if (other(c) || is_title(c)) return false;
    any = any || wanted(c);
  }
  return any;
}

template <Op op>
Value compared(Runtime& rt, const Value& v, Args& args) {
  if (!args.keyword.empty()) fail("a comparison takes no keyword arguments");
  const Bound b("comparison", args, {"other"}, 1);
  return compare(rt, op, v, b[0]);
}

Value in(Runtime& rt, const Value& v, Args& args) {
  const Bound b("in", args, {"seq"}, 1);
  return rt.contains(b[0], v);
}

Value same_as(Runtime& rt, const Value& v, Args& args) {
  const Bound b("sameas", args, {"other"}, 1);
  rt.budget.step(std::min(v.weight(), b[0].weight()));
  return v.same_as(b[0]);
}

template <NativeFn (*lookup)(std::string_view)>
Value exists(Runtime& rt, const Value& v, Args& args) {
  const Bound b("test", args, {}, 0);
  rt.need_hashable(v);
  return v.is_string() && lookup(v.text()) != nullptr;
}

}  // namespace

NativeFn find_test(std::string_view name) {
  static const std::unordered_map<std::string_view, NativeFn> kTests = {
      {"odd", odd},
      {"even", even},
      {"divisibleby", divisible_by},
      {"defined", unary<is_defined>},
      {"undefined", unary<is_undefined>},
      {"filter", exists<find_filter>},
      {"test", exists<find_test>},
      {"none", unary<is_none>},
      {"boolean", unary<is_boolean>},
      {"false", unary<is_false>},
      {"true", unary<is_true>},
      {"integer", unary<is_integer>},
      {"float", unary<is_float>},
      {"lower", has_case<is_lower, is_upper>},
      {"upper", has_case<is_upper, is_lower>},
      {"string", unary<is_string>},
      {"mapping", unary<is_mapping>},
      {"number", unary<is_number>},
      {"sequence", unary<is_sequence>},
      {"iterable", unary<is_iterable>},
      {"callable", unary<is_callable>},
      {"sameas", same_as},
      {"escaped", unary<is_escaped>},
      {"in", in},
      {"==", compared<Op::kEq>},
      {"eq", compared<Op::kEq>},
      {"equalto", compared<Op::kEq>},
      {"!=", compared<Op::kNe>},
      {"ne", compared<Op::kNe>},
      {">", compared<Op::kGt>},
      {"gt", compared<Op::kGt>},
      {"greaterthan", compared<Op::kGt>},
      {"ge", compared<Op::kGe>},
      {">=", compared<Op::kGe>},
      {"<", compared<Op::kLt>},
      {"lt", compared<Op::kLt>},
      {"lessthan", compared<Op::kLt>},
      {"<=", compared<Op::kLe>},
      {"le", compared<Op::kLe>},
  };
  const auto it = kTests.find(name);
  return it == kTests.end() ? nullptr : it->second;
}

}  // namespace ingle::jinja
