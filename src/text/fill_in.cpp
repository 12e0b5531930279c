#include "text/fill_in.h"

namespace ingle {
namespace {

constexpr EncodeOptions kPlainText{.add_special = false, .parse_special = false};

// The tokens of a text that does not begin anew: without the space that some vocabularies put before a text. They are
// found behind a character that merges with nothing, as Code Llama's own tokenizer does it.
std::vector<TokenId> encode_within(const Tokenizer& tokenizer, std::string_view text) {
  if (!tokenizer.adds_space_prefix()) return tokenizer.encode(text, kPlainText);
  constexpr std::string_view kBefore = "\u263a";
  std::vector<TokenId> tokens = tokenizer.encode(std::string(kBefore) + std::string(text), kPlainText);
  size_t bytes = 0, count = 0;
  while (count < tokens.size() && bytes < 1 + kBefore.size()) bytes += tokenizer.token_bytes(tokens[count++]).size();
  if (bytes != 1 + kBefore.size()) return tokenizer.encode(text, kPlainText);
  tokens.erase(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(count));
  return tokens;
}

}  // namespace

bool can_fill_in(const Tokenizer& tokenizer) {
  const FimTokens& fim = tokenizer.fim();
  return fim.prefix != kNoToken && fim.suffix != kNoToken && fim.middle != kNoToken;
}

std::vector<TokenId> fill_in_prompt(const Tokenizer& tokenizer, std::span<const TokenId> prefix,
                                    std::string_view suffix) {
  const FimTokens& fim = tokenizer.fim();
  std::vector<TokenId> out;
  if (tokenizer.adds_bos()) out.push_back(tokenizer.bos());
  out.push_back(fim.prefix);
  out.insert(out.end(), prefix.begin(), prefix.end());
  out.push_back(fim.suffix);
  const std::vector<TokenId> after = encode_within(tokenizer, suffix);
  out.insert(out.end(), after.begin(), after.end());
  out.push_back(fim.middle);
  return out;
}

std::vector<TokenId> fill_in_prefix(const Tokenizer& tokenizer, std::string_view prefix) {
  return tokenizer.encode(prefix, kPlainText);
}

}  // namespace ingle
