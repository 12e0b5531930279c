// The dynamic values of a chat template, with the semantics of Python's: what a template computes with, and what
// callers hand to it (messages, tools, variables).
//
// A Value is a small handle; strings and containers are shared by reference count and never change once built, so that
// copies are cheap and a value may be read by several threads. The objects that do change (namespaces, loops, cyclers)
// live inside one rendering (jinja_runtime.h), on its thread. Containers know how deep they nest and refuse to go
// beyond kMaxDepth, so that no later walk over a value can exhaust the stack.
//
// Failing operations throw TemplateError; ChatTemplate (chat_template.h) turns it into an Error.
#pragma once

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace ingle::jinja {

// Thrown inside the interpreter only. `line` is 0 until the innermost statement being run fills it in.
struct TemplateError {
  std::string message;
  int line = 0;
  ErrorCode code = ErrorCode::kInvalidArgument;
};

[[noreturn]] void fail(std::string message);
[[noreturn]] void fail_limit(std::string message);

// What one parse or rendering may use. Everything a template makes is charged here and given back when it dies.
class Budget {
 public:
  Budget(size_t max_bytes, uint64_t max_steps) : max_bytes_(max_bytes), max_steps_(max_steps) {}
  void charge(size_t bytes) {
    if (bytes > max_bytes_ - live_bytes_) fail_limit("the template needs more memory than it may use");
    live_bytes_ += bytes;
  }
  void release(size_t bytes) { live_bytes_ -= bytes; }
  // Would `bytes` more fit? Asked before building something whose size the template chose.
  void expect(size_t bytes) const {
    if (bytes > max_bytes_ - live_bytes_) fail_limit("the template needs more memory than it may use");
  }
  void step(uint64_t n = 1) {
    steps_ += n;
    if (steps_ > max_steps_) fail_limit("the template takes more steps than it may");
  }
  // Work on each character of `bytes` of text, and work that only copies or compares it: each step is worth about as
  // much time as a node of the template takes.
  void work(size_t bytes) { step(1 + bytes / 4); }
  void copy(size_t bytes) { step(1 + bytes / 128); }

 private:
  size_t live_bytes_ = 0;
  size_t max_bytes_;
  uint64_t steps_ = 0;
  uint64_t max_steps_;
};

inline constexpr int kMaxDepth = 300;             // nesting of containers
inline constexpr uint32_t kMaxWeight = 1u << 26;  // see Object::weight

enum class Kind : uint8_t {
  kMissing,  // a variable that was never set: not a value that a template can hold
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kBigInt,  // an integer outside int64, kept as its digits: it can be printed and compared, not calculated with
  kString,
  kList,
  kTuple,
  kDict,
  kDictView,  // what dict.keys(), values() and items() give
  kRange,
  kGenerator,  // consumed once, element by element
  kNamespace,
  kLoop,
  kMacro,
  kFunction,
  kCycler,
  kJoiner,
};

struct Object {
  explicit Object(Kind k) : kind(k) {}
  virtual ~Object();
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  // Counts the object (its own bytes plus `bytes` on the heap) against the budget until it dies, and the work of
  // filling it. A null budget is no limit.
  void account(Budget* to, size_t bytes);

  mutable std::atomic<uint32_t> refs{0};
  const Kind kind;
  uint16_t depth = 1;   // how deep containers nest inside it
  uint32_t weight = 1;  // what a walk over everything inside it costs, counting shared parts each time they are met
  Budget* budget = nullptr;
  size_t charged = 0;
};

class Value;
struct StringObj;
struct ListObj;
struct DictObj;
struct DictViewObj;
struct RangeObj;
using Items = std::vector<Value>;
using Entries = std::vector<std::pair<Value, Value>>;

class Value {
 public:
  Value() : kind_(Kind::kMissing) { data_.i = 0; }
  Value(bool b) : kind_(Kind::kBool) { data_.i = b; }
  Value(int64_t i) : kind_(Kind::kInt) { data_.i = i; }
  Value(int i) : Value(static_cast<int64_t>(i)) {}
  Value(double d) : kind_(Kind::kFloat) { data_.d = d; }
  Value(const char*) = delete;
  explicit Value(Object* object) : kind_(object->kind) {
    data_.o = object;
    object->refs.fetch_add(1, std::memory_order_relaxed);
  }
  Value(const Value& other) : kind_(other.kind_), data_(other.data_) {
    if (is_object()) data_.o->refs.fetch_add(1, std::memory_order_relaxed);
  }
  Value(Value&& other) noexcept : kind_(other.kind_), data_(other.data_) { other.kind_ = Kind::kMissing; }
  Value& operator=(Value other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~Value() {
    if (is_object()) unref();
  }

  static Value none() { return Value(Kind::kNone); }
  // The undefined value that says `why` when something other than printing or testing is done with it.
  static Value undefined(std::string why, Budget* budget = nullptr);
  static Value size(size_t n) { return Value(static_cast<int64_t>(n)); }
  static Value string(std::string text, Budget* budget = nullptr);
  static Value markup(std::string text, Budget* budget);
  static Value big_int(std::string digits, Budget* budget = nullptr);
  static Value list(Items items, Budget* budget = nullptr);
  static Value tuple(Items items, Budget* budget = nullptr);
  // Later entries replace earlier ones of an equal key. Every key must be hashable().
  static Value dict(Entries entries, Budget* budget = nullptr);

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_missing() const { return kind_ == Kind::kMissing; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_dict() const { return kind_ == Kind::kDict; }
  bool is_sequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }
  bool is_int() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }  // as in Python, a bool is an int
  bool is_number() const { return is_int() || kind_ == Kind::kFloat; }

  bool as_bool() const { return data_.i != 0; }
  int64_t as_int() const { return data_.i; }
  double as_double() const { return kind_ == Kind::kFloat ? data_.d : static_cast<double>(data_.i); }
  const std::string& text() const;
  const StringObj& str() const;
  const Items& items() const;  // of a list or tuple
  const DictObj& dict_object() const;
  Object* object() const { return is_object_kind(kind_) ? data_.o : nullptr; }
  template <typename T>
  T& as() const {
    return static_cast<T&>(*data_.o);
  }

  bool truthy() const;
  bool same_as(const Value& other) const;  // Python's `is`
  const char* type_name() const;
  int depth() const { return object() ? data_.o->depth : 0; }
  uint32_t weight() const { return object() ? data_.o->weight : 1; }

 private:
  explicit Value(Kind kind) : kind_(kind) { data_.i = 0; }
  static bool is_object_kind(Kind k) { return k >= Kind::kBigInt; }
  bool is_object() const { return is_object_kind(kind_) || (kind_ == Kind::kUndefined && data_.o != nullptr); }
  void unref();

  Kind kind_;
  union {
    int64_t i;
    double d;
    Object* o;
  } data_;
};

struct UndefinedObj final : Object {
  explicit UndefinedObj(std::string why) : Object(Kind::kUndefined), message(std::move(why)) {}
  std::string message;
};

struct BigIntObj final : Object {
  explicit BigIntObj(std::string d);
  std::string digits;
};

struct StringObj final : Object {
  explicit StringObj(std::string t);
  std::string text;     // UTF-8; a lone surrogate, which Python allows, has the three bytes UTF-8 would give it
  size_t length;        // in code points
  bool markup = false;  // what the filters `safe` and `escape` give: + escapes what it is joined with
  bool ascii() const { return length == text.size(); }
};

struct ListObj final : Object {
  ListObj(Kind k, Items i);
  Items items;
  bool is_group = false;  // a tuple (grouper, list) of the filter groupby, whose parts have these names
};

struct DictObj final : Object {
  DictObj() : Object(Kind::kDict) {}
  void set(Value key, Value value);
  const Value* lookup(const Value& key) const;  // null too when the key is unhashable
  const Value* find(std::string_view key) const;
  void clear();
  Entries entries;

 private:
  size_t probe(size_t hash) const { return hash & (slots_.size() - 1); }
  void rehash();
  size_t free_slot(const Value& key) const;
  std::vector<uint32_t> slots_;  // index into entries + 1; built once there are more than a few
};

struct DictViewObj final : Object {
  enum class Part : uint8_t { kKeys, kValues, kItems };
  DictViewObj(Value d, Part p) : Object(Kind::kDictView), dict(std::move(d)), part(p) { depth = 2; }
  Value dict;
  Part part;
};

struct RangeObj final : Object {
  RangeObj(int64_t first, int64_t last, int64_t by, int64_t n)
      : Object(Kind::kRange), start(first), stop(last), step(by), length(n) {}
  int64_t start, stop, step, length;
};

inline const std::string& Value::text() const { return as<StringObj>().text; }
inline const StringObj& Value::str() const { return as<StringObj>(); }
inline const Items& Value::items() const { return as<ListObj>().items; }
inline const DictObj& Value::dict_object() const { return as<DictObj>(); }

// Depth of something that contains values: one more than the deepest. Throws when that is more than kMaxDepth.
uint16_t depth_over(int deepest);
// The sum of the weights of what a container holds, plus one. Throws when that is more than kMaxWeight.
uint32_t weight_over(uint64_t sum);

bool equal(const Value& a, const Value& b);
// Python's `a < b`; throws when the types have no order.
bool less(const Value& a, const Value& b, const char* op = "<");
bool less_or_equal(const Value& a, const Value& b);
bool hashable(const Value& v);
size_t hash_of(const Value& v);  // of a hashable value; equal values have equal hashes

// Python's str() and repr(). The length of what is written is checked against the budget, if there is one.
std::string str_of(const Value& v, Budget* budget = nullptr);
std::string repr_of(const Value& v, Budget* budget = nullptr);
std::string float_repr(double d);

// The text by which a failed use of an undefined value is reported.
[[noreturn]] void fail_undefined(const Value& v);

}  // namespace ingle::jinja
