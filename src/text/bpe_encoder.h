// Byte-pair encoding: words of the pre-tokenizer, split into bytes (or characters), merged in the order of the merge
// list. Ids and preference are those of Hugging Face's `tokenizers`. Immutable.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "text/pretokenizer.h"
#include "text/space_mark.h"
#include "text/symbol_merger.h"
#include "text/text_encoder.h"
#include "text/token_index.h"
#include "text/vocabulary.h"

namespace ingle {

class BpeEncoder final : public TextEncoder {
 public:
  // `index` is over the vocabulary's tokens and outlives the encoder; `types` are the final ones (token_roles.h).
  // Errors: kInvalidData for a missing merge list and a merge of unknown tokens.
  static Result<std::unique_ptr<TextEncoder>> create(const Vocabulary& vocabulary, std::span<const TokenType> types,
                                                     const TokenIndex& index, PreTokenizer pre_tokenizer);

  void encode(std::string_view text, bool at_start, std::vector<TokenId>& out) const override;

 private:
  // (left, right) -> Merge; a hash table, a power of two of slots, at most half full.
  class MergeTable {
   public:
    void reserve(size_t merges);
    void insert(TokenId left, TokenId right, Merge merge);  // the first of equal pairs stays
    Merge find(TokenId left, TokenId right) const;

   private:
    struct Slot {
      TokenId left = kNoToken, right = kNoToken;
      Merge merge;
    };
    size_t slot(TokenId left, TokenId right) const;
    std::vector<Slot> slots_;
    uint64_t seed_ = 0;
  };

  BpeEncoder(const Vocabulary& vocabulary, std::span<const TokenType> types, const TokenIndex& index,
             PreTokenizer pre_tokenizer);
  Status add_merges(const Vocabulary& vocabulary);
  void set_byte_tokens(std::span<const TokenType> types);
  void encode_word(std::string_view word, SymbolMerger& merger, std::string& spelling, std::vector<TokenId>& out) const;
  size_t part_end(std::string_view word) const;
  TokenId find_text(std::string_view word, std::string& spelling) const;
  void append_bytes(std::string_view bytes, std::vector<TokenId>& out) const;

  const TokenIndex& index_;
  PreTokenizer pre_tokenizer_;
  MergeTable merges_;
  uint32_t merge_count_ = 0;  // of the list, so above every rank
  std::array<TokenId, 256> byte_tokens_{};
  std::vector<bool> is_text_;  // tokens that text may become
  SpaceMarkCuts cuts_;         // for merges on characters
};

}  // namespace ingle
