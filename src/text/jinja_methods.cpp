// The methods of everything but str.
#include <cmath>
#include <unordered_map>

#include "text/jinja_interpreter.h"
#include "text/jinja_runtime.h"
#include "text/jinja_string_methods.h"

namespace ingle::jinja {

namespace {

Value dict_get(Runtime& rt, const Value& self, Args& args) {
  if (!args.keyword.empty()) fail("dict.get() takes no keyword arguments");
  const Bound b("get", args, {"key", "default"}, 1);
  rt.need_hashable(b[0]);
  const Value* v = self.dict_object().lookup(b[0]);
  return v ? *v : b.get(1, Value::none());
}

template <DictViewObj::Part part>
Value dict_view(Runtime& rt, const Value& self, Args& args) {
  const Bound b("dict method", args, {}, 0);
  auto* view = new DictViewObj(self, part);
  Value v = rt.adopt(view, 0);
  view->depth = depth_over(self.depth());
  view->weight = weight_over(self.weight());
  return v;
}

Value copy(Runtime&, const Value& self, Args& args) {
  const Bound b("copy", args, {}, 0);
  return self;  // nothing changes a list or dict, so that a copy can't be told from it
}

Value sequence_index(Runtime& rt, const Value& self, Args& args) {
  const Bound b("index", args, {"value", "start", "stop"}, 1);
  const auto n = static_cast<int64_t>(rt.length(self));
  const auto place = [&](size_t i, int64_t otherwise) {
    const int64_t v = b.integer(i, otherwise);
    return v < 0 ? std::max<int64_t>(v < -n ? 0 : v + n, 0) : std::min(v, n);
  };
  const int64_t stop = place(2, n);
  for (int64_t i = place(1, 0); i < stop; ++i) {
    const Value v = get_item(rt, self, i);
    rt.budget.step(std::min(v.weight(), b[0].weight()));
    if (equal(v, b[0])) return i;
  }
  fail(repr_of(b[0], &rt.budget) + " is not in " + self.type_name());
}

Value sequence_count(Runtime& rt, const Value& self, Args& args) {
  const Bound b("count", args, {"value"}, 1);
  int64_t n = 0;
  Cursor cursor(rt, self);
  Value v;
  while (cursor.next(&v)) {
    rt.budget.step(std::min(v.weight(), b[0].weight()));
    n += equal(v, b[0]);
  }
  return n;
}

Value loop_cycle(Runtime&, const Value& self, Args& args) {
  if (!args.keyword.empty()) fail("cycle() takes no keyword arguments");
  if (args.positional.empty()) fail("no items for cycling given");
  const int64_t i = self.as<LoopObj>().index0;
  const auto n = static_cast<int64_t>(args.positional.size());
  return args.positional[static_cast<size_t>(((i % n) + n) % n)];
}

Value loop_changed(Runtime& rt, const Value& self, Args& args) {
  if (!args.keyword.empty()) fail("changed() takes no keyword arguments");
  auto& loop = self.as<LoopObj>();
  Value value = rt.tuple(args.positional);
  rt.budget.step(value.weight());
  if (!loop.last_changed.is_missing() && equal(loop.last_changed, value)) return false;
  loop.last_changed = std::move(value);
  return true;
}

Value cycler_next(Runtime&, const Value& self, Args& args) {
  const Bound b("next", args, {}, 0);
  auto& c = self.as<CyclerObj>();
  Value v = c.items[c.at];
  c.at = (c.at + 1) % c.items.size();
  return v;
}

Value cycler_reset(Runtime&, const Value& self, Args& args) {
  const Bound b("reset", args, {}, 0);
  self.as<CyclerObj>().at = 0;
  return Value::none();
}

Value bit_length(Runtime&, const Value& self, Args& args) {
  const Bound b("bit_length", args, {}, 0);
  const int64_t i = self.as_int();
  const uint64_t size = i < 0 ? 0 - static_cast<uint64_t>(i) : static_cast<uint64_t>(i);
  return size == 0 ? 0 : 64 - __builtin_clzll(size);
}

Value bit_count(Runtime&, const Value& self, Args& args) {
  const Bound b("bit_count", args, {}, 0);
  const int64_t i = self.as_int();
  return __builtin_popcountll(i < 0 ? 0 - static_cast<uint64_t>(i) : static_cast<uint64_t>(i));
}

Value conjugate(Runtime&, const Value& self, Args& args) {
  const Bound b("conjugate", args, {}, 0);
  return self.is(Kind::kFloat) ? self : Value(self.as_int());
}

Value is_integer(Runtime&, const Value& self, Args& args) {
  const Bound b("is_integer", args, {}, 0);
  return std::isfinite(self.as_double()) && self.as_double() == std::floor(self.as_double());
}

Value dict_fromkeys(Runtime& rt, const Value&, Args& args) {
  const Bound b("fromkeys", args, {"iterable", "value"}, 1);
  Entries entries;
  for (Value& key : rt.to_items(b[0])) {
    rt.need_hashable(key);
    entries.emplace_back(std::move(key), b.get(1, Value::none()));
  }
  return rt.dict(std::move(entries));
}

Value unsupported(Runtime&, const Value&, Args&) { fail("this method is not supported in chat templates"); }

using Methods = std::unordered_map<std::string_view, NativeFn>;

// Methods that would change their object are there as null: Jinja's sandbox calls them unsafe.
const Methods* methods_of(Kind kind) {
  static const Methods kDict = {
      {"get", dict_get},
      {"keys", dict_view<DictViewObj::Part::kKeys>},
      {"values", dict_view<DictViewObj::Part::kValues>},
      {"items", dict_view<DictViewObj::Part::kItems>},
      {"copy", copy},
      {"fromkeys", dict_fromkeys},
      {"clear", nullptr},
      {"pop", nullptr},
      {"popitem", nullptr},
      {"setdefault", nullptr},
      {"update", nullptr},
  };
  static const Methods kList = {
      {"index", sequence_index}, {"count", sequence_count}, {"copy", copy},       {"append", nullptr},
      {"clear", nullptr},        {"pop", nullptr},          {"reverse", nullptr}, {"insert", nullptr},
      {"sort", nullptr},         {"extend", nullptr},       {"remove", nullptr},
  };
  static const Methods kSequence = {{"index", sequence_index}, {"count", sequence_count}};
  static const Methods kView = {{"isdisjoint", unsupported}, {"mapping", unsupported}};
  static const Methods kLoop = {{"cycle", loop_cycle}, {"changed", loop_changed}};
  static const Methods kCycler = {{"next", cycler_next}, {"reset", cycler_reset}};
  static const Methods kInt = {{"bit_length", bit_length},  {"bit_count", bit_count},
                               {"conjugate", conjugate},    {"to_bytes", unsupported},
                               {"from_bytes", unsupported}, {"as_integer_ratio", unsupported}};
  static const Methods kFloat = {{"is_integer", is_integer},
                                 {"conjugate", conjugate},
                                 {"hex", unsupported},
                                 {"fromhex", unsupported},
                                 {"as_integer_ratio", unsupported}};
  switch (kind) {
    case Kind::kDict:
      return &kDict;
    case Kind::kList:
      return &kList;
    case Kind::kTuple:
    case Kind::kRange:
      return &kSequence;
    case Kind::kDictView:
      return &kView;
    case Kind::kLoop:
      return &kLoop;
    case Kind::kCycler:
      return &kCycler;
    case Kind::kBool:
    case Kind::kInt:
      return &kInt;
    case Kind::kFloat:
      return &kFloat;
    default:
      return nullptr;
  }
}

}  // namespace

const NativeFn* find_method(Kind kind, std::string_view name) {
  if (kind == Kind::kString) return find_string_method(name);
  const Methods* methods = methods_of(kind);
  if (!methods) return nullptr;
  const auto it = methods->find(name);
  return it == methods->end() ? nullptr : &it->second;
}

}  // namespace ingle::jinja
