#include "text/jinja_runtime.h"

#include <algorithm>

#include "text/jinja_interpreter.h"
#include "text/jinja_unicode.h"

namespace ingle::jinja {

FunctionObj::FunctionObj(NativeFn f, const char* n, Value s)
    : Object(Kind::kFunction), fn(f), name(n), self(std::move(s)) {
  depth = depth_over(self.depth());
  weight = weight_over(self.weight());
}

CyclerObj::CyclerObj(Items i) : Object(Kind::kCycler), items(std::move(i)) {
  int deepest = 0;
  for (const Value& v : items) deepest = std::max(deepest, v.depth());
  depth = depth_over(deepest);
}

Bound::Bound(const char* function, Args& args, std::initializer_list<const char*> names, size_t required)
    : function_(function), values_(names.size()) {
  if (args.positional.size() > names.size()) {
    fail(std::string(function) + "() takes at most " + std::to_string(names.size()) + " arguments, " +
         std::to_string(args.positional.size()) + " were given");
  }
  for (size_t i = 0; i < args.positional.size(); ++i) values_[i] = args.positional[i];
  for (const auto& [name, value] : args.keyword) {
    const auto it = std::find_if(names.begin(), names.end(), [&n = name](const char* x) { return n == x; });
    if (it == names.end()) fail(std::string(function) + "() got an unexpected keyword argument '" + name + "'");
    Value& slot = values_[static_cast<size_t>(it - names.begin())];
    if (!slot.is_missing()) fail(std::string(function) + "() got multiple values for argument '" + name + "'");
    slot = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!has(i)) fail(std::string(function) + "() misses the argument '" + names.begin()[i] + "'");
  }
}

int64_t Bound::integer(size_t i, int64_t otherwise) const {
  if (!has(i)) return otherwise;
  if (values_[i].is_undefined()) fail_undefined(values_[i]);
  if (!values_[i].is_int()) fail(std::string(function_) + "(): an integer is required, not " + values_[i].type_name());
  return values_[i].as_int();
}

const std::string& Bound::text(size_t i) const {
  if (!values_[i].is_string()) fail(std::string(function_) + "(): a string is required, not " + values_[i].type_name());
  return values_[i].text();
}

Cursor::Cursor(Runtime& rt, Value over) : rt_(&rt), over_(std::move(over)) {
  switch (over_.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kDictView:
    case Kind::kRange:
    case Kind::kGenerator:
      return;
    default:
      fail(std::string("'") + over_.type_name() + "' object is not iterable");
  }
}

bool Cursor::next(Value* out) {
  rt_->budget.step();
  switch (over_.kind()) {
    case Kind::kString: {
      const std::string& text = over_.text();
      if (at_ >= text.size()) return false;
      const size_t from = at_;
      decode_utf8(text, &at_);
      *out = rt_->str(text.substr(from, at_ - from));
      return true;
    }
    case Kind::kList:
    case Kind::kTuple:
      if (at_ >= over_.items().size()) return false;
      *out = over_.items()[at_++];
      return true;
    case Kind::kDict:
      if (at_ >= over_.dict_object().entries.size()) return false;
      *out = over_.dict_object().entries[at_++].first;
      return true;
    case Kind::kDictView: {
      const auto& view = over_.as<DictViewObj>();
      const Entries& entries = view.dict.dict_object().entries;
      if (at_ >= entries.size()) return false;
      const auto& [key, value] = entries[at_++];
      if (view.part == DictViewObj::Part::kKeys) *out = key;
      if (view.part == DictViewObj::Part::kValues) *out = value;
      if (view.part == DictViewObj::Part::kItems) *out = rt_->tuple({key, value});
      return true;
    }
    case Kind::kRange: {
      const auto& r = over_.as<RangeObj>();
      if (static_cast<int64_t>(at_) >= r.length) return false;
      *out = r.start + static_cast<int64_t>(at_++) * r.step;
      return true;
    }
    case Kind::kGenerator: {
      auto& g = over_.as<GeneratorObj>();
      if (g.running) fail("generator already executing");
      if (!g.next) return false;
      g.running = true;
      Value item;
      const bool more = g.next(*rt_, &item);
      g.running = false;
      if (more) {
        *out = std::move(item);
      } else {
        g.next = nullptr;  // gives back what it drew on
      }
      return more;
    }
    default:
      return false;
  }
}

Value Runtime::function(NativeFn fn, const char* name, Value self) {
  return adopt(new FunctionObj(fn, name, std::move(self)), 0);
}

Value Runtime::generator(GeneratorObj::Next next, int depth_of) {
  kept_.push_back(adopt(new GeneratorObj(std::move(next), depth_over(depth_of)), 256));
  return kept_.back();
}

Value Runtime::adopt(Object* object, size_t bytes) {
  Value v(object);
  object->account(&budget, bytes);
  return v;
}

Value Runtime::make_namespace() {
  kept_.push_back(adopt(new NamespaceObj, sizeof(NamespaceObj)));
  return kept_.back();
}

void Runtime::empty_kept() {
  for (const Value& v : kept_) {
    if (v.is(Kind::kNamespace)) v.as<NamespaceObj>().attributes.clear();
    if (v.is(Kind::kGenerator)) v.as<GeneratorObj>().next = nullptr;
  }
  kept_.clear();
}

