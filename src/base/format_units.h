// Numbers as people read them: sizes, counts, rates, durations. Pure functions, any thread. Not for programs to parse:
// what a program may read is printed in full (--json).
#pragma once

#include <cstdint>
#include <string>

namespace ingle {

// "512 B", "91.7 MiB", "1.04 GiB": binary units, three significant digits.
std::string format_bytes(uint64_t bytes);

// "950", "135M", "1.54B": decimal units as parameters of models are counted, three significant digits.
std::string format_count(uint64_t count);

// "0.8 ms", "123 ms", "4.56 s", "2 min 5 s".
std::string format_duration_ms(double ms);

// "123.4 tokens/s"; "-" when nothing was counted or no time passed.
std::string format_token_rate(uint64_t tokens, double ms);

}  // namespace ingle
