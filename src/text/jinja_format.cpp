// `format % arguments`, str.format and the format specifications of both.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "text/jinja_numbers.h"
#include "text/jinja_runtime.h"
#include "text/jinja_string_methods.h"
#include "text/jinja_unicode.h"

namespace ingle::jinja {

namespace {

constexpr int64_t kMaxWidth = 1 << 24;

// [[fill]align][sign][#][0][width][grouping][.precision][type], or what a printf-style directive says of it.
struct Spec {
  std::string fill = " ";
  char align = 0;  // '<', '>', '=', '^'; 0: by the type
  char sign = '-';
  bool alternate = false;
  int64_t width = 0;
  char grouping = 0;
  int64_t precision = -1;
  char type = 0;
};

std::string padded(Runtime& rt, std::string_view sign, std::string body, const Spec& spec, char default_align) {
  if (spec.width > kMaxWidth || spec.precision > kMaxWidth) fail_limit("a formatted value is too wide");
  rt.budget.expect(static_cast<size_t>(spec.width) * spec.fill.size() + body.size());
  rt.budget.work(static_cast<size_t>(spec.width) + body.size());
  const auto length = static_cast<int64_t>(to_code_points(body).size() + sign.size());
  const int64_t n = std::max<int64_t>(spec.width - length, 0);
  const char align = spec.align ? spec.align : default_align;
  const int64_t left = align == '<' ? 0 : align == '^' ? n / 2 : n;
  const auto fill = [&](int64_t count) {
    std::string s;
    for (int64_t i = 0; i < count; ++i) s += spec.fill;
    return s;
  };
  if (align == '=') return std::string(sign) + fill(n) + body;
  return fill(left) + std::string(sign) + body + fill(n - left);
}

std::string grouped(const std::string& digits, char separator, size_t every = 3) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % every == 0) out += separator;
    out += digits[i];
  }
  return out;
}