Items Runtime::to_items(const Value& iterable) {
  if (iterable.is_sequence()) {
    budget.step(2 * iterable.items().size());
    return iterable.items();
  }
  Items items;
  Cursor cursor(*this, iterable);
  Value v;
  while (cursor.next(&v)) {
    if (items.size() == items.capacity()) budget.expect(2 * items.size() * sizeof(Value));
    items.push_back(std::move(v));
  }
  return items;
}

size_t Runtime::length(const Value& v) {
  switch (v.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return v.str().length;
    case Kind::kList:
    case Kind::kTuple:
      return v.items().size();
    case Kind::kDict:
      return v.dict_object().entries.size();
    case Kind::kDictView:
      return v.as<DictViewObj>().dict.dict_object().entries.size();
    case Kind::kRange:
      return static_cast<size_t>(v.as<RangeObj>().length);
    case Kind::kLoop:
      return static_cast<size_t>(v.as<LoopObj>().length());
    default:
      fail(std::string("object of type '") + v.type_name() + "' has no len()");
  }
}

void Runtime::need_hashable(const Value& key) {
  budget.step(key.weight());
  if (!hashable(key)) fail(std::string("unhashable type: '") + key.type_name() + "'");
}

bool Runtime::contains(const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::kString:
      if (!item.is_string()) {
        fail(std::string("'in <string>' requires string as left operand, not ") + item.type_name());
      }
      budget.work(container.text().size() + item.text().size());
      return find_text(container.text(), item.text()) != std::string::npos;
    case Kind::kDict:
      need_hashable(item);
      return container.dict_object().lookup(item) != nullptr;
    case Kind::kRange:
      if (item.is_int()) {
        const auto& r = container.as<RangeObj>();
        const int64_t i = item.as_int();
        if (r.length == 0 || i < std::min(r.start, r.stop) || i > std::max(r.start, r.stop)) return false;
        const __int128 from_start = static_cast<__int128>(i) - r.start;
        return from_start % r.step == 0 && from_start / r.step < r.length;
      }
      break;
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDictView:
    case Kind::kGenerator:
    case Kind::kUndefined:
      break;
    default:
      fail(std::string("argument of type '") + container.type_name() + "' is not iterable");
  }
  budget.step(std::min(container.weight(), item.weight()));
  Cursor cursor(*this, container);
  Value v;
  while (cursor.next(&v)) {
    budget.step(std::min(v.weight(), item.weight()));
    if (equal(v, item)) return true;
  }
  return false;
}

Value Runtime::call(const Value& callee, Args& args) {
  budget.step();
  switch (callee.kind()) {
    case Kind::kFunction:
      return callee.as<FunctionObj>().fn(*this, callee.as<FunctionObj>().self, args);
    case Kind::kMacro:
      return call_macro(callee, args);
    case Kind::kLoop:
      return call_loop(callee, args);
    case Kind::kUndefined:
      fail_undefined(callee);
    case Kind::kJoiner: {
      const Bound b("joiner", args, {}, 0);
      auto& joiner = callee.as<JoinerObj>();
      return std::exchange(joiner.used, true) ? joiner.separator : str("");
    }
    default:
      fail(std::string("'") + callee.type_name() + "' object is not callable");
  }
}

Value Runtime::call_filter(std::string_view name, const Value& subject, Args& args) {
  budget.step();
  const NativeFn fn = find_filter(name);
  if (!fn) fail("No filter named '" + std::string(name) + "'.");
  return fn(*this, subject, args);
}

bool Runtime::call_test(std::string_view name, const Value& subject, Args& args) {
  budget.step();
  const NativeFn fn = find_test(name);
  if (!fn) fail("No test named '" + std::string(name) + "'.");
  return fn(*this, subject, args).truthy();
}

LoopObj::LoopObj(Runtime* rt, const Value& over, int d)
    : Object(Kind::kLoop), iterable(over), cursor(*rt, over), depth0(d) {
  if (!over.is(Kind::kGenerator)) known_length = static_cast<int64_t>(rt->length(over));
}

bool LoopObj::next(Value* out) {
  Value item = std::exchange(after, Value());
  if (item.is_missing() && !cursor.next(&item)) return false;
  ++index0;
  before = std::move(current);
  current = item;
  *out = std::move(item);
  return true;
}

bool LoopObj::peek() {
  if (!after.is_missing()) return true;
  return cursor.next(&after);
}

int64_t LoopObj::length() {
  if (known_length >= 0) return known_length;
  Items rest;
  Value v;
  while (cursor.next(&v)) {
    if (rest.size() == rest.capacity()) budget->expect(2 * rest.size() * sizeof(Value));
    rest.push_back(std::move(v));
  }
  known_length = static_cast<int64_t>(rest.size()) + index0 + 1 + !after.is_missing();
  cursor.restart(Value::list(std::move(rest), budget));
  return known_length;
}

void LoopObj::clear() {
  iterable = after = current = before = last_changed = Value();
  cursor.restart(Value());
}

std::string loop_repr(const Value& loop) {
  auto& l = loop.as<LoopObj>();
  return "<LoopContext " + std::to_string(l.index0 + 1) + "/" + std::to_string(l.length()) + ">";
}

std::string macro_repr(const Value& macro) {
  const Stmt& s = *macro.as<MacroObj>().definition;
  return s.kind == StmtKind::kMacro ? "<Macro '" + s.name + "'>" : "<Macro anonymous>";
}

}  // namespace ingle::jinja
