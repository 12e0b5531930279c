// Filters over sequences. Those that are generators in Jinja are here too: they read their input as they are read.
#include <algorithm>
#include <memory>

#include "text/jinja_filters.h"
#include "text/jinja_unicode.h"

namespace ingle::jinja {

AttributePath::AttributePath(Runtime& rt, const Value& attribute) {
  if (attribute.is_missing() || attribute.is_none()) return;
  if (!attribute.is_string()) {
    parts_.push_back(attribute);
    return;
  }
  std::string_view path = attribute.text();
  rt.budget.work(8 * path.size());
  rt.budget.expect(path.size() * sizeof(Value));
  while (true) {
    const size_t dot = path.find('.');
    const std::string part(path.substr(0, dot));
    const bool digits =
        !part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    parts_.push_back(digits && part.size() < 19 ? Value(static_cast<int64_t>(std::stoll(part))) : rt.str(part));
    if (dot == std::string_view::npos) break;
    path.remove_prefix(dot + 1);
  }
}

Value AttributePath::of(Runtime& rt, Value item, const Value* otherwise) const {
  for (const Value& part : parts_) {
    rt.budget.step();
    item = get_item(rt, item, part);
    if (otherwise && item.is_undefined()) item = *otherwise;
  }
  return item;
}

Value sort_key(Runtime& rt, const Value& v, bool case_sensitive) {
  if (case_sensitive || !v.is_string()) return v;
  rt.budget.work(2 * v.text().size());
  return rt.str(to_lower(v.text()));
}

namespace {

int deepest(const Value& subject, const Args& args) {
  int d = subject.depth();
  for (const Value& v : args.positional) d = std::max(d, v.depth());
  for (const auto& [name, v] : args.keyword) d = std::max(d, v.depth());
  return d;
}

// A generator whose input is opened when its first item is asked for, as a Python generator's body runs only then.
template <typename Step>
Value lazy(Runtime& rt, const Value& subject, int depth, Step step) {
  return rt.generator(
      [subject, step = std::move(step), cursor = std::shared_ptr<Cursor>()](Runtime& r, Value* out) mutable {
        if (!cursor) cursor = std::make_shared<Cursor>(r, subject);
        return step(r, *cursor, out);
      },
      depth);
}

Value empty(Runtime& rt) {
  return rt.generator([](Runtime&, Value*) { return false; }, 0);
}

Value map(Runtime& rt, const Value& subject, Args& args) {
  if (!subject.truthy()) return empty(rt);
  const int depth = deepest(subject, args);
  const auto by_name =
      std::find_if(args.keyword.begin(), args.keyword.end(), [](const auto& k) { return k.first == "attribute"; });
  if (args.positional.empty() && by_name != args.keyword.end()) {
    // What is wrong with the arguments shows when the first item is asked for.
    return lazy(rt, subject, depth, [args](Runtime& r, Cursor& source, Value* out) mutable {
      const Bound b("map", args, {"attribute", "default"}, 1);
      Value item;
      if (!source.next(&item)) return false;
      const Value otherwise = b.get(1, Value::none());
      *out = AttributePath(r, b[0]).of(r, std::move(item), otherwise.is_none() ? nullptr : &otherwise);
      return true;
    });
  }
  return lazy(rt, subject, depth, [args](Runtime& r, Cursor& source, Value* out) {
    if (args.positional.empty()) fail("map requires a filter argument");
    Value item;
    if (!source.next(&item)) return false;
    const Value& name = args.positional[0];
    if (name.is_undefined()) fail_undefined(name);
    if (!name.is_string()) fail("No filter named " + repr_of(name, &r.budget) + ".");
    Args rest{Items(args.positional.begin() + 1, args.positional.end()), args.keyword};
    *out = r.call_filter(name.text(), item, rest);
    return true;
  });
}

// select, reject, selectattr, rejectattr
template <bool by_attribute, bool wanted>
Value select(Runtime& rt, const Value& subject, Args& args) {
  if (!subject.truthy()) return empty(rt);
  return lazy(rt, subject, deepest(subject, args), [args](Runtime& r, Cursor& source, Value* out) {
    constexpr size_t kTest = by_attribute ? 1 : 0;
    if (by_attribute && args.positional.empty()) fail("Missing parameter for attribute name");
    Value item;
    while (source.next(&item)) {
      const Value probe = by_attribute ? AttributePath(r, args.positional[0]).of(r, item) : item;
      bool passes = false;
      if (args.positional.size() <= kTest) {
        passes = probe.truthy();
      } else {
        const Value& name = args.positional[kTest];
        if (name.is_undefined()) fail_undefined(name);
        if (!name.is_string()) fail("No test named " + repr_of(name, &r.budget) + ".");
        Args rest{Items(args.positional.begin() + kTest + 1, args.positional.end()), args.keyword};
        passes = r.call_test(name.text(), probe, rest);
      }
      if (passes != wanted) continue;
      *out = item;
      return true;
    }
    return false;
  });
}

Value unique(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("unique", args, {"case_sensitive", "attribute"}, 0);
  auto seen = std::make_shared<DictObj>();
  return lazy(rt, subject, deepest(subject, args),
              [seen, case_sensitive = b.truthy(0, false), attribute = b[1]](Runtime& r, Cursor& source, Value* out) {
                Value item;
                while (source.next(&item)) {
                  Value key = sort_key(r, AttributePath(r, attribute).of(r, item), case_sensitive);
                  r.need_hashable(key);
                  if (seen->lookup(key)) continue;
                  r.budget.expect(seen->entries.size() * 2 * sizeof(Entries::value_type));
                  seen->set(std::move(key), Value::none());
                  *out = item;
                  return true;
                }
                return false;
              });
}

Value batch(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("batch", args, {"linecount", "fill_with"}, 1);
  const Value size = b[0], fill = b.get(1, Value::none());
  return lazy(rt, subject, deepest(subject, args),
              [size, fill, held = Value()](Runtime& r, Cursor& source, Value* out) mutable {
                Items row;
                if (!held.is_missing()) row.push_back(std::exchange(held, Value()));
                Value item;
                while (source.next(&item)) {
                  if (equal(Value::size(row.size()), size)) {
                    held = std::move(item);
                    *out = r.list(std::move(row));
                    return true;
                  }
                  row.push_back(std::move(item));
                  r.budget.expect(row.size() * sizeof(Value));
                }
                if (row.empty()) return false;
                if (!fill.is_none() && less(Value::size(row.size()), size)) {
                  if (!size.is_int()) fail("batch(): an integer is required");
                  r.budget.expect(static_cast<size_t>(size.as_int()) * sizeof(Value));
                  r.budget.step(static_cast<uint64_t>(size.as_int()));
                  row.resize(static_cast<size_t>(size.as_int()), fill);
                }
                *out = r.list(std::move(row));
                return true;
              });
}

Value slice(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("slice", args, {"slices", "fill_with"}, 1);
  const Value count = b[0], fill = b.get(1, Value::none());
  struct State {
    Items items;
    int64_t slices = 0, next = 0, offset = 0;
    bool begun = false;
  };
  auto state = std::make_shared<State>();
  return rt.generator(
      [subject, count, fill, state](Runtime& r, Value* out) {
        State& s = *state;
        if (!s.begun) {
          s.begun = true;
          s.items = r.to_items(subject);
          if (!count.is_int()) fail("slice(): an integer is required");
          s.slices = count.as_int();
          if (s.slices == 0) fail("integer division or modulo by zero");
        }
        if (s.next >= s.slices) return false;
        const auto n = static_cast<int64_t>(s.items.size());
        const int64_t each = n / s.slices, longer = n % s.slices;
        const int64_t from = s.offset + s.next * each;
        if (s.next < longer) ++s.offset;
        const int64_t to = s.offset + (s.next + 1) * each;
        Items part(s.items.begin() + from, s.items.begin() + to);
        if (!fill.is_none() && s.next >= longer) part.push_back(fill);
        ++s.next;
        *out = r.list(std::move(part));
        return true;
      },
      deepest(subject, args));
}

Value reverse(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("reverse", args, {}, 0);
  if (subject.is_string()) return get_slice(rt, subject, Value::none(), Value::none(), -1);
  if (subject.is(Kind::kGenerator)) {
    Items items = rt.to_items(subject);
    std::reverse(items.begin(), items.end());
    return rt.list(std::move(items));
  }
  if (!subject.is_sequence() && !subject.is_dict() && !subject.is(Kind::kDictView) && !subject.is(Kind::kRange) &&
      !subject.is_undefined()) {
    fail("argument must be iterable");
  }
  const Value items = rt.list(rt.to_items(subject));
  return rt.generator(
      [items, left = items.items().size()](Runtime&, Value* out) mutable {
        if (left == 0) return false;
        *out = items.items()[--left];
        return true;
      },
      items.depth());
}

Value items(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("items", args, {}, 0);
  if (subject.is_undefined()) return empty(rt);
  return rt.generator(
      [subject, at = size_t{0}](Runtime& r, Value* out) mutable {
        if (!subject.is_dict()) fail("Can only get item pairs from a mapping.");
        const Entries& entries = subject.dict_object().entries;
        if (at >= entries.size()) return false;
        *out = r.tuple({entries[at].first, entries[at].second});
        ++at;
        return true;
      },
      subject.depth());
}

// Sorts `items` by their keys, stably.
void sort_by(Runtime& rt, Items* items, const Items& keys, bool backwards) {
  std::vector<size_t> order(items->size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) {
    if (backwards) std::swap(x, y);
    rt.budget.step(std::min(keys[x].weight(), keys[y].weight()));
    return less(keys[x], keys[y]);
  });
  Items sorted;
  sorted.reserve(items->size());
  for (size_t i : order) sorted.push_back(std::move((*items)[i]));
  *items = std::move(sorted);
}

Value sort(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("sort", args, {"reverse", "case_sensitive", "attribute"}, 0);
  std::vector<AttributePath> paths;
  if (b.has(2) && b[2].is_string()) {
    std::string_view list = b[2].text();
    for (size_t comma = 0; comma != std::string_view::npos;
         list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1)) {
      comma = list.find(',');
      paths.emplace_back(rt, rt.str(std::string(list.substr(0, comma))));
    }
  } else {
    paths.emplace_back(rt, b[2]);
  }
  Items sorted = rt.to_items(subject), keys;
  for (const Value& item : sorted) {
    Items key;
    for (const AttributePath& path : paths) key.push_back(sort_key(rt, path.of(rt, item), b.truthy(1, false)));
    keys.push_back(rt.list(std::move(key)));
  }
  sort_by(rt, &sorted, keys, b.truthy(0, false));
  return rt.list(std::move(sorted));
}

