// Guesses what somebody meant who mistyped a name. Pure function.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ingle {

// The one of `names` that is most like `wanted`: a beginning or an end left out, or few letters wrong, left out, too
// many or swapped (about a third of them at most). Of equals the first. Nothing if none is alike. Names above 200 bytes
// are like nothing.
std::optional<std::string> near_name(std::string_view wanted, std::span<const std::string> names);

}  // namespace ingle
