// Operations on text that string methods and filters share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja_runtime.h"

namespace ingle::jinja {

// `fill`, n times; nothing when n is negative.
std::string padding(Runtime& rt, std::string_view fill, int64_t n);
// str.splitlines(keepends): the lines of `text`.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);
// str.strip(chars) on either side.
std::string_view strip_chars(Runtime& rt, std::string_view text, std::string_view chars, bool left, bool right);
// str.replace(from, to, count); a negative count is no limit.
std::string replace_text(Runtime& rt, std::string_view text, std::string_view from, std::string_view to, int64_t count);
// str.center(width, fill)
std::string center_text(Runtime& rt, const StringObj& s, int64_t width, std::string_view fill);

}  // namespace ingle::jinja
