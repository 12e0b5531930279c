#include "text/jinja_value.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "text/jinja_runtime.h"

namespace ingle::jinja {

void fail(std::string message) { throw TemplateError{std::move(message)}; }
void fail_limit(std::string message) { throw TemplateError{std::move(message), 0, ErrorCode::kResourceExhausted}; }

void fail_undefined(const Value& v) { fail(v.as<UndefinedObj>().message); }

Object::~Object() {
  if (budget) budget->release(charged);
}

void Object::account(Budget* to, size_t bytes) {
  if (!to) return;
  const size_t all = bytes + sizeof(StringObj);
  // Memory that comes fresh from the system each time takes several times as long to fill.
  constexpr size_t kFresh = size_t{16} << 20;
  to->step(2 + bytes / (bytes < kFresh ? 128 : 16));
  to->charge(all);
  budget = to;
  charged = all;
}

void Value::unref() {
  if (data_.o->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete data_.o;
}

uint16_t depth_over(int deepest) {
  if (deepest >= kMaxDepth) fail_limit("values nest more than " + std::to_string(kMaxDepth) + " deep");
  return static_cast<uint16_t>(deepest + 1);
}

uint32_t weight_over(uint64_t sum) {
  if (sum >= kMaxWeight) fail_limit("a value is larger than a template may make");
  return static_cast<uint32_t>(sum + 1);
}

namespace {

// The object is owned from the start, so that a refused charge frees it.
Value adopt(Object* object, Budget* budget, size_t bytes) {
  Value v(object);
  object->account(budget, bytes);
  return v;
}

size_t count_code_points(const std::string& text) {
  size_t n = 0;
  for (char c : text) n += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
  return n;
}

}  // namespace

StringObj::StringObj(std::string t) : Object(Kind::kString), text(std::move(t)), length(count_code_points(text)) {
  depth = 0;
  weight = weight_over(text.size() / 64);
}

BigIntObj::BigIntObj(std::string d) : Object(Kind::kBigInt), digits(std::move(d)) {
  weight = weight_over(digits.size() / 64);
}

ListObj::ListObj(Kind k, Items i) : Object(k), items(std::move(i)) {
  int deepest = 0;
  uint64_t sum = 0;
  for (const Value& v : items) {
    deepest = std::max(deepest, v.depth());
    sum += v.weight();
  }
  depth = depth_over(deepest);
  weight = weight_over(sum);
}

Value Value::undefined(std::string why, Budget* budget) {
  const size_t bytes = why.size();
  return adopt(new UndefinedObj(std::move(why)), budget, bytes);
}

Value Value::string(std::string text, Budget* budget) {
  if (budget) budget->expect(text.size());
  const size_t bytes = text.size();
  return adopt(new StringObj(std::move(text)), budget, bytes);
}

Value Value::markup(std::string text, Budget* budget) {
  Value v = string(std::move(text), budget);
  v.as<StringObj>().markup = true;
  return v;
}

Value Value::big_int(std::string digits, Budget* budget) {
  const size_t bytes = digits.size();
  return adopt(new BigIntObj(std::move(digits)), budget, bytes);
}

Value Value::list(Items items, Budget* budget) {
  if (budget) budget->step(items.size());
  const size_t bytes = items.capacity() * sizeof(Value);
  return adopt(new ListObj(Kind::kList, std::move(items)), budget, bytes);
}

Value Value::tuple(Items items, Budget* budget) {
  if (budget) budget->step(items.size());
  const size_t bytes = items.capacity() * sizeof(Value);
  return adopt(new ListObj(Kind::kTuple, std::move(items)), budget, bytes);
}

// What finding a place for an entry takes, besides the walk over its key.
static constexpr uint64_t kEntrySteps = 4;

Value Value::dict(Entries entries, Budget* budget) {
  Value v(new DictObj);
  auto& d = v.as<DictObj>();
  d.account(budget, entries.size() * (sizeof(Entries::value_type) + 2 * sizeof(uint32_t)));
  int deepest = 0;
  uint64_t sum = 0;
  d.entries.reserve(entries.size());
  for (auto& [key, value] : entries) {
    deepest = std::max({deepest, key.depth(), value.depth()});
    sum += key.weight() + value.weight();
    if (budget) budget->step(kEntrySteps + key.weight());
    d.set(std::move(key), std::move(value));
  }
  d.depth = depth_over(deepest);
  d.weight = weight_over(sum);
  return v;
}

// A handful of keys, as messages have, is searched faster without an index.
static constexpr size_t kUnindexed = 8;

void DictObj::set(Value key, Value value) {
  if (const Value* existing = lookup(key)) {
    *const_cast<Value*>(existing) = std::move(value);
    return;
  }
  entries.emplace_back(std::move(key), std::move(value));
  if (entries.size() <= kUnindexed) return;
  if (entries.size() * 2 > slots_.size()) return rehash();
  slots_[free_slot(entries.back().first)] = static_cast<uint32_t>(entries.size());
}

void DictObj::clear() {
  entries.clear();
  slots_.clear();
}

// Keys that were not chosen to collide never come near this many probes of a table at most half full.
static constexpr int kMaxProbes = 1000;

size_t DictObj::free_slot(const Value& key) const {
  size_t at = probe(hash_of(key));
  for (int n = 0; slots_[at]; ++n, at = probe(at + 1)) {
    if (n == kMaxProbes) fail_limit("too many keys of a dict collide");
  }
  return at;
}

void DictObj::rehash() {
  size_t n = 32;
  while (n < entries.size() * 4) n *= 2;
  slots_.assign(n, 0);
  for (size_t i = 0; i < entries.size(); ++i) {
    slots_[free_slot(entries[i].first)] = static_cast<uint32_t>(i + 1);
  }
}

const Value* DictObj::lookup(const Value& key) const {
  if (key.is_string()) return find(std::string_view(key.text()));
  if (!hashable(key)) return nullptr;
  if (slots_.empty()) {
    for (const auto& [k, v] : entries) {
      if (equal(k, key)) return &v;
    }
    return nullptr;
  }
  for (size_t at = probe(hash_of(key)); slots_[at]; at = probe(at + 1)) {
    const auto& [k, v] = entries[slots_[at] - 1];
    if (equal(k, key)) return &v;
  }
  return nullptr;
}

const Value* DictObj::find(std::string_view key) const {
  if (slots_.empty()) {
    for (const auto& [k, v] : entries) {
      if (k.is_string() && k.text() == key) return &v;
    }
    return nullptr;
  }
  for (size_t at = probe(std::hash<std::string_view>{}(key)); slots_[at]; at = probe(at + 1)) {
    const auto& [k, v] = entries[slots_[at] - 1];
    if (k.is_string() && k.text() == key) return &v;
  }
  return nullptr;
}

bool Value::truthy() const {
  switch (kind_) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return data_.i != 0;
    case Kind::kFloat:
      return data_.d != 0;
    case Kind::kString:
      return !text().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !items().empty();
    case Kind::kDict:
      return !dict_object().entries.empty();
    case Kind::kDictView:
      return as<DictViewObj>().dict.truthy();
    case Kind::kRange:
      return as<RangeObj>().length != 0;
    default:
      return true;
  }
}

bool Value::same_as(const Value& other) const {
  if (kind_ != other.kind_) return false;
  // Python keeps one object for equal short strings and small integers in most of the ways a template can make them.
  if (kind_ == Kind::kString) return text() == other.text();
  if (kind_ == Kind::kFloat) return data_.d == other.data_.d;
  if (kind_ == Kind::kTuple && items().empty()) return other.items().empty();
  return kind_ == Kind::kNone || data_.i == other.data_.i;
}

const char* Value::type_name() const {
  switch (kind_) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
    case Kind::kBigInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return str().markup ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kDictView: {
      const auto part = as<DictViewObj>().part;
      if (part == DictViewObj::Part::kKeys) return "dict_keys";
      return part == DictViewObj::Part::kValues ? "dict_values" : "dict_items";
    }
    case Kind::kRange:
      return "range";
    case Kind::kGenerator:
      return "generator";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kMacro:
      return "Macro";
    case Kind::kFunction:
      return "function";
    case Kind::kCycler:
      return "Cycler";
    case Kind::kJoiner:
      return "Joiner";
  }
  return "object";
}

