// The formats of JSON Schema that can be honoured, as regular expressions that match whole strings of them. Some match
// less than the format has (years from 1000 on, URIs with a host, no empty text), none matches more.
#pragma once

#include <string>
#include <string_view>

namespace ingle {

// Empty for a format that is not among them.
std::string_view format_pattern(std::string_view format);

// Whether it says something about a text's purpose, and nothing about its characters.
bool is_format_of_any_text(std::string_view format);

// Their names, for messages.
std::string known_formats();

}  // namespace ingle
