// Numbers in text, as Python reads them: literals, int() and float(), and integer arithmetic that reports overflow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja_value.h"

namespace ingle::jinja {

// How many bytes of `text` a literal takes; 0 when there is none at its start.
size_t float_literal(std::string_view text);
size_t integer_literal(std::string_view text);
std::string without_underscores(std::string_view text);

// `text` is a decimal floating-point number. Beyond the range of double it gives infinity or 0.
double parse_double(const std::string& text);
// Digits in `base` (2 to 36; 0 goes by the prefix 0x, 0o, 0b) with an optional sign, no underscores or spaces. A number
// outside int64 is kept as digits when it is decimal, and not a number otherwise.
std::optional<Value> parse_integer(std::string_view text, int base, Budget* budget = nullptr);

// Python's int(text, base) and float(text): spaces around and underscores between digits are allowed.
std::optional<Value> int_of_text(std::string_view text, int base, Budget* budget);
std::optional<double> float_of_text(std::string_view text);

}  // namespace ingle::jinja
