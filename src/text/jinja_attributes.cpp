// `x.name`, `x[key]` and `x[start:stop:step]`.
#include <algorithm>

#include "text/jinja_interpreter.h"
#include "text/jinja_runtime.h"
#include "text/jinja_unicode.h"

namespace ingle::jinja {

namespace {

// How Jinja names an object in its messages.
std::string described(const Value& v) {
  if (v.is_none()) return "None";
  return std::string(v.type_name()) + " object";
}

bool is_dunder(const std::string& name) {
  static constexpr std::string_view kCommon[] = {
      "__class__", "__delattr__",      "__dir__",    "__doc__",  "__eq__",           "__format__",
      "__ge__",    "__getattribute__", "__gt__",     "__hash__", "__init__",         "__init_subclass__",
      "__le__",    "__lt__",           "__ne__",     "__new__",  "__reduce__",       "__reduce_ex__",
      "__repr__",  "__setattr__",      "__sizeof__", "__str__",  "__subclasshook__", "__getstate__"};
  return std::find(std::begin(kCommon), std::end(kCommon), name) != std::end(kCommon);
}

// What obj[key] gives; false where Python would raise TypeError or LookupError.
bool subscript(Runtime& rt, const Value& object, const Value& key, Value* out) {
  if (object.is_dict()) {
    rt.budget.step(key.weight());
    const Value* v = object.dict_object().lookup(key);
    if (v) *out = *v;
    return v != nullptr;
  }
  if (!key.is_int()) return false;
  if (!object.is_sequence() && !object.is_string() && !object.is(Kind::kRange)) return false;
  const auto n = static_cast<int64_t>(rt.length(object));
  int64_t i = key.as_int();
  if (i < 0) i += n;
  if (i < 0 || i >= n) return false;
  if (object.is_sequence()) {
    *out = object.items()[static_cast<size_t>(i)];
  } else if (object.is_string()) {
    const auto at = static_cast<size_t>(i);
    const std::string& text = object.text();
    size_t from = at, to = at + 1;
    if (!object.str().ascii()) {
      rt.budget.work(text.size());
      to = from = byte_offset(text, at);
      decode_utf8(text, &to);
    }
    *out = rt.str(text.substr(from, to - from));
  } else {
    const auto& r = object.as<RangeObj>();
    *out = r.start + i * r.step;
  }
  return true;
}

bool loop_attribute(Runtime& rt, LoopObj& loop, const std::string& name, Value* out) {
  const auto number = [&](int64_t n) {
    *out = n;
    return true;
  };
  if (name == "index") return number(loop.index0 + 1);
  if (name == "index0") return number(loop.index0);
  if (name == "length") return number(loop.length());
  if (name == "revindex") return number(loop.length() - loop.index0);
  if (name == "revindex0") return number(loop.length() - loop.index0 - 1);
  if (name == "depth") return number(loop.depth0 + 1);
  if (name == "depth0") return number(loop.depth0);
  if (name == "first") {
    *out = loop.index0 == 0;
  } else if (name == "last") {
    *out = !loop.peek();
  } else if (name == "previtem") {
    *out = loop.index0 == 0 || loop.before.is_missing() ? rt.undefined("there is no previous item") : loop.before;
  } else if (name == "nextitem") {
    *out = loop.peek() ? loop.after : rt.undefined("there is no next item");
  } else {
    return false;
  }
  return true;
}

bool macro_attribute(Runtime& rt, const MacroObj& macro, const std::string& name, Value* out) {
  const Stmt& s = *macro.definition;
  if (name == "name") {
    *out = s.kind == StmtKind::kMacro ? rt.str(s.name) : Value::none();
  } else if (name == "arguments") {
    Items names;
    for (const ExprPtr& p : s.params) names.push_back(rt.str(p->name));
    *out = rt.tuple(std::move(names));
  } else if (name == "catch_kwargs") {
    *out = s.takes_keywords;
  } else if (name == "catch_varargs") {
    *out = s.takes_varargs;
  } else if (name == "caller") {
    *out = s.takes_caller;
  } else if (name == "explicit_caller") {
    *out = s.names_caller;
  } else {
    return false;
  }
  return true;
}

bool number_attribute(const Value& v, const std::string& name, Value* out) {
  const bool is_float = v.is(Kind::kFloat);
  if (name == "real" || (name == "numerator" && !is_float)) {
    *out = is_float ? v : Value(v.as_int());
  } else if (name == "imag") {
    *out = is_float ? Value(0.0) : Value(0);
  } else if (name == "denominator" && !is_float) {
    *out = 1;
  } else {
    return false;
  }
  return true;
}

// The attributes that are values rather than methods.
bool data_attribute(Runtime& rt, const Value& object, const std::string& name, Value* out) {
  switch (object.kind()) {
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return number_attribute(object, name, out);
    case Kind::kLoop:
      return loop_attribute(rt, object.as<LoopObj>(), name, out);
    case Kind::kMacro:
      return macro_attribute(rt, object.as<MacroObj>(), name, out);
    case Kind::kNamespace: {
      const Value* v = object.as<NamespaceObj>().attributes.find(name);
      if (v) *out = *v;
      return v != nullptr;
    }
    case Kind::kTuple:
      if (!object.as<ListObj>().is_group || (name != "grouper" && name != "list")) return false;
      *out = object.items()[name == "list"];
      return true;
    case Kind::kRange: {
      const auto& r = object.as<RangeObj>();
      if (name != "start" && name != "stop" && name != "step") return false;
      *out = name == "start" ? r.start : name == "stop" ? r.stop : r.step;
      return true;
    }
    case Kind::kCycler: {
      const auto& c = object.as<CyclerObj>();
      if (name != "current" && name != "pos" && name != "items") return false;
      *out = name == "current" ? c.items[c.at] : name == "pos" ? Value::size(c.at) : rt.tuple(c.items);
      return true;
    }
    case Kind::kJoiner: {
      const auto& j = object.as<JoinerObj>();
      if (name != "sep" && name != "used") return false;
      *out = name == "sep" ? j.separator : Value(j.used);
      return true;
    }
    default:
      return false;
  }
}

Value unsafe(Runtime& rt, const Value& object, const std::string& name) {
  return rt.undefined("access to attribute '" + name + "' of '" + object.type_name() + "' object is unsafe.");
}

}  // namespace

bool find_attribute(Runtime& rt, const Value& object, const std::string& name, Value* out) {
  rt.budget.work(name.size());
  const bool dunder = is_dunder(name);
  if (object.is_undefined() && !dunder) fail_undefined(object);
  if (data_attribute(rt, object, name, out)) return true;
  if (object.is(Kind::kNamespace) && name != "__class__") return false;
  if (dunder) {
    *out = unsafe(rt, object, name);
    return true;
  }
  const NativeFn* method = find_method(object.kind(), name);
  if (!method) return false;
  // The entry of a method that would change its object is there, but empty.
  *out = *method ? rt.function(*method, "method", object) : unsafe(rt, object, name);
  return true;
}

Value get_attribute(Runtime& rt, const Value& object, const std::string& name) {
  Value v;
  if (find_attribute(rt, object, name, &v)) return v;
  if (object.is_dict()) {
    if (const Value* item = object.dict_object().find(name)) return *item;
  }
  return rt.undefined("'" + described(object) + "' has no attribute '" + name + "'");
}

Value get_item(Runtime& rt, const Value& object, const Value& key) {
  if (object.is_undefined()) fail_undefined(object);
  Value v;
  if (subscript(rt, object, key, &v)) return v;
  if (key.is_string()) {
    if (find_attribute(rt, object, key.text(), &v)) return v;
    return rt.undefined("'" + described(object) + "' has no attribute " + repr_of(key, &rt.budget));
  }
  return rt.undefined(described(object) + " has no element " + repr_of(key, &rt.budget));
}

void set_attribute(Runtime& rt, const Value& ns, Value name, Value value) {
  DictObj& attributes = ns.as<NamespaceObj>().attributes;
  const size_t before = attributes.entries.size();
  attributes.set(std::move(name), std::move(value));
  if (attributes.entries.size() == before) return;
  constexpr size_t kEntry = 2 * sizeof(Entries::value_type);
  rt.budget.charge(kEntry);
  ns.object()->charged += kEntry;
}

namespace {

int64_t bound_of(const Value& v, int64_t otherwise, int64_t n, int64_t low, int64_t high) {
  if (v.is_none()) return otherwise;
  if (v.is_undefined() || !v.is_int()) fail("slice indices must be integers or None or have an __index__ method");
  int64_t i = v.as_int();
  if (i < 0) i = i < -n ? -n - 1 : i;
  if (i < 0) i += n;
  return std::clamp(i, low, high);
}

}  // namespace

Value get_slice(Runtime& rt, const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (object.is_undefined()) fail_undefined(object);
  if (object.is_dict()) fail("unhashable type: 'slice'");
  if (!object.is_string() && !object.is_sequence() && !object.is(Kind::kRange)) {
    fail(std::string("'") + object.type_name() + "' object is not subscriptable");
  }
  if (!step.is_none() && !step.is_int()) fail("slice indices must be integers or None or have an __index__ method");
  const auto n = static_cast<int64_t>(rt.length(object));
  // A longer step than the whole changes nothing.
  const int64_t by = step.is_none() ? 1 : std::clamp(step.as_int(), -n - 1, n + 1);
  if (by == 0) fail("slice step cannot be zero");
  const int64_t low = by < 0 ? -1 : 0, high = by < 0 ? n - 1 : n;
  const int64_t from = bound_of(start, by < 0 ? n - 1 : 0, n, low, high);
  const int64_t to = bound_of(stop, by < 0 ? -1 : n, n, low, high);
  int64_t count = 0;
  if (by > 0 && from < to) count = (to - from - 1) / by + 1;
  if (by < 0 && from > to) count = (from - to - 1) / -by + 1;

  if (object.is(Kind::kRange)) {
    const auto& r = object.as<RangeObj>();
    // In unsigned arithmetic: the end, which is never reached, may lie outside int64.
    const auto along = [&](int64_t i) {
      return static_cast<int64_t>(uint64_t(r.start) + uint64_t(i) * uint64_t(r.step));
    };
    const auto stride = static_cast<int64_t>(uint64_t(r.step) * uint64_t(by));
    return rt.adopt(new RangeObj(along(from), along(to), stride, count), 0);
  }
  if (object.is_sequence()) {
    Items items;
    items.reserve(static_cast<size_t>(count));
    for (int64_t k = 0, i = from; k < count; ++k, i += k < count ? by : 0)
      items.push_back(object.items()[static_cast<size_t>(i)]);
    return object.is(Kind::kList) ? rt.list(std::move(items)) : rt.tuple(std::move(items));
  }
  const std::string& text = object.text();
  if (!object.str().ascii() || by != 1) rt.budget.work(text.size());
  std::string out;
  if (by == 1) {
    const bool ascii = object.str().ascii();
    const auto first = static_cast<size_t>(from), length = static_cast<size_t>(count);
    const size_t begin = ascii ? first : byte_offset(text, first);
    const std::string_view rest = std::string_view(text).substr(begin);
    out = rest.substr(0, ascii ? length : byte_offset(rest, length));
  } else {
    const std::u32string points = to_code_points(text);
    for (int64_t k = 0, i = from; k < count; ++k, i += k < count ? by : 0)
      append_utf8(&out, points[static_cast<size_t>(i)]);
  }
  return object.str().markup ? Value::markup(std::move(out), &rt.budget) : rt.str(std::move(out));
}

}  // namespace ingle::jinja
