// SentencePiece's BPE: characters merged into tokens, the best scored pair first; what is no token becomes bytes.
// Immutable.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "text/space_mark.h"
#include "text/symbol_merger.h"
#include "text/text_encoder.h"
#include "text/token_index.h"
#include "text/vocabulary.h"

namespace ingle {

class SentencePieceEncoder final : public TextEncoder {
 public:
  // `index` is over the vocabulary's tokens and outlives the encoder; `types` are the final ones (token_roles.h).
  SentencePieceEncoder(const Vocabulary& vocabulary, std::span<const TokenType> types, const TokenIndex& index,
                       bool add_space_prefix);

  void encode(std::string_view text, bool at_start, std::vector<TokenId>& out) const override;

 private:
  std::string normalise(std::string_view text, bool at_start) const;
  void encode_part(std::string_view text, SymbolMerger& merger, bool& after_unknown, std::vector<TokenId>& out) const;
  TokenId find_text(std::string_view text) const;

  const TokenIndex& index_;
  std::vector<bool> is_text_;    // tokens that text may become
  std::vector<uint32_t> ranks_;  // of each token by score; lower is better, equal scores share one
  SpaceMarkCuts cuts_;
  std::array<TokenId, 256> byte_tokens_{};
  uint32_t rank_count_ = 0;  // above every rank
  TokenId unknown_ = kNoToken;
  bool add_space_prefix_ = false;
  bool remove_extra_spaces_ = false;
};

}  // namespace ingle
