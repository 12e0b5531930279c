// Prompts that have a model fill in what stands between a prefix and a suffix, by the tokens it was trained with: those
// that the file or the vocabulary names as its fill-in-the-middle tokens.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace ingle {

// Whether the model has tokens for a prefix, a suffix and the middle.
bool can_fill_in(const Tokenizer& tokenizer);

// [begin] PREFIX prefix SUFFIX suffix MIDDLE, for a model that can fill in. What stands in the suffix is text: no token
// is made of a control token's name in it.
std::vector<TokenId> fill_in_prompt(const Tokenizer& tokenizer, std::span<const TokenId> prefix,
                                    std::string_view suffix);

// The tokens of a prefix given as text.
std::vector<TokenId> fill_in_prefix(const Tokenizer& tokenizer, std::string_view prefix);

}  // namespace ingle