Value dictsort(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("dictsort", args, {"case_sensitive", "by", "reverse"}, 0);
  const std::string by = b.has(1) ? (b[1].is_string() ? b[1].text() : "") : "key";
  if (by != "key" && by != "value") fail("You can only sort by either \"key\" or \"value\"");
  if (subject.is_undefined()) fail_undefined(subject);
  if (!subject.is_dict()) fail(std::string("'") + subject.type_name() + "' object has no attribute 'items'");
  Items sorted, keys;
  for (const auto& [key, value] : subject.dict_object().entries) {
    sorted.push_back(rt.tuple({key, value}));
    keys.push_back(sort_key(rt, by == "key" ? key : value, b.truthy(0, false)));
  }
  sort_by(rt, &sorted, keys, b.truthy(2, false));
  return rt.list(std::move(sorted));
}

Value groupby(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("groupby", args, {"attribute", "default", "case_sensitive"}, 1);
  const AttributePath path(rt, b[0]);
  const Value* otherwise = b.is_given(1) ? &b[1] : nullptr;
  const bool case_sensitive = b.truthy(2, false);
  Items sorted = rt.to_items(subject), keys;
  for (const Value& item : sorted) keys.push_back(sort_key(rt, path.of(rt, item, otherwise), case_sensitive));
  sort_by(rt, &sorted, keys, false);
  Items groups;
  for (size_t i = 0; i < sorted.size();) {
    const Value key = sort_key(rt, path.of(rt, sorted[i], otherwise), case_sensitive);
    const Value shown = path.of(rt, sorted[i], otherwise);
    Items members;
    do {
      members.push_back(sorted[i++]);
    } while (i < sorted.size() && equal(sort_key(rt, path.of(rt, sorted[i], otherwise), case_sensitive), key));
    Value group = rt.tuple({shown, rt.list(std::move(members))});
    group.as<ListObj>().is_group = true;
    groups.push_back(std::move(group));
  }
  return rt.list(std::move(groups));
}

