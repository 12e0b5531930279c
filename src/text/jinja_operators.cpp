// Arithmetic and comparison, by Python's rules. Integers are 64 bits wide here; what leaves them is an error.
#include <algorithm>
#include <cmath>
#include <limits>

#include "text/jinja_runtime.h"

namespace ingle::jinja {

namespace {

const char* symbol(Op op) {
  switch (op) {
    case Op::kAdd:
      return "+";
    case Op::kSub:
      return "-";
    case Op::kMul:
      return "*";
    case Op::kDiv:
      return "/";
    case Op::kFloorDiv:
      return "//";
    case Op::kMod:
      return "%";
    case Op::kPow:
      return "** or pow()";
    case Op::kLt:
      return "<";
    case Op::kLe:
      return "<=";
    case Op::kGt:
      return ">";
    case Op::kGe:
      return ">=";
    default:
      return "";
  }
}

[[noreturn]] void overflow() { fail("an integer does not fit into 64 bits"); }

int64_t floor_div(int64_t a, int64_t b) {
  if (b == 0) fail("integer division or modulo by zero");
  if (b == -1 && a == std::numeric_limits<int64_t>::min()) overflow();
  const int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

int64_t modulo(int64_t a, int64_t b) {
  if (b == 0) fail("integer modulo by zero");
  if (b == -1) return 0;
  const int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

double float_mod(double a, double b) {
  if (b == 0) fail("float modulo");
  double r = std::fmod(a, b);
  if (r == 0) return std::copysign(0.0, b);
  if ((b < 0) != (r < 0)) r += b;
  return r;
}

double float_floor_div(double a, double b) {
  if (b == 0) fail("float floor division by zero");
  const double mod = float_mod(a, b);
  double q = (a - std::fmod(a, b)) / b;
  if (mod != 0 && (b < 0) != (std::fmod(a, b) < 0)) q -= 1.0;
  if (q == 0) return std::copysign(0.0, a / b);
  double floored = std::floor(q);
  if (q - floored > 0.5) floored += 1.0;
  return floored;
}

Value int_pow(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) fail("0.0 cannot be raised to a negative power");
    return std::pow(static_cast<double>(base), static_cast<double>(exponent));
  }
  int64_t result = 1;
  while (true) {
    if (exponent & 1 && __builtin_mul_overflow(result, base, &result)) overflow();
    exponent >>= 1;
    if (exponent == 0) return result;
    if (__builtin_mul_overflow(base, base, &base)) overflow();
  }
}

Value float_pow(double a, double b) {
  if (a == 0 && b < 0) fail("0.0 cannot be raised to a negative power");
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) fail("complex numbers are not supported");
  const double r = std::pow(a, b);
  if (std::isinf(r) && std::isfinite(a) && std::isfinite(b)) fail("(34, 'Numerical result out of range')");
  return r;
}

Value int_arithmetic(Op op, int64_t a, int64_t b) {
  int64_t r = 0;
  switch (op) {
    case Op::kAdd:
      if (__builtin_add_overflow(a, b, &r)) overflow();
      return r;
    case Op::kSub:
      if (__builtin_sub_overflow(a, b, &r)) overflow();
      return r;
    case Op::kMul:
      if (__builtin_mul_overflow(a, b, &r)) overflow();
      return r;
    case Op::kDiv: {
      if (b == 0) fail("division by zero");
      // Correctly rounded, as Python divides: long double holds every int64.
      return static_cast<double>(static_cast<long double>(a) / static_cast<long double>(b));
    }
    case Op::kFloorDiv:
      return floor_div(a, b);
    case Op::kMod:
      return modulo(a, b);
    default:
      return int_pow(a, b);
  }
}

Value float_arithmetic(Op op, double a, double b) {
  switch (op) {
    case Op::kAdd:
      return a + b;
    case Op::kSub:
      return a - b;
    case Op::kMul:
      return a * b;
    case Op::kDiv:
      if (b == 0) fail("float division by zero");
      return a / b;
    case Op::kFloorDiv:
      return float_floor_div(a, b);
    case Op::kMod:
      return float_mod(a, b);
    default:
      return float_pow(a, b);
  }
}

Value repeat(Runtime& rt, const Value& what, int64_t times) {
  const auto n = static_cast<uint64_t>(times < 0 ? 0 : times);
  const size_t unit = what.is_string() ? what.text().size() : what.items().size() * sizeof(Value);
  size_t bytes = 0;
  if (__builtin_mul_overflow(unit, n, &bytes)) fail_limit("the template needs more memory than it may use");
  rt.budget.expect(bytes);
  if (what.is_string()) {
    std::string out;
    out.reserve(bytes);
    if (bytes > 0) out = what.text();
    // Doubled as long as that is not too much: a copy of a byte at a time would take far longer than its steps say.
    while (out.size() < bytes) out.append(out, 0, std::min(out.size(), bytes - out.size()));
    return what.str().markup ? Value::markup(std::move(out), &rt.budget) : rt.str(std::move(out));
  }
  Items items;
  if (unit > 0) {
    items.reserve(what.items().size() * n);
    for (uint64_t i = 0; i < n; ++i) items.insert(items.end(), what.items().begin(), what.items().end());
  }
  return what.is(Kind::kList) ? rt.list(std::move(items)) : rt.tuple(std::move(items));
}

Value add_strings(Runtime& rt, const Value& a, const Value& b) {
  const bool markup = a.str().markup || b.str().markup;
  const Value x = markup ? escape(rt, a) : a, y = markup ? escape(rt, b) : b;
  rt.budget.expect(x.text().size() + y.text().size());
  std::string out;
  out.reserve(x.text().size() + y.text().size());
  out += x.text();
  out += y.text();
  return markup ? Value::markup(std::move(out), &rt.budget) : rt.str(std::move(out));
}

Value add_sequences(Runtime& rt, const Value& a, const Value& b) {
  rt.budget.expect((a.items().size() + b.items().size()) * sizeof(Value));
  Items items;
  items.reserve(a.items().size() + b.items().size());
  items.insert(items.end(), a.items().begin(), a.items().end());
  items.insert(items.end(), b.items().begin(), b.items().end());
  return a.is(Kind::kList) ? rt.list(std::move(items)) : rt.tuple(std::move(items));
}

[[noreturn]] void unsupported(Op op, const Value& a, const Value& b) {
  if (op == Op::kAdd && a.is_string()) {
    fail(std::string("can only concatenate str (not \"") + b.type_name() + "\") to str");
  }
  fail(std::string("unsupported operand type(s) for ") + symbol(op) + ": '" + a.type_name() + "' and '" +
       b.type_name() + "'");
}

}  // namespace