std::string digits_in_base(uint64_t v, unsigned base, bool upper) {
  std::string out;
  do {
    out += (upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
    v /= base;
  } while (v);
  std::reverse(out.begin(), out.end());
  return out;
}

std::string sign_of(bool negative, const Spec& spec) {
  if (negative) return "-";
  return spec.sign == '-' ? "" : std::string(1, spec.sign);
}

std::string format_int(Runtime& rt, const Value& v, const Spec& spec) {
  bool negative = false;
  std::string digits;
  const char type = spec.type ? spec.type : 'd';
  const unsigned base = type == 'b' ? 2 : type == 'o' ? 8 : type == 'x' || type == 'X' ? 16 : 10;
  if (v.is(Kind::kBigInt)) {
    digits = v.as<BigIntObj>().digits;
    negative = digits[0] == '-';
    if (negative) digits.erase(0, 1);
    if (base != 10) fail("formatting integers outside 64 bits is supported in base 10 only");
  } else {
    negative = v.as_int() < 0;
    digits = digits_in_base(negative ? 0 - static_cast<uint64_t>(v.as_int()) : static_cast<uint64_t>(v.as_int()), base,
                            type == 'X');
  }
  std::string prefix = sign_of(negative, spec);
  if (spec.alternate && base != 10) prefix += std::string("0") + type;
  if (spec.precision > static_cast<int64_t>(digits.size())) {
    rt.budget.expect(static_cast<size_t>(spec.precision));
    digits.insert(0, static_cast<size_t>(spec.precision) - digits.size(), '0');
  }
  if (spec.grouping) {
    const size_t every = base == 10 ? 3 : 4;
    // Zeros that fill the width are grouped too.
    while (spec.align == '=' && spec.fill == "0" &&
           static_cast<int64_t>(prefix.size() + grouped(digits, spec.grouping, every).size()) < spec.width &&
           spec.width < 1000) {
      digits.insert(0, 1, '0');
    }
    digits = grouped(digits, spec.grouping, every);
  }
  return padded(rt, prefix, std::move(digits), spec, '>');
}

// The digits of a finite or other double, without sign.
std::string float_digits(double d, const Spec& spec, bool bare) {
  const double size = std::fabs(d);
  const char type = spec.type ? spec.type : 'g';
  const bool upper = type == 'F' || type == 'E' || type == 'G';
  if (!std::isfinite(size)) return std::isnan(size) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf");
  if (bare && spec.precision < 0) return float_repr(size);
  if (spec.precision > 1000) fail_limit("a formatted number is too long");
  const int precision = static_cast<int>(spec.precision < 0 ? 6 : spec.precision);
  const char directive[] = {'%',
                            spec.alternate ? '#' : '.',
                            spec.alternate ? '.' : '*',
                            spec.alternate ? '*' : (type == '%' ? 'f' : type),
                            spec.alternate ? (type == '%' ? 'f' : type) : '\0',
                            '\0'};
  std::string text(1500, '\0');
  const int n = std::snprintf(text.data(), text.size(), directive, precision, type == '%' ? size * 100 : size);
  text.resize(static_cast<size_t>(std::max(n, 0)));
  if (bare && text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

std::string format_float(Runtime& rt, double d, const Spec& spec) {
  std::string digits = float_digits(d, spec, spec.type == 0);
  if (spec.grouping) {
    const size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
    digits = grouped(digits.substr(0, whole), spec.grouping) + digits.substr(whole);
  }
  if (spec.type == '%') digits += '%';
  return padded(rt, sign_of(std::signbit(d) && !std::isnan(d), spec), std::move(digits), spec, '>');
}

std::string format_text(Runtime& rt, std::string_view text, const Spec& spec, char default_align) {
  if (spec.precision >= 0) text = text.substr(0, byte_offset(text, static_cast<size_t>(spec.precision)));
  return padded(rt, "", std::string(text), spec, default_align);
}

int64_t read_number(std::string_view text, size_t* at) {
  int64_t n = 0;
  while (*at < text.size() && text[*at] >= '0' && text[*at] <= '9') {
    n = n * 10 + (text[(*at)++] - '0');
    if (n > kMaxWidth) fail_limit("a formatted value is too wide");
  }
  return n;
}

bool is_align(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

Spec parse_spec(std::string_view text) {
  Spec spec;
  size_t at = 0, fill_end = 0;
  if (!text.empty()) decode_utf8(text, &fill_end);
  if (fill_end < text.size() && is_align(text[fill_end]) && fill_end > 0) {
    spec.fill = text.substr(0, fill_end);
    spec.align = text[fill_end];
    at = fill_end + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[0];
    at = 1;
  }
  const auto peek = [&] { return at < text.size() ? text[at] : '\0'; };
  if (peek() == '+' || peek() == '-' || peek() == ' ') spec.sign = text[at++];
  if (peek() == '#') {
    spec.alternate = true;
    ++at;
  }
  if (peek() == '0') {
    if (!spec.align) {
      spec.fill = "0";
      spec.align = '=';
    }
    ++at;
  }
  spec.width = read_number(text, &at);
  if (peek() == ',' || peek() == '_') spec.grouping = text[at++];
  if (peek() == '.') {
    const size_t from = ++at;
    spec.precision = read_number(text, &at);
    if (at == from) fail("Format specifier missing precision");
  }
  if (at < text.size()) spec.type = text[at++];
  if (at < text.size()) fail("Invalid format specifier");
  return spec;
}

// Python's format(value, spec).
std::string format_value(Runtime& rt, const Value& v, const std::string& text) {
  if (text.empty()) return rt.to_str(v);
  Spec spec = parse_spec(text);
  const auto is_one_of = [&](std::string_view types) { return types.find(spec.type) != std::string_view::npos; };
  if (v.is_string()) {
    if (spec.type && spec.type != 's')
      fail(std::string("Unknown format code '") + spec.type + "' for object of type 'str'");
    if (spec.align == '=') {
      if (spec.fill != "0") fail("'=' alignment not allowed in string format specifier");
      spec.align = '<';
    }
    if (spec.sign != '-' || spec.alternate || spec.grouping) fail("this format specifier is not allowed for a string");
    return format_text(rt, v.text(), spec, '<');
  }
  if (v.is_int() || v.is(Kind::kBigInt)) {
    if (v.is(Kind::kBool) && spec.type == 0) return format_int(rt, Value(v.as_int()), spec);
    if (spec.type == 0 || is_one_of("bdoxXn")) {
      if (spec.precision >= 0) fail("Precision not allowed in integer format specifier");
      if (spec.type == 'n') spec.type = 'd';
      return format_int(rt, v, spec);
    }
    if (spec.type == 'c') {
      std::string c;
      append_utf8(&c, static_cast<uint32_t>(std::clamp<int64_t>(v.as_int(), 0, 0x10FFFF)));
      return format_text(rt, c, spec, '<');
    }
  }
  if (v.is_number() && (spec.type == 0 || is_one_of("eEfFgGn%"))) {
    if (spec.type == 'n') spec.type = 'g';
    return format_float(rt, v.as_double(), spec);
  }
  if (v.is_undefined()) fail("unsupported format string passed to Undefined.__format__");
  fail(std::string("unsupported format string '") + text + "' for " + v.type_name());
}

// repr() with everything outside ASCII escaped.
std::string ascii_of(Runtime& rt, const Value& v) {
  const std::string text = repr_of(v, &rt.budget);
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = decode_utf8(text, &at);
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else {
      append_escape(&out, c);
    }
  }
  return out;
}

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

  static std::optional<Value> index_of(std::string_view text) {
    const bool digits =
        !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    return digits ? parse_integer(text, 10) : std::nullopt;
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

// One `%` directive at a time against a tuple, a mapping or a single value.
class PercentFormatter {
 public:
  PercentFormatter(Runtime& rt, const std::string& format, const Value& arguments, bool markup)
      : rt_(rt), format_(format), arguments_(arguments), markup_(markup) {}

  std::string run() {
    std::string out;
    while (at_ < format_.size()) {
      const size_t percent = std::min(format_.find('%', at_), format_.size());
      out += format_.substr(at_, percent - at_);
      at_ = percent;
      if (at_ < format_.size()) {
        ++at_;
        out += directive();
      }
      rt_.budget.expect(out.size());
      rt_.budget.step();
    }
    const bool single = !arguments_.is(Kind::kTuple);
    const bool all_used = single ? used_ > 0 || arguments_.is_dict() || arguments_.is(Kind::kList) || is_mapping_like()
                                 : used_ >= arguments_.items().size();
    if (!all_used && !by_name_) fail("not all arguments converted during string formatting");
    return out;
  }

 private:
  // Python takes whatever can be subscripted and is no str or tuple for a mapping that may go unused.
  bool is_mapping_like() const { return arguments_.is(Kind::kRange) || arguments_.is_undefined(); }

  char next() {
    if (at_ >= format_.size()) fail("incomplete format");
    return format_[at_++];
  }

  Value argument() {
    if (!arguments_.is(Kind::kTuple)) {
      if (used_++ > 0) fail("not enough arguments for format string");
      return arguments_;
    }
    if (used_ >= arguments_.items().size()) fail("not enough arguments for format string");
    return arguments_.items()[used_++];
  }

  int64_t star_or_number() {
    if (at_ < format_.size() && format_[at_] == '*') {
      ++at_;
      const Value v = argument();
      if (!v.is_int()) fail("* wants int");
      if (v.as_int() > kMaxWidth || v.as_int() < -kMaxWidth) fail_limit("a formatted value is too wide");
      return v.as_int();
    }
    return read_number(format_, &at_);
  }

  std::string directive() {
    Value v;
    if (at_ < format_.size() && format_[at_] == '(') v = named();
    Spec spec;
    bool left = false, zero = false;
    for (;; ++at_) {
      const char c = at_ < format_.size() ? format_[at_] : '\0';
      if (c == '-') {
        left = true;
      } else if (c == '0') {
        zero = true;
      } else if (c == '+') {
        spec.sign = '+';
      } else if (c == ' ') {
        if (spec.sign == '-') spec.sign = ' ';
      } else if (c == '#') {
        spec.alternate = true;
      } else {
        break;
      }
    }
    spec.width = star_or_number();
    if (spec.width < 0) {
      left = true;
      spec.width = -spec.width;
    }
    if (at_ < format_.size() && format_[at_] == '.') {
      ++at_;
      spec.precision = std::max<int64_t>(star_or_number(), 0);
    }
    while (at_ < format_.size() && (format_[at_] == 'h' || format_[at_] == 'l' || format_[at_] == 'L')) ++at_;
    const char type = next();
    if (type == '%') return "%";
    if (v.is_missing()) v = argument();
    return converted(v, type, spec, left, zero);
  }

  Value named() {
    if (!arguments_.is_dict()) fail("format requires a mapping");
    by_name_ = true;
    const size_t from = ++at_;
    for (int open = 1; open > 0;) {
      const char c = next();
      open += c == '(' ? 1 : c == ')' ? -1 : 0;
    }
    const std::string key = format_.substr(from, at_ - from - 1);
    const Value* v = arguments_.dict_object().find(key);
    if (!v) fail("KeyError: '" + key + "'");
    return *v;
  }

  std::string converted(const Value& v, char type, Spec spec, bool left, bool zero) {
    spec.align = left ? '<' : '>';
    switch (type) {
      case 's':
      case 'r':
      case 'a': {
        std::string text = type == 's' ? rt_.to_str(v) : type == 'r' ? repr_of(v, &rt_.budget) : ascii_of(rt_, v);
        if (markup_) text = escape(rt_, type == 's' ? v : rt_.str(text)).text();
        return format_text(rt_, text, spec, '>');
      }
      case 'c':
        return character(v, spec);
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return integer(v, type, spec, left, zero);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (v.is_undefined()) fail_undefined(v);
        if (!v.is_number()) fail(std::string("must be real number, not ") + v.type_name());
        spec.type = type;
        if (zero && !left) {
          spec.fill = "0";
          spec.align = '=';
        }
        return format_float(rt_, v.as_double(), spec);
      default:
        fail(std::string("unsupported format character '") + type + "'");
    }
  }

  std::string character(const Value& v, const Spec& spec) {
    if (v.is_string() && v.str().length == 1) return format_text(rt_, v.text(), spec, '>');
    if (!v.is_int()) fail("%c requires int or char");
    if (v.as_int() < 0 || v.as_int() > 0x10FFFF) fail("%c arg not in range(0x110000)");
    std::string c;
    append_utf8(&c, static_cast<uint32_t>(v.as_int()));
    return format_text(rt_, c, spec, '>');
  }

  std::string integer(const Value& v, char type, Spec spec, bool left, bool zero) {
    Value i = v;
    const bool decimal = type == 'd' || type == 'i' || type == 'u';
    if (v.is_undefined()) fail_undefined(v);
    if (decimal && v.is(Kind::kFloat)) {
      if (!std::isfinite(v.as_double())) fail("cannot convert float infinity or NaN to integer");
      if (std::fabs(v.as_double()) >= 9.2e18) fail("an integer does not fit into 64 bits");
      i = Value(static_cast<int64_t>(v.as_double()));
    }
    if (!i.is_int() && !i.is(Kind::kBigInt)) {
      fail(std::string("%") + type + " format: " + (decimal ? "a real number" : "an integer") + " is required, not " +
           v.type_name());
    }
    if (i.is(Kind::kBool)) i = Value(i.as_int());
    spec.type = decimal ? 'd' : type;
    if (zero && !left) {
      spec.fill = "0";
      spec.align = '=';
    }
    return format_int(rt_, i, spec);
  }

  Runtime& rt_;
  const std::string& format_;
  const Value& arguments_;
  bool markup_;
  size_t at_ = 0;
  size_t used_ = 0;
  bool by_name_ = false;
};

}  // namespace

Value format_percent(Runtime& rt, const Value& format, const Value& arguments) {
  const bool markup = format.str().markup;
  std::string text = PercentFormatter(rt, format.text(), arguments, markup).run();
  return markup ? Value::markup(std::move(text), &rt.budget) : rt.str(std::move(text));
}

std::string format_braces(Runtime& rt, const std::string& format, Args& args) {
  return BraceFormatter(rt, args).run(format, 0);
}

}  // namespace ingle::jinja
