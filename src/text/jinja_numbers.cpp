#include "text/jinja_numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "text/jinja_unicode.h"

namespace ingle::jinja {

namespace {

bool is_digit_of(char c, int base) {
  const int v = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'z' ? c - 'a' + 10
                : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                                       : 99;
  return v < base;
}

// Digits with single underscores between them, from `at`; gives where they end.
size_t digits_end(std::string_view text, size_t at, int base = 10) {
  if (at >= text.size() || !is_digit_of(text[at], base)) return at;
  while (at < text.size()) {
    if (is_digit_of(text[at], base)) {
      ++at;
    } else if (text[at] == '_' && at + 1 < text.size() && is_digit_of(text[at + 1], base)) {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

// The digits of other scripts become those of ASCII.
std::string with_ascii_digits(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = decode_utf8(text, &at);
    const int digit = decimal_value(c);
    append_utf8(&out, digit >= 0 ? static_cast<uint32_t>('0' + digit) : c);
  }
  return out;
}

int prefix_base(std::string_view text) {
  if (text.size() < 2 || text[0] != '0') return 0;
  switch (text[1] | 0x20) {
    case 'x':
      return 16;
    case 'o':
      return 8;
    case 'b':
      return 2;
    default:
      return 0;
  }
}

}  // namespace

size_t float_literal(std::string_view text) {
  const size_t whole = digits_end(text, 0);
  if (whole == 0) return 0;
  size_t end = whole;
  bool is_float = false;
  if (end < text.size() && text[end] == '.') {
    const size_t fraction = digits_end(text, end + 1);
    if (fraction > end + 1) {
      end = fraction;
      is_float = true;
    }
  }
  if (end < text.size() && (text[end] | 0x20) == 'e') {
    size_t power = end + 1;
    if (power < text.size() && (text[power] == '+' || text[power] == '-')) ++power;
    const size_t stop = digits_end(text, power);
    if (stop > power) return stop;
  }
  return is_float ? end : 0;
}

size_t integer_literal(std::string_view text) {
  if (const int base = prefix_base(text)) {
    const size_t from = text.size() > 2 && text[2] == '_' ? 3 : 2;
    const size_t end = digits_end(text, from, base);
    if (end > from) return end;
  }
  if (!text.empty() && text[0] == '0') {
    size_t end = 1;
    while (end < text.size() &&
           (text[end] == '0' || (text[end] == '_' && end + 1 < text.size() && text[end + 1] == '0')))
      ++end;
    return end;
  }
  return digits_end(text, 0);
}

std::string without_underscores(std::string_view text) {
  std::string out(text);
  std::erase(out, '_');
  return out;
}

double parse_double(const std::string& text) {
  double d = 0;
  const char* from = text.data() + (!text.empty() && text[0] == '+');
  const auto [end, ec] = std::from_chars(from, text.data() + text.size(), d);
  if (ec != std::errc::result_out_of_range) return d;
  // Too large or too small: the sign of the decimal exponent of its first digit that is not zero tells which.
  const bool negative = text[0] == '-';
  const size_t e = std::min(text.find_first_of("eE"), text.size());
  const size_t point = std::min(text.find('.'), e);
  const size_t first = std::min(text.find_first_of("123456789"), e);
  int64_t power = 0;
  if (e < text.size()) {
    const char* p = text.data() + e + 1 + (text[e + 1] == '+');
    if (std::from_chars(p, text.data() + text.size(), power).ec == std::errc::result_out_of_range) {
      power = text[e + 1] == '-' ? -(int64_t{1} << 60) : int64_t{1} << 60;
    }
  }
  power += static_cast<int64_t>(point) - static_cast<int64_t>(first);
  const double size = power > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  return negative ? -size : size;
}

std::optional<Value> parse_integer(std::string_view text, int base, Budget* budget) {
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const int prefix = prefix_base(text);
  if (prefix && (base == 0 || base == prefix)) {
    text.remove_prefix(2);
    base = prefix;
  } else if (base == 0) {
    base = 10;
    if (text.size() > 1 && text[0] == '0' && text.find_first_not_of('0') != std::string_view::npos) return std::nullopt;
  }
  if (text.empty() || !std::all_of(text.begin(), text.end(), [&](char c) { return is_digit_of(c, base); }))
    return std::nullopt;
  std::string digits = (negative ? "-" : "") + std::string(text);
  int64_t v = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), v, base).ec == std::errc()) return Value(v);
  if (base != 10) fail("an integer of another base than 10 is too large: " + digits);
  const size_t zeros = std::min(text.find_first_not_of('0'), text.size() - 1);
  return Value::big_int((negative ? "-" : "") + std::string(text.substr(zeros)), budget);
}

std::optional<Value> int_of_text(std::string_view source, int base, Budget* budget) {
  const std::string ascii = with_ascii_digits(strip_space(source));
  const std::string_view text = ascii;
  std::string_view digits = text;
  if (!digits.empty() && (digits[0] == '+' || digits[0] == '-')) digits.remove_prefix(1);
  if (digits.find('_') != std::string_view::npos) {
    const int prefix = prefix_base(digits);
    const bool prefixed = prefix && (base == 0 || base == prefix);
    if (prefixed) digits.remove_prefix(digits.size() > 2 && digits[2] == '_' ? 3 : 2);
    if (digits_end(digits, 0, prefixed ? prefix : base ? base : 10) != digits.size()) return std::nullopt;
  }
  return parse_integer(without_underscores(text), base, budget);
}

std::optional<double> float_of_text(std::string_view text) {
  const std::string ascii = with_ascii_digits(strip_space(text));
  std::string_view body = ascii;
  const bool negative = !body.empty() && body[0] == '-';
  if (!body.empty() && (body[0] == '+' || body[0] == '-')) body.remove_prefix(1);
  const std::string lower = to_lower(body);
  const double sign = negative ? -1 : 1;
  if (lower == "inf" || lower == "infinity") return sign * std::numeric_limits<double>::infinity();
  if (lower == "nan") return std::numeric_limits<double>::quiet_NaN();
  // [digits][.[digits]][e[sign]digits] with a digit somewhere before the exponent
  size_t at = digits_end(body, 0);
  bool any = at > 0;
  if (at < body.size() && body[at] == '.') {
    const size_t end = digits_end(body, at + 1);
    any = any || end > at + 1;
    at = end;
  }
  if (!any) return std::nullopt;
  if (at < body.size() && (body[at] | 0x20) == 'e') {
    size_t power = at + 1;
    if (power < body.size() && (body[power] == '+' || body[power] == '-')) ++power;
    const size_t end = digits_end(body, power);
    if (end == power) return std::nullopt;
    at = end;
  }
  if (at != body.size()) return std::nullopt;
  return sign * parse_double(without_underscores(body));
}

}  // namespace ingle::jinja
