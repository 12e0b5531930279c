#include "grammar/number_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"

namespace ingle {
namespace {

using Expression = GrammarText::Expression;

constexpr uint32_t kMaxWhole = 18;        // digits
constexpr uint32_t kMaxSignificant = 15;  // that a double keeps apart
constexpr uint32_t kUsualFraction = 6;    // digits after the point that numbers within bounds have

Expression digits(uint32_t min, uint32_t max) {
  if (max == 0) return GrammarText::literal("");
  if (min == 1 && max == 1) return "[0-9]";
  return fmt::format("[0-9]{{{},{}}}", min, max);
}

Expression digit_class(char first, char last) {
  return first == last ? fmt::format("[{}]", first) : fmt::format("[{}-{}]", first, last);
}

bool all_are(std::string_view text, char c) { return text.find_first_not_of(c) == std::string_view::npos; }

// The numbers of as many digits from low to high, zeros in front included.
Expression same_length(std::string_view low, std::string_view high) {
  const auto length = static_cast<uint32_t>(low.size());
  if (all_are(low, '0') && all_are(high, '9')) return digits(length, length);
  const std::string_view low_rest = low.substr(1), high_rest = high.substr(1);
  if (low[0] == high[0]) return GrammarText::sequence({digit_class(low[0], low[0]), same_length(low_rest, high_rest)});
  char first = low[0], last = high[0];
  std::vector<Expression> options;
  if (!all_are(low_rest, '0')) {
    options.push_back(
        GrammarText::sequence({digit_class(first, first), same_length(low_rest, std::string(low_rest.size(), '9'))}));
    first++;
  }
  if (!all_are(high_rest, '9')) {
    options.push_back(
        GrammarText::sequence({digit_class(last, last), same_length(std::string(high_rest.size(), '0'), high_rest)}));
    last--;
  }
  if (first <= last)
    options.push_back(GrammarText::sequence({digit_class(first, last), digits(length - 1, length - 1)}));
  return GrammarText::choice(options);
}

// 0 <= low <= high; without `high`, up to max_digits digits.
Expression magnitude_between(uint64_t low, std::optional<uint64_t> high, uint32_t max_digits) {
  std::vector<Expression> options;
  uint64_t power = 1;  // the least number of so many digits
  for (uint32_t length = 1; length <= max_digits; length++, power *= 10) {
    const uint64_t least = std::max(low, length == 1 ? 0 : power);
    const uint64_t greatest = high ? std::min(*high, power * 10 - 1) : power * 10 - 1;
    if (least > greatest) continue;
    if (!high && least == power && length > 1) {
      options.push_back(GrammarText::sequence({"[1-9]", digits(length - 1, max_digits - 1)}));
      break;
    }
    options.push_back(same_length(std::to_string(least), std::to_string(greatest)));
  }
  return GrammarText::choice(options);
}

// The digits after a point, or after some of them: those of fractions from `low` to `high`, each of them the digits
// that are left of a bound, or nothing where the digits before have met it.
struct FractionBounds {
  std::optional<std::string_view> low, high;
  bool low_exclusive = false, high_exclusive = false;
};

std::optional<Expression> fraction(FractionBounds bounds, uint32_t max_digits, bool may_be_empty) {
  if (bounds.low && bounds.low->empty() && !bounds.low_exclusive) bounds.low.reset();
  if (bounds.high && bounds.high->empty() && bounds.high_exclusive) return std::nullopt;
  if (!bounds.low && !bounds.high) {
    if (max_digits == 0 && !may_be_empty) return std::nullopt;
    return digits(may_be_empty ? 0 : 1, max_digits);
  }
  std::vector<Expression> options;
  if (may_be_empty && !bounds.low) options.push_back(GrammarText::literal(""));  // zero is not above what is left
  const auto digit_of = [](std::string_view bound) { return bound.empty() ? '0' : bound[0]; };
  const auto rest_of = [](std::string_view bound) { return bound.empty() ? bound : bound.substr(1); };
  const char first = bounds.low ? digit_of(*bounds.low) : '0';
  const char last = bounds.high ? digit_of(*bounds.high) : '9';
  for (char digit = first; max_digits > 0 && digit <= last; digit++) {
    FractionBounds rest = bounds;
    rest.low = bounds.low && digit == first ? std::optional(rest_of(*bounds.low)) : std::nullopt;
    rest.high = bounds.high && digit == last ? std::optional(rest_of(*bounds.high)) : std::nullopt;
    char until = digit;
    if (!rest.low && !rest.high) {
      until = bounds.high ? static_cast<char>(last - 1) : last;
    }
    const std::optional<Expression> tail = fraction(rest, max_digits - 1, true);
    if (tail) options.push_back(GrammarText::sequence({digit_class(digit, until), *tail}));
    digit = until;
  }
  if (options.empty()) return std::nullopt;
  return GrammarText::choice(options);
}

// `whole`, with the fractions that are within the bounds.
void add_with_fraction(std::vector<Expression>& options, const Expression& whole, const FractionBounds& bounds,
                       uint32_t max_digits) {
  const bool low_is_zero = !bounds.low || (bounds.low->empty() && !bounds.low_exclusive);
  const bool high_is_none = bounds.high && bounds.high->empty() && bounds.high_exclusive;
  if (low_is_zero && !high_is_none) options.push_back(whole);
  if (const std::optional<Expression> rest = fraction(bounds, max_digits, false)) {
    options.push_back(GrammarText::sequence({whole, GrammarText::literal("."), *rest}));
  }
}

// Magnitudes from low to high, or without end.
void add_magnitudes(std::vector<Expression>& options, const NumberBound& low, const std::optional<NumberBound>& high,
                    uint32_t max_fraction, const Expression& sign) {
  const uint64_t low_whole = std::stoull(low.value.whole);
  std::vector<Expression> found;
  FractionBounds bounds = {low.value.fraction, std::nullopt, low.exclusive, false};
  const bool one_whole = high && high->value.whole == low.value.whole;
  if (one_whole) {
    bounds.high = high->value.fraction;
    bounds.high_exclusive = high->exclusive;
  }
  add_with_fraction(found, GrammarText::literal(low.value.whole), bounds, max_fraction);
  if (!one_whole) {
    const std::optional<uint64_t> high_whole = high ? std::optional(std::stoull(high->value.whole)) : std::nullopt;
    if (high_whole && *high_whole < low_whole) return;
    if (!high_whole || low_whole + 1 < *high_whole) {
      add_with_fraction(found,
                        magnitude_between(low_whole + 1, high_whole ? std::optional(*high_whole - 1) : std::nullopt,
                                          kMaxSignificant + 1),
                        {}, max_fraction);
    }
    if (high) {
      add_with_fraction(found, GrammarText::literal(high->value.whole),
                        {std::nullopt, high->value.fraction, false, high->exclusive}, max_fraction);
    }
  }
  if (!found.empty()) options.push_back(GrammarText::sequence({sign, GrammarText::choice(found)}));
}

}  // namespace

Expression any_integer(GrammarText& text) {
  if (!text.has("integer")) text.define("integer", fmt::format(R"("-"? ("0" | [1-9] [0-9]{{0,{}}}))", kMaxWhole - 1));
  return "integer";
}

Expression any_number(GrammarText& text) {
  any_integer(text);
  if (!text.has("number")) text.define("number", R"(integer ("." [0-9]{1,17})? ([eE] [-+]? [0-9]{1,2})?)");
  return "number";
}

std::optional<Expression> integer_between(GrammarText& text, std::optional<int64_t> low, std::optional<int64_t> high) {
  if (!low && !high) return any_integer(text);
  if (low && high && *low > *high) return std::nullopt;
  std::vector<Expression> options;
  if (!low || *low < 0) {
    const uint64_t least = high && *high < 0 ? static_cast<uint64_t>(-*high) : 1;
    const std::optional<uint64_t> greatest = low ? std::optional(static_cast<uint64_t>(-*low)) : std::nullopt;
    options.push_back(
        GrammarText::sequence({GrammarText::literal("-"), magnitude_between(least, greatest, kMaxWhole)}));
  }
  if (!high || *high >= 0) {
    const uint64_t least = low && *low > 0 ? static_cast<uint64_t>(*low) : 0;
    const std::optional<uint64_t> greatest = high ? std::optional(static_cast<uint64_t>(*high)) : std::nullopt;
    options.push_back(magnitude_between(least, greatest, kMaxWhole));
  }
  return GrammarText::choice(options);
}

std::optional<Decimal> to_decimal(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  Decimal out;
  out.negative = std::signbit(value) && value != 0;
  const std::string text = fmt::format("{}", std::fabs(value));  // digits; perhaps a point, perhaps an exponent
  const size_t e = text.find('e');
  const int exponent = e == std::string::npos ? 0 : std::stoi(text.substr(e + 1));
  if (exponent < -static_cast<int>(kMaxSignificant) || exponent > static_cast<int>(kMaxSignificant))
    return std::nullopt;
  std::string mantissa = text.substr(0, e);
  const size_t point = mantissa.find('.');
  std::string before = mantissa.substr(0, point), after = point == std::string::npos ? "" : mantissa.substr(point + 1);
  for (int i = 0; i < exponent; i++) {
    before += after.empty() ? '0' : after[0];
    if (!after.empty()) after.erase(0, 1);
  }
  for (int i = 0; i > exponent; i--) {
    after.insert(after.begin(), before.empty() ? '0' : before.back());
    if (!before.empty()) before.pop_back();
  }
  before.erase(0, std::min(before.find_first_not_of('0'), before.size()));
  const size_t last = after.find_last_not_of('0');
  after.resize(last == std::string::npos ? 0 : last + 1);
  out.whole = before.empty() ? "0" : before;
  out.fraction = after;
  if (out.whole.size() + out.fraction.size() > kMaxSignificant) return std::nullopt;
  return out;
}

std::optional<Expression> number_between(GrammarText& text, const std::optional<NumberBound>& low,
                                         const std::optional<NumberBound>& high) {
  if (!low && !high) return any_number(text);
  uint32_t max_fraction = kUsualFraction;
  for (const std::optional<NumberBound>& bound : {low, high}) {
    if (bound) max_fraction = std::max(max_fraction, static_cast<uint32_t>(bound->value.fraction.size()));
  }
  for (const std::optional<NumberBound>& bound : {low, high}) {
    if (bound)
      max_fraction = std::min(max_fraction, kMaxSignificant - static_cast<uint32_t>(bound->value.whole.size()));
  }
  std::vector<Expression> options;
  const NumberBound zero = {{false, "0", ""}, false}, above_zero = {{false, "0", ""}, true};
  if (!low || low->value.negative) {
    std::optional<NumberBound> greatest = low;
    const NumberBound least = high && high->value.negative ? *high : above_zero;
    add_magnitudes(options, least, greatest, max_fraction, GrammarText::literal("-"));
  }
  if (!high || !high->value.negative) {
    const NumberBound least = low && !low->value.negative ? *low : zero;
    add_magnitudes(options, least, high, max_fraction, GrammarText::literal(""));
  }
  if (options.empty()) return std::nullopt;
  return GrammarText::choice(options);
}

}  // namespace ingle