template <bool largest>
Value extreme(Runtime& rt, const Value& subject, Args& args) {
  const Bound b(largest ? "max" : "min", args, {"case_sensitive", "attribute"}, 0);
  const AttributePath path(rt, b[1]);
  const bool case_sensitive = b.truthy(0, false);
  Cursor cursor(rt, subject);
  Value best, item;
  if (!cursor.next(&best)) return rt.undefined("No aggregated item, sequence was empty.");
  Value best_key = sort_key(rt, path.of(rt, best), case_sensitive);
  while (cursor.next(&item)) {
    Value key = sort_key(rt, path.of(rt, item), case_sensitive);
    rt.budget.step(std::min(key.weight(), best_key.weight()));
    if (largest ? !less(best_key, key, ">") : !less(key, best_key)) continue;
    best = std::move(item);
    best_key = std::move(key);
  }
  return best;
}

Value sum(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("sum", args, {"attribute", "start"}, 0);
  const AttributePath path(rt, b[0]);
  Value total = b.get(1, 0);
  if (total.is_string()) fail("sum() can't sum strings [use ''.join(seq) instead]");
  Cursor cursor(rt, subject);
  Value item;
  while (cursor.next(&item)) total = arithmetic(rt, Op::kAdd, total, path.of(rt, std::move(item)));
  return total;
}

