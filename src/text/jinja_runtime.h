// What the built-in functions, methods, filters and tests of chat templates see of a rendering: its budget, makers of
// values charged to it, calls, iteration, attributes. The interpreter (jinja_interpreter.h) implements the rest of it.
// One Runtime serves one rendering, on one thread.
#pragma once

#include <ctime>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja_value.h"

namespace ingle::jinja {

class Runtime;

struct Args {
  Items positional;
  std::vector<std::pair<std::string, Value>> keyword;
};

// `self` is what a method is bound to, or the subject of a filter or test.
using NativeFn = Value (*)(Runtime& rt, const Value& self, Args& args);

struct FunctionObj final : Object {
  FunctionObj(NativeFn f, const char* n, Value s);
  bool same(const FunctionObj& o) const { return fn == o.fn && self.same_as(o.self); }
  NativeFn fn;
  const char* name;
  Value self;  // missing for a global function
};

struct GeneratorObj final : Object {
  using Next = std::function<bool(Runtime&, Value*)>;
  GeneratorObj(Next n, uint16_t d) : Object(Kind::kGenerator), next(std::move(n)) { depth = d; }
  Next next;  // false when exhausted; empty from then on
  bool running = false;
};

struct NamespaceObj final : Object {
  NamespaceObj() : Object(Kind::kNamespace) {}
  DictObj attributes;
  bool printing = false;  // a namespace may hold itself
};

struct CyclerObj final : Object {
  explicit CyclerObj(Items i);
  Items items;
  size_t at = 0;
};

struct JoinerObj final : Object {
  explicit JoinerObj(Value s) : Object(Kind::kJoiner), separator(std::move(s)) {}
  Value separator;
  bool used = false;
};

// Arguments matched to parameters by Python's rules. Throws when one is missing, unknown or given twice.
class Bound {
 public:
  Bound(const char* function, Args& args, std::initializer_list<const char*> names, size_t required);
  bool has(size_t i) const { return !values_[i].is_missing(); }
  const Value& operator[](size_t i) const { return values_[i]; }
  Value get(size_t i, Value otherwise) const { return has(i) ? values_[i] : std::move(otherwise); }
  bool truthy(size_t i, bool otherwise) const { return has(i) ? values_[i].truthy() : otherwise; }
  // An index or count; throws when it is not an integer.
  int64_t integer(size_t i, int64_t otherwise) const;
  // A str; throws when it is something else.
  const std::string& text(size_t i) const;
  bool is_given(size_t i) const { return has(i) && !values_[i].is_none(); }  // for parameters that default to None

 private:
  const char* function_;
  Items values_;
};

// Python's iter() over a value. Throws at once when the value can't be iterated.
class Cursor {
 public:
  Cursor(Runtime& rt, Value over);
  bool next(Value* out);  // false at the end, and then `out` is left alone
  void restart(Value over) {
    over_ = std::move(over);
    at_ = 0;
  }

 private:
  Runtime* rt_;
  Value over_;  // missing at the end
  size_t at_ = 0;
};

class Runtime {
 public:
  explicit Runtime(Budget* b) : budget(*b) {}
  virtual ~Runtime() = default;

  Budget& budget;
  std::optional<std::tm> now;  // for strftime_now; the local time when not set

  Value str(std::string text) { return Value::string(std::move(text), &budget); }
  Value list(Items items) { return Value::list(std::move(items), &budget); }
  Value tuple(Items items) { return Value::tuple(std::move(items), &budget); }
  Value dict(Entries entries) { return Value::dict(std::move(entries), &budget); }
  Value undefined(std::string why) { return Value::undefined(std::move(why), &budget); }
  Value function(NativeFn fn, const char* name, Value self = {});
  // `over` is what the generator draws on, `depth_of` its depth (and that of whatever else it holds).
  Value generator(GeneratorObj::Next next, int depth_of);
  // Takes charge of an object that was just made: it lives until its last user drops it.
  Value adopt(Object* object, size_t bytes);
  Value make_namespace();

  std::string to_str(const Value& v) { return str_of(v, &budget); }
  Value as_string(const Value& v) { return v.is_string() ? v : str(to_str(v)); }  // Jinja's soft_str
  Items to_items(const Value& iterable);
  bool contains(const Value& container, const Value& item);
  size_t length(const Value& v);         // len(); throws
  void need_hashable(const Value& key);  // throws; counts the walk over the key that finding it takes

  Value call(const Value& callee, Args& args);
  Value call_filter(std::string_view name, const Value& subject, Args& args);
  bool call_test(std::string_view name, const Value& subject, Args& args);

 protected:
  virtual Value call_macro(const Value& macro, Args& args) = 0;
  virtual Value call_loop(const Value& loop, Args& args) = 0;
  // Namespaces and generators can come to hold each other in circles and long chains, so all of them are kept until the
  // rendering ends, and emptied then.
  void empty_kept();

 private:
  std::vector<Value> kept_;
};

// Environment.getattr and Environment.getitem of Jinja's sandbox: `x.name` and `x[key]`.
Value get_attribute(Runtime& rt, const Value& object, const std::string& name);
Value get_item(Runtime& rt, const Value& object, const Value& key);
// Python's getattr() without the sandbox's rules; false when there is no such attribute.
bool find_attribute(Runtime& rt, const Value& object, const std::string& name, Value* out);
// `namespace.name = value`
void set_attribute(Runtime& rt, const Value& ns, Value name, Value value);
Value get_slice(Runtime& rt, const Value& object, const Value& start, const Value& stop, const Value& step);

enum class Op : uint8_t {
  kNone,
  kAdd,
  kSub,
  kMul,
  kDiv,
  kFloorDiv,
  kMod,
  kPow,
  kAnd,
  kOr,
  kNot,
  kNeg,
  kPos,
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,
  kIn,
  kNotIn
};
Value arithmetic(Runtime& rt, Op op, const Value& a, const Value& b);
Value negate(const Value& v);
bool compare(Runtime& rt, Op op, const Value& a, const Value& b);

// The tables of built-ins; null when there is none of that name.
NativeFn find_filter(std::string_view name);
NativeFn find_test(std::string_view name);  // a test returns a Bool
const NativeFn* find_method(Kind kind, std::string_view name);
void add_globals(Runtime& rt, DictObj* globals);

// printf-style `format % arguments`, str.format and format().
Value format_percent(Runtime& rt, const Value& format, const Value& arguments);
std::string format_braces(Runtime& rt, const std::string& format, Args& args);

Value escape(Runtime& rt, const Value& v);  // HTML-escaped markup
[[noreturn]] void fail_type(std::string message);

}  // namespace ingle::jinja
