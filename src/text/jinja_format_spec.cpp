#include "text/jinja_format_spec.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "text/jinja_unicode.h"

namespace ingle::jinja {

int64_t read_number(std::string_view text, size_t* at) {
  int64_t n = 0;
  while (*at < text.size() && text[*at] >= '0' && text[*at] <= '9') {
    n = n * 10 + (text[(*at)++] - '0');
    if (n > kMaxWidth) fail_limit("a formatted value is too wide");
  }
  return n;
}

namespace {

std::string padded(Runtime& rt, std::string_view sign, std::string body, const FormatSpec& spec, char default_align) {
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
  const char* const letters = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  do {
    out += letters[v % base];
    v /= base;
  } while (v);
  std::reverse(out.begin(), out.end());
  return out;
}

std::string sign_of(bool negative, const FormatSpec& spec) {
  if (negative) return "-";
  return spec.sign == '-' ? "" : std::string(1, spec.sign);
}

// The digits of a finite or other double, without sign.
std::string float_digits(double d, const FormatSpec& spec, bool bare) {
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

bool is_align(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

FormatSpec parse_spec(std::string_view text) {
  FormatSpec spec;
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

}  // namespace

std::string format_int(Runtime& rt, const Value& v, const FormatSpec& spec) {
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

std::string format_float(Runtime& rt, double d, const FormatSpec& spec) {
  rt.budget.work(1000);  // writing hundreds of digits exactly takes that long
  std::string digits = float_digits(d, spec, spec.type == 0);
  if (spec.grouping) {
    const size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
    digits = grouped(digits.substr(0, whole), spec.grouping) + digits.substr(whole);
  }
  if (spec.type == '%') digits += '%';
  return padded(rt, sign_of(std::signbit(d) && !std::isnan(d), spec), std::move(digits), spec, '>');
}

std::string format_text(Runtime& rt, std::string_view text, const FormatSpec& spec, char default_align) {
  if (spec.precision >= 0) text = text.substr(0, byte_offset(text, static_cast<size_t>(spec.precision)));
  return padded(rt, "", std::string(text), spec, default_align);
}

std::string format_value(Runtime& rt, const Value& v, const std::string& text) {
  if (text.empty()) return rt.to_str(v);
  FormatSpec spec = parse_spec(text);
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

}  // namespace ingle::jinja
