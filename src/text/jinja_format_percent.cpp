// printf-style formatting: `format % arguments`.
#include <algorithm>
#include <cmath>

#include "text/jinja_format_spec.h"
#include "text/jinja_unicode.h"

namespace ingle::jinja {

namespace {

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
    FormatSpec spec;
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

  std::string converted(const Value& v, char type, FormatSpec spec, bool left, bool zero) {
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

  std::string character(const Value& v, const FormatSpec& spec) {
    if (v.is_string() && v.str().length == 1) return format_text(rt_, v.text(), spec, '>');
    if (!v.is_int()) fail("%c requires int or char");
    if (v.as_int() < 0 || v.as_int() > 0x10FFFF) fail("%c arg not in range(0x110000)");
    std::string c;
    append_utf8(&c, static_cast<uint32_t>(v.as_int()));
    return format_text(rt_, c, spec, '>');
  }

  std::string integer(const Value& v, char type, FormatSpec spec, bool left, bool zero) {
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

}  // namespace ingle::jinja
