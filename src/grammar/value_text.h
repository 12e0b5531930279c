// A JSON value in one spelling, without white space: what a grammar says of a value that it gives word for word.
#pragma once

#include <optional>
#include <string>

#include "text/jinja_value.h"

namespace ingle {

// Nothing where it has text that is not well-formed UTF-8 (lone surrogates) or numbers that JSON does not have.
std::optional<std::string> value_text(const jinja::Value& value);

}  // namespace ingle
