// What tokens are for, as far as a file does not say: which ones end a generation, which are control in spite of their
// type. Vocabularies are known by the names of such tokens, the same ones that llama.cpp goes by.
#pragma once

#include <span>
#include <vector>

#include "text/special_tokens.h"
#include "text/token_index.h"
#include "text/vocabulary.h"

namespace ingle {

struct TokenRoles {
  std::vector<TokenType> types;       // of each token, corrected
  std::vector<bool> ends_generation;  // of each token
  TokenId eot = kNoToken, eom = kNoToken;
  FimTokens fim;
  std::vector<std::string> warnings;
};

TokenRoles find_token_roles(const Vocabulary& vocabulary, const TokenIndex& index);

// The tokens to look for in text before tokenizing.
std::vector<SpecialToken> find_special_tokens(const Vocabulary& vocabulary, const TokenRoles& roles);

// Of each token: whether plain text may become it. Control and unknown tokens and byte tokens are not text.
std::vector<bool> text_tokens(std::span<const TokenType> types);

}  // namespace ingle