Value arithmetic(Runtime& rt, Op op, const Value& a, const Value& b) {
  if (a.is_int() && b.is_int()) return int_arithmetic(op, a.as_int(), b.as_int());
  if (a.is_number() && b.is_number()) return float_arithmetic(op, a.as_double(), b.as_double());
  if (op == Op::kMod && a.is_string()) return format_percent(rt, a, b);
  if (a.is_undefined()) fail_undefined(a);
  if (b.is_undefined()) fail_undefined(b);
  if (a.is(Kind::kBigInt) || b.is(Kind::kBigInt)) fail("arithmetic with integers outside 64 bits is not supported");
  if (op == Op::kAdd && a.is_string() && b.is_string()) return add_strings(rt, a, b);
  if (op == Op::kAdd && a.is_sequence() && a.kind() == b.kind()) return add_sequences(rt, a, b);
  if (op == Op::kMul) {
    if ((a.is_string() || a.is_sequence()) && b.is_int()) return repeat(rt, a, b.as_int());
    if ((b.is_string() || b.is_sequence()) && a.is_int()) return repeat(rt, b, a.as_int());
  }
  unsupported(op, a, b);
}

Value negate(const Value& v) {
  if (v.is_int()) {
    if (v.as_int() == std::numeric_limits<int64_t>::min()) overflow();
    return -v.as_int();
  }
  if (v.is(Kind::kFloat)) return -v.as_double();
  fail(std::string("bad operand type for unary -: '") + v.type_name() + "'");
}

bool compare(Runtime& rt, Op op, const Value& a, const Value& b) {
  if (op == Op::kIn) return rt.contains(b, a);
  if (op == Op::kNotIn) return !rt.contains(b, a);
  rt.budget.step(std::min(a.weight(), b.weight()));
  switch (op) {
    case Op::kEq:
      return equal(a, b);
    case Op::kNe:
      return !equal(a, b);
    case Op::kLt:
      return less(a, b, "<");
    case Op::kGt:
      return less(b, a, "<");
    case Op::kLe:
      return less_or_equal(a, b);
    default:
      return less_or_equal(b, a);
  }
}

}  // namespace ingle::jinja
