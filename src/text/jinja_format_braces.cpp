// str.format.
#include <algorithm>
#include <optional>

#include "text/jinja_format_spec.h"
#include "text/jinja_numbers.h"

namespace ingle::jinja {

namespace {

class BraceFormatter {
 public:
  BraceFormatter(Runtime& rt, Args& args) : rt_(rt), args_(args) {}

  std::string run(std::string_view format, int depth) {
    if (depth > 2) fail("Max string recursion exceeded");
    std::string out;
    for (size_t at = 0; at < format.size();) {
      const char c = format[at];
      if (c != '{' && c != '}') {
        const size_t end = std::min(format.find_first_of("{}", at), format.size());
        out += format.substr(at, end - at);
        at = end;
      } else if (at + 1 < format.size() && format[at + 1] == c) {
        out += c;
        at += 2;
      } else if (c == '}') {
        fail("Single '}' encountered in format string");
      } else {
        const size_t end = field_end(format, at);
        out += field(format.substr(at + 1, end - at - 1), depth);
        at = end + 1;
      }
      rt_.budget.expect(out.size());
      rt_.budget.step();
    }
    return out;
  }

 private:
  static size_t field_end(std::string_view format, size_t at) {
    int open = 0;
    bool in_brackets = false;
    for (size_t i = at; i < format.size(); ++i) {
      if (format[i] == '[' && open == 1) in_brackets = true;
      if (format[i] == ']') in_brackets = false;
      if (in_brackets) continue;
      if (format[i] == '{') ++open;
      if (format[i] == '}' && --open == 0) return i;
    }
    fail(at + 1 == format.size() ? "Single '{' encountered in format string" : "expected '}' before end of string");
  }

  std::string field(std::string_view text, int depth) {
    // The name ends at the first ! or : outside brackets.
    size_t end = 0;
    for (bool in_brackets = false; end < text.size(); ++end) {
      if (text[end] == '[') in_brackets = true;
      if (text[end] == ']') in_brackets = false;
      if (!in_brackets && (text[end] == '!' || text[end] == ':')) break;
    }
    Value v = lookup(text.substr(0, end));
    std::string_view rest = text.substr(end);
    if (rest.starts_with('!')) {
      if (rest.size() < 2) fail("end of string while looking for conversion specifier");
      const char conversion = rest[1];
      if (conversion == 'r') {
        v = rt_.str(repr_of(v, &rt_.budget));
      } else if (conversion == 's') {
        v = rt_.str(rt_.to_str(v));
      } else if (conversion == 'a') {
        v = rt_.str(ascii_of(rt_, v));
      } else {
        fail(std::string("Unknown conversion specifier ") + conversion);
      }
      rest.remove_prefix(2);
      if (!rest.empty() && rest[0] != ':') fail("expected ':' after conversion specifier");
    }
    const std::string spec = rest.empty() ? "" : run(rest.substr(1), depth + 1);
    return format_value(rt_, v, spec);
  }

  Value lookup(std::string_view name) {
    size_t end = std::min(name.find_first_of(".["), name.size());
    Value v = first(name.substr(0, end));
    while (end < name.size()) {
      if (name[end] == '.') {
        const size_t stop = std::min(name.find_first_of(".[", end + 1), name.size());
        const std::string attribute(name.substr(end + 1, stop - end - 1));
        if (attribute.empty()) fail("Empty attribute in format string");
        v = get_attribute(rt_, v, attribute);
        end = stop;
      } else if (name[end] == '[') {
        const size_t stop = name.find(']', end);
        if (stop == std::string_view::npos) fail("Missing ']' in format string");
        const std::string_view key = name.substr(end + 1, stop - end - 1);
        if (key.empty()) fail("Empty attribute in format string");
        v = get_item(rt_, v, index_of(key).value_or(rt_.str(std::string(key))));
        end = stop + 1;
      } else {
        fail("Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return v;
  }

  std::optional<Value> index_of(std::string_view text) {
    const bool digits =
        !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    return digits ? parse_integer(text, 10, &rt_.budget) : std::nullopt;
  }

  Value first(std::string_view name) {
    const auto index = index_of(name);
    if (name.empty() || index) {
      if (name.empty() ? manual_ : automatic_)
        fail("cannot mix automatic field numbering and manual field specification");
      (name.empty() ? automatic_ : manual_) = true;
      const int64_t i = name.empty() ? next_++ : index->is_int() ? index->as_int() : -1;
      if (i < 0 || i >= static_cast<int64_t>(args_.positional.size())) {
        fail("Replacement index " + std::to_string(i) + " out of range for positional args tuple");
      }
      return args_.positional[static_cast<size_t>(i)];
    }
    rt_.budget.step(args_.keyword.size());
    for (const auto& [key, value] : args_.keyword) {
      if (key == name) return value;
    }
    fail("KeyError: '" + std::string(name) + "'");
  }

  Runtime& rt_;
  Args& args_;
  int64_t next_ = 0;
  bool automatic_ = false, manual_ = false;
};

}  // namespace

std::string format_braces(Runtime& rt, const std::string& format, Args& args) {
  return BraceFormatter(rt, args).run(format, 0);
}

}  // namespace ingle::jinja
