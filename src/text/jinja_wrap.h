// Breaks a line into lines of a width, as Python's textwrap.wrap does for Jinja's filter wordwrap.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja_runtime.h"

namespace ingle::jinja {

struct WrapStyle {
  int64_t width = 79;  // code points
  bool break_long_words = true;
  bool break_on_hyphens = true;
};

std::vector<std::string> wrap_line(Runtime& rt, std::string_view line, const WrapStyle& style);

}  // namespace ingle::jinja
