// The format specifications that `%` and str.format share, and format(value, specification).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/jinja_runtime.h"

namespace ingle::jinja {

inline constexpr int64_t kMaxWidth = 1 << 24;  // of one formatted value

// [[fill]align][sign][#][0][width][grouping][.precision][type], or what a printf-style directive says of it.
struct FormatSpec {
  std::string fill = " ";
  char align = 0;  // '<', '>', '=', '^'; 0: by the type
  char sign = '-';
  bool alternate = false;
  int64_t width = 0;
  char grouping = 0;
  int64_t precision = -1;
  char type = 0;
};

// The formatted value, with the sign, base, precision and padding that the specification asks for.
std::string format_int(Runtime& rt, const Value& v, const FormatSpec& spec);
std::string format_float(Runtime& rt, double d, const FormatSpec& spec);
std::string format_text(Runtime& rt, std::string_view text, const FormatSpec& spec, char default_align);

// Python's format(value, specification).
std::string format_value(Runtime& rt, const Value& v, const std::string& specification);

// The decimal number at `*at`, which moves past it; 0 when there is none. At most kMaxWidth.
int64_t read_number(std::string_view text, size_t* at);

// repr() with everything outside ASCII escaped.
std::string ascii_of(Runtime& rt, const Value& v);

}  // namespace ingle::jinja
