// JSON's numbers as grammars, within bounds. What is generated is finite and short: at most 18 digits before the point,
// 17 after it and two in an exponent, and within bounds so few that no rounding to a double carries a number across
// one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "grammar/grammar_text.h"

namespace ingle {

// Any number, any integer.
GrammarText::Expression any_number(GrammarText& text);
GrammarText::Expression any_integer(GrammarText& text);

// Those from `low` to `high`, where given. Nothing if there are none. Both are less than 10^15 in magnitude.
std::optional<GrammarText::Expression> integer_between(GrammarText& text, std::optional<int64_t> low,
                                                       std::optional<int64_t> high);

// A number's decimal digits: without zeros in front of `whole` (which "0" may be) and at the end of `fraction`.
struct Decimal {
  bool negative = false;
  std::string whole, fraction;

  bool is_zero() const { return whole == "0" && fraction.empty(); }
};
// The shortest digits that stand for this double. Nothing if they are more than 15 (written without an exponent).
std::optional<Decimal> to_decimal(double value);

struct NumberBound {
  Decimal value;
  bool exclusive = false;
};
// Numbers without an exponent, as above.
std::optional<GrammarText::Expression> number_between(GrammarText& text, const std::optional<NumberBound>& low,
                                                      const std::optional<NumberBound>& high);

}  // namespace ingle
