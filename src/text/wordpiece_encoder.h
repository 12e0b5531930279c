// BERT's tokenizer: text cleaned, cut at white space and punctuation, and each word covered from its start by the
// longest tokens there are. Tokens that begin a word begin with U+2581. Ids are those of Hugging Face's `tokenizers`,
// but for some hundred characters that are younger than its tables (Unicode 8).
// Immutable.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "text/text_encoder.h"
#include "text/token_index.h"
#include "text/vocabulary.h"

namespace ingle {

class WordPieceEncoder final : public TextEncoder {
 public:
  // `index` is over the vocabulary's tokens and outlives the encoder; `types` are the final ones (token_roles.h).
  WordPieceEncoder(const Vocabulary& vocabulary, std::span<const TokenType> types, const TokenIndex& index);

  void encode(std::string_view text, bool at_start, std::vector<TokenId>& out) const override;

 private:
  void append_normalised(std::string& out, char32_t codepoint) const;
  void encode_word(std::string_view word, std::vector<TokenId>& out) const;

  const TokenIndex& index_;
  std::vector<bool> is_text_;
  TokenId unknown_ = kNoToken;
  bool lowercase_ = true;
  bool strip_accents_ = true;
};

}  // namespace ingle
