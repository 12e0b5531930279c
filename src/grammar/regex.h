// Regular expressions as grammars. The dialect is what ECMA-262 and Python's re have in common and what is regular:
// alternatives, groups, classes, the escapes \d \w \s (and their opposites) and of characters, the quantifiers, and the
// anchors ^ and $ at the ends of an alternative. Everything else (look-around, back references, \b, \p, inline flags)
// is refused by name. Any bytes may come in; nesting, length and the size of what repetitions unfold to are bounded.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "grammar/grammar_text.h"

namespace ingle {

enum class RegexUse {
  kWholeText,     // the answer is a text that the expression matches from end to end
  kJsonString,    // a JSON string, with its quotation marks, whose value it matches from end to end
  kSearchInJson,  // one in whose value it is found, as JSON Schema's `pattern` means it
};

// Errors: kInvalidArgument (not an expression; too large), kUnsupported. Both say at which byte.
Result<GrammarText::Expression> regex_grammar(std::string_view pattern, RegexUse use);

// A character of a JSON string that stands for itself. Half a pair of surrogates is none, though it could be written.
inline constexpr std::string_view kPlainInJson = R"([^"\\\u0000-\u001f\ud800-\udfff])";

// The rest of a JSON string, any of it, with the quotation mark that ends it. (Pairs of surrogates, two escapes for one
// character, are left out: such characters stand for themselves.)
GrammarText::Expression json_string_rest(GrammarText& text);

}  // namespace ingle
