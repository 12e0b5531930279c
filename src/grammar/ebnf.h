// Grammars that requests bring, in the EBNF of xgrammar (near that of llama.cpp's GBNF): rules `name ::= ...`, of which
// `root` is the whole; texts "...", classes [a-z], groups, |, * + ? {2,5}, comments from #. Checked before they are
// compiled: bytes, nesting and counts are bounded, and what reaches beyond texts (macros, attributes of rules) is
// refused.
#pragma once

#include <string_view>

#include "base/result.h"

namespace ingle {

// Errors: kInvalidArgument, kUnsupported; they say where.
Status check_ebnf(std::string_view grammar);

}  // namespace ingle
