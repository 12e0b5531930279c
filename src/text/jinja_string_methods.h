// The methods of Python's str.
#pragma once

#include <string_view>

#include "text/jinja_runtime.h"

namespace ingle::jinja {

const NativeFn* find_string_method(std::string_view name);

}  // namespace ingle::jinja
