// The functions that a template can name: those of Jinja and those that transformers adds.
#include <chrono>
#include <ctime>

#include "text/jinja_runtime.h"

namespace ingle::jinja {

namespace {

Value make_range(Runtime& rt, const Value&, Args& args) {
  const Bound b("range", args, {"start", "stop", "step"}, 1);
  const bool one = !b.has(1);
  const int64_t start = one ? 0 : b.integer(0, 0), stop = one ? b.integer(0, 0) : b.integer(1, 0),
                step = b.integer(2, 1);
  if (step == 0) fail("range() arg 3 must not be zero");
  const __int128 span = step > 0 ? static_cast<__int128>(stop) - start : static_cast<__int128>(start) - stop;
  const __int128 by = step > 0 ? static_cast<__int128>(step) : -static_cast<__int128>(step);
  const __int128 n = span <= 0 ? 0 : (span + by - 1) / by;
  if (n > 100000) fail("Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
  return rt.adopt(new RangeObj(start, stop, step, static_cast<int64_t>(n)), 0);
}

// What dict(...) makes of its arguments.
Entries dict_entries(Runtime& rt, const char* function, Args& args) {
  Entries entries;
  if (args.positional.size() > 1)
    fail(std::string(function) + " expected at most 1 argument, got " + std::to_string(args.positional.size()));
  if (!args.positional.empty()) {
    const Value& from = args.positional[0];
    if (from.is_undefined()) fail_undefined(from);
    if (from.is_dict()) {
      entries = from.dict_object().entries;
    } else {
      for (const Value& pair : rt.to_items(from)) {
        const Items parts = rt.to_items(pair);
        if (parts.size() != 2)
          fail("dictionary update sequence element has length " + std::to_string(parts.size()) + "; 2 is required");
        rt.need_hashable(parts[0]);
        entries.emplace_back(parts[0], parts[1]);
      }
    }
  }
  for (auto& [name, value] : args.keyword) entries.emplace_back(rt.str(name), value);
  return entries;
}

Value make_dict(Runtime& rt, const Value&, Args& args) { return rt.dict(dict_entries(rt, "dict", args)); }

Value make_namespace(Runtime& rt, const Value&, Args& args) {
  Entries entries = dict_entries(rt, "namespace", args);
  Value ns = rt.make_namespace();
  for (auto& [name, value] : entries) {
    if (name.is_string() && name.text().starts_with('_')) {
      fail("a namespace can't have the attribute '" + name.text() + "': it begins with an underscore");
    }
    set_attribute(rt, ns, std::move(name), std::move(value));
  }
  return ns;
}

Value make_cycler(Runtime& rt, const Value&, Args& args) {
  if (!args.keyword.empty()) fail("cycler() takes no keyword arguments");
  if (args.positional.empty()) fail("at least one item has to be provided");
  return rt.adopt(new CyclerObj(args.positional), args.positional.size() * sizeof(Value));
}

Value make_joiner(Runtime& rt, const Value&, Args& args) {
  const Bound b("joiner", args, {"sep"}, 0);
  auto* joiner = new JoinerObj(b.get(0, rt.str(", ")));
  Value v = rt.adopt(joiner, 0);
  joiner->depth = depth_over(joiner->separator.depth());
  return v;
}

Value raise_exception(Runtime& rt, const Value&, Args& args) {
  const Bound b("raise_exception", args, {"message"}, 1);
  fail(rt.to_str(b[0]));
}

Value strftime_now(Runtime& rt, const Value&, Args& args) {
  const Bound b("strftime_now", args, {"format"}, 1);
  std::tm now{};
  long microseconds = 0;
  if (rt.now) {
    now = *rt.now;
  } else {
    const auto at = std::chrono::system_clock::now();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
    localtime_r(&seconds, &now);
    microseconds = static_cast<long>(
        std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count() % 1000000);
  }
  // One directive at a time, which bounds what each can write. Python itself fills in %f, and %z and %Z with nothing.
  const std::string& format = b.text(0);
  rt.budget.work(format.size());
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 >= format.size()) {
      out += format[i];
      continue;
    }
    size_t end = i + 1;
    while (end + 1 < format.size() && std::string_view("-_0^#EO").find(format[end]) != std::string_view::npos) ++end;
    const std::string directive = format.substr(i, end + 1 - i);
    i = end;
    char buffer[256];
    if (directive == "%f") {
      std::snprintf(buffer, sizeof buffer, "%06ld", microseconds);
      out += buffer;
    } else if (directive != "%z" && directive != "%Z") {
      out.append(buffer, std::strftime(buffer, sizeof buffer, directive.c_str(), &now));
    }
    rt.budget.work(256);
  }
  return rt.str(std::move(out));
}

Value lipsum(Runtime&, const Value&, Args&) { fail("lipsum() is not supported: a prompt must not be random"); }

}  // namespace

void add_globals(Runtime& rt, DictObj* globals) {
  const auto add = [&](const char* name, NativeFn fn) { globals->set(Value::string(name), rt.function(fn, name)); };
  add("range", make_range);
  add("dict", make_dict);
  add("namespace", make_namespace);
  add("cycler", make_cycler);
  add("joiner", make_joiner);
  add("lipsum", lipsum);
  add("raise_exception", raise_exception);
  add("strftime_now", strftime_now);
}

}  // namespace ingle::jinja
