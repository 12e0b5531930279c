// Text to token ids and back, for the vocabularies of GGUF files. Loaded once per model; immutable, so any number of
// threads may use one Tokenizer at a time. Streams of generated tokens go through Detokenizer (detokenizer.h).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/special_tokens.h"
#include "text/text_encoder.h"
#include "text/token.h"
#include "text/token_index.h"
#include "text/token_roles.h"
#include "text/vocabulary.h"

namespace ingle {

struct EncodeOptions {
  // The beginning and end tokens that the model wants around a text.
  bool add_special = true;
  // Control tokens written out in the text become the tokens: for the output of chat templates. Without it they are
  // plain text, which is what a user's words have to be. User-defined tokens are found either way.
  bool parse_special = true;
};

struct DecodeOptions {
  bool keep_control = false;  // write control tokens out
  // The text begins here: where the model puts a space before a text, the first one is dropped.
  bool at_start = true;
};

class Tokenizer {
 public:
  // Errors: kInvalidData (breaks the format; the message names the key), kUnsupported (a tokenizer or pre-tokenizer we
  // do not have; the remedy lists the known ones). A vocabulary-only file will do.
  static Result<std::unique_ptr<Tokenizer>> from_gguf(const GgufFile& file);
  static Result<std::unique_ptr<Tokenizer>> create(Vocabulary vocabulary);

  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Any bytes will do. A byte that is not part of well-formed UTF-8 counts as U+FFFD, or stays that byte where the
  // vocabulary is SentencePiece's and has byte tokens. O(n log n) at worst.
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const;

  // The bytes that the tokens stand for; not UTF-8 where the tokens end inside a character. Ids outside the vocabulary
  // stand for nothing.
  std::string decode(std::span<const TokenId> ids, DecodeOptions options = {}) const;

  size_t vocab_size() const { return vocabulary_.tokens.size(); }
  bool is_valid(TokenId id) const { return id >= 0 && static_cast<size_t>(id) < vocab_size(); }

  // The bytes one token stands for; those of a control token are its name. Empty for an id outside the vocabulary.
  std::string_view token_bytes(TokenId id) const;
  // The token as the file spells it.
  std::string_view token_text(TokenId id) const;
  // The token that the file spells so; kNoToken when there is none.
  TokenId find_token(std::string_view text) const { return index_.find(text); }

  bool is_control(TokenId id) const;  // control or unknown: decode() leaves it out
  bool is_eog(TokenId id) const;      // ends a generation: end of sequence, of turn, of message
  std::vector<TokenId> eog_tokens() const;

  // kNoToken where the model has none.
  TokenId bos() const { return vocabulary_.bos; }
  TokenId eos() const { return vocabulary_.eos; }
  TokenId eot() const { return roles_.eot; }
  TokenId eom() const { return roles_.eom; }
  TokenId unknown() const { return vocabulary_.unknown; }
  TokenId separator() const { return vocabulary_.separator; }
  TokenId pad() const { return vocabulary_.pad; }
  TokenId mask() const { return vocabulary_.mask; }
  const FimTokens& fim() const { return roles_.fim; }

  // Whether encode() with add_special begins with bos() and ends with eos() (WordPiece: separator()).
  bool adds_bos() const { return add_bos_; }
  bool adds_eos() const { return add_eos_; }
  bool adds_space_prefix() const { return add_space_prefix_; }

  const std::vector<std::string>& warnings() const { return vocabulary_.warnings; }

 private:
  explicit Tokenizer(Vocabulary vocabulary);
  Status init_encoder();
  void init_bytes();
  std::string bytes_of(size_t token) const;
  TokenId end_token() const;

  Vocabulary vocabulary_;
  TokenIndex index_;  // over vocabulary_.tokens
  TokenRoles roles_;
  SpecialTokens special_tokens_;
  std::unique_ptr<TextEncoder> encoder_;
  bool byte_level_ = false;
  bool add_bos_ = false, add_eos_ = false, add_space_prefix_ = false;

  std::string bytes_;                  // of all tokens, one after the other
  std::vector<uint32_t> bytes_begin_;  // [tokens + 1]
};

}  // namespace ingle