namespace {

bool equal_items(const Items& a, const Items& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](const Value& x, const Value& y) { return equal(x, y); });
}

bool equal_dicts(const DictObj& a, const DictObj& b) {
  if (a.entries.size() != b.entries.size()) return false;
  if (a.weight > b.weight) return equal_dicts(b, a);  // what is hashed are the keys of the lighter one
  for (const auto& [key, value] : a.entries) {
    const Value* other = b.lookup(key);
    if (!other || !equal(value, *other)) return false;
  }
  return true;
}

bool equal_ranges(const RangeObj& a, const RangeObj& b) {
  if (a.length != b.length) return false;
  if (a.length == 0) return true;
  return a.start == b.start && (a.length == 1 || a.step == b.step);
}

bool equal_views(const DictViewObj& a, const DictViewObj& b) {
  if (a.part != b.part || a.part == DictViewObj::Part::kValues) return &a == &b;
  const DictObj& x = a.dict.dict_object();
  const DictObj& y = b.dict.dict_object();
  if (a.part == DictViewObj::Part::kItems) return equal_dicts(x, y);
  return x.entries.size() == y.entries.size() &&
         std::all_of(x.entries.begin(), x.entries.end(), [&](const auto& e) { return y.lookup(e.first) != nullptr; });
}

// -1, 0 or 1; exact for an int64 against a double, as Python compares them. NaN has no order: 2.
int compare_numbers(const Value& a, const Value& b) {
  if (a.is_int() && b.is_int()) return (a.as_int() > b.as_int()) - (a.as_int() < b.as_int());
  if (a.is(Kind::kFloat) && b.is(Kind::kFloat)) {
    const double x = a.as_double(), y = b.as_double();
    return x != x || y != y ? 2 : (x > y) - (x < y);
  }
  if (a.is(Kind::kFloat)) {
    const int c = compare_numbers(b, a);
    return c == 2 ? 2 : -c;
  }
  const double y = b.as_double();
  if (y != y) return 2;
  if (y >= 9223372036854775808.0) return -1;
  if (y < -9223372036854775808.0) return 1;
  const double whole = std::trunc(y);
  const int64_t i = a.as_int(), j = static_cast<int64_t>(whole);
  if (i != j) return i < j ? -1 : 1;
  return (whole > y) - (whole < y);
}

}  // namespace

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  if (a.object() && a.object() == b.object()) return true;
  switch (a.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kBigInt:
      return a.as<BigIntObj>().digits == b.as<BigIntObj>().digits;
    case Kind::kString:
      return a.text() == b.text();
    case Kind::kList:
    case Kind::kTuple:
      return equal_items(a.items(), b.items());
    case Kind::kDict:
      return equal_dicts(a.dict_object(), b.dict_object());
    case Kind::kDictView:
      return equal_views(a.as<DictViewObj>(), b.as<DictViewObj>());
    case Kind::kRange:
      return equal_ranges(a.as<RangeObj>(), b.as<RangeObj>());
    case Kind::kFunction:
      return a.as<FunctionObj>().same(b.as<FunctionObj>());
    default:
      return false;
  }
}