Value first(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("first", args, {}, 0);
  Cursor cursor(rt, subject);
  Value item;
  return cursor.next(&item) ? item : rt.undefined("No first item, sequence was empty.");
}

Value last(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("last", args, {}, 0);
  if (subject.is(Kind::kGenerator)) fail("'generator' object is not reversible");
  const Items all = rt.to_items(subject);
  return all.empty() ? rt.undefined("No last item, sequence was empty.") : all.back();
}

Value list(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("list", args, {}, 0);
  return rt.list(rt.to_items(subject));
}

Value length(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("length", args, {}, 0);
  return Value::size(rt.length(subject));
}

Value join(Runtime& rt, const Value& subject, Args& args) {
  const Bound b("join", args, {"d", "attribute"}, 0);
  const std::string separator = b.has(0) ? rt.to_str(b[0]) : "";
  const AttributePath path(rt, b[1]);
  Cursor cursor(rt, subject);
  std::string out;
  Value item;
  for (bool first_item = true; cursor.next(&item); first_item = false) {
    const Value text = rt.as_string(path.of(rt, std::move(item)));
    rt.budget.expect(out.size() + separator.size() + text.text().size());
    rt.budget.work(separator.size() + text.text().size());
    if (!first_item) out += separator;
    out += text.text();
  }
  return rt.str(std::move(out));
}

Value random(Runtime&, const Value&, Args&) {
  fail("the filter 'random' is not supported: a prompt must not be random");
}

}  // namespace

const FilterTable& sequence_filters() {
  static const FilterTable kTable = {
      {"batch", batch},
      {"count", length},
      {"dictsort", dictsort},
      {"first", first},
      {"groupby", groupby},
      {"items", items},
      {"join", join},
      {"last", last},
      {"length", length},
      {"list", list},
      {"map", map},
      {"max", extreme<true>},
      {"min", extreme<false>},
      {"random", random},
      {"reject", select<false, false>},
      {"rejectattr", select<true, false>},
      {"reverse", reverse},
      {"select", select<false, true>},
      {"selectattr", select<true, true>},
      {"slice", slice},
      {"sort", sort},
      {"sum", sum},
      {"unique", unique},
  };
  return kTable;
}

}  // namespace ingle::jinja