bool less(const Value& a, const Value& b, const char* op) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == -1;
  if (a.is_string() && b.is_string()) return a.text() < b.text();  // UTF-8 sorts by code point
  if (a.is_sequence() && a.kind() == b.kind()) {
    const Items &x = a.items(), &y = b.items();
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (!equal(x[i], y[i])) return less(x[i], y[i], op);
    }
    return x.size() < y.size();
  }
  if (a.is_undefined()) fail_undefined(a);
  if (b.is_undefined()) fail_undefined(b);
  fail(std::string("'") + op + "' not supported between instances of '" + a.type_name() + "' and '" + b.type_name() +
       "'");
}

bool less_or_equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    const int c = compare_numbers(a, b);
    return c == -1 || c == 0;
  }
  if (a.is_sequence() && a.kind() == b.kind()) {
    const Items &x = a.items(), &y = b.items();
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (!equal(x[i], y[i])) return less_or_equal(x[i], y[i]);
    }
    return x.size() <= y.size();
  }
  return equal(a, b) && a.is_string() ? true : less(a, b, "<=");
}

bool hashable(const Value& v) {
  switch (v.kind()) {
    case Kind::kList:
    case Kind::kDict:
      return false;
    case Kind::kDictView:
      return v.as<DictViewObj>().part == DictViewObj::Part::kValues;
    case Kind::kTuple:
      return std::all_of(v.items().begin(), v.items().end(), hashable);
    default:
      return true;
  }
}

namespace {

// The finaliser of SplitMix64: every bit of the input reaches every bit of the output.
size_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// Of what equal_ranges() compares.
size_t hash_of_range(const RangeObj& r) {
  const uint64_t start = r.length > 0 ? static_cast<uint64_t>(r.start) : 0;
  const uint64_t step = r.length > 1 ? static_cast<uint64_t>(r.step) : 0;
  return mixed(static_cast<uint64_t>(r.length) + mixed(start + mixed(step)));
}

}  // namespace

size_t hash_of(const Value& v) {
  switch (v.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return 1;
    case Kind::kNone:
      return 2;
    case Kind::kBool:
    case Kind::kInt:
      return mixed(static_cast<uint64_t>(v.as_int()));
    case Kind::kFloat: {
      const double d = v.as_double();
      if (d == std::trunc(d) && std::fabs(d) < 9.2e18) return hash_of(Value(static_cast<int64_t>(d)));
      return std::hash<double>{}(d);
    }
    case Kind::kString:
      return std::hash<std::string_view>{}(v.text());
    case Kind::kBigInt:
      return std::hash<std::string_view>{}(v.as<BigIntObj>().digits);
    case Kind::kTuple: {
      size_t h = 3;
      for (const Value& item : v.items()) h = h * 0x100000001B3u ^ hash_of(item);
      return h;
    }
    case Kind::kRange:
      return hash_of_range(v.as<RangeObj>());
    case Kind::kFunction: {
      const Value& self = v.as<FunctionObj>().self;
      return mixed(self.is_string() ? hash_of(self) : static_cast<uint64_t>(self.as_int()));
    }
    default:
      return mixed(reinterpret_cast<uintptr_t>(v.object()));
  }
}

}  // namespace ingle::jinja
