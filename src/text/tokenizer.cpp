#include "text/tokenizer.h"

#include "format/gguf.h"
#include "text/bpe_encoder.h"
#include "text/byte_alphabet.h"
#include "text/sentencepiece_encoder.h"
#include "text/space_mark.h"
#include "text/wordpiece_encoder.h"

namespace ingle {

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_gguf(const GgufFile& file) {
  ASSIGN_OR_RETURN(Vocabulary vocabulary, vocabulary_from_gguf(file));
  return create(std::move(vocabulary));
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::create(Vocabulary vocabulary) {
  RETURN_IF_ERROR(check_vocabulary(vocabulary));
  auto tokenizer = std::unique_ptr<Tokenizer>(new Tokenizer(std::move(vocabulary)));
  const TokenId duplicate = tokenizer->index_.duplicate();
  if (duplicate != kNoToken) {
    const std::string_view text = tokenizer->token_text(duplicate);
    return Error{ErrorCode::kInvalidData,
                 "tokenizer.ggml.tokens: token " + std::to_string(duplicate) + " has the text of token " +
                     std::to_string(tokenizer->find_token(text)) + ", " + gguf_quote(text),
                 ""};
  }
  RETURN_IF_ERROR(tokenizer->init_encoder());
  tokenizer->init_bytes();
  return tokenizer;
}

Tokenizer::Tokenizer(Vocabulary vocabulary)
    : vocabulary_(std::move(vocabulary)),
      index_(vocabulary_.tokens),
      roles_(find_token_roles(vocabulary_, index_)),
      special_tokens_(find_special_tokens(vocabulary_, roles_)) {
  auto& warnings = vocabulary_.warnings;
  warnings.insert(warnings.end(), roles_.warnings.begin(), roles_.warnings.end());
}

Status Tokenizer::init_encoder() {
  Vocabulary& v = vocabulary_;
  bool default_bos = false;
  bool default_space_prefix = false;
  switch (v.kind) {
    case VocabularyKind::kBytePairs:
    case VocabularyKind::kCharacterPairs: {
      if (v.kind == VocabularyKind::kCharacterPairs) v.pre = "gemma4";
      if (v.pre.empty()) {
        v.warnings.push_back("tokenizer.ggml.pre: missing, so text may be cut in other ways than the model knows");
        v.pre = "default";
      }
      ASSIGN_OR_RETURN(PreTokenizer pre_tokenizer, PreTokenizer::create(v.pre));
      const PreTokenizerTraits traits = pre_tokenizer.traits();
      byte_level_ = traits.byte_level;
      default_bos = traits.add_bos;
      if (traits.forces_bos) v.add_bos = true;
      ASSIGN_OR_RETURN(encoder_, BpeEncoder::create(v, roles_.types, index_, std::move(pre_tokenizer)));
      break;
    }
    case VocabularyKind::kSentencePiece:
      default_bos = default_space_prefix = true;
      add_space_prefix_ = v.add_space_prefix.value_or(default_space_prefix);
      encoder_ = std::make_unique<SentencePieceEncoder>(v, roles_.types, index_, add_space_prefix_);
      break;
    case VocabularyKind::kWordPiece:
      default_bos = true;
      encoder_ = std::make_unique<WordPieceEncoder>(v, roles_.types, index_);
      break;
  }
  const bool is_wordpiece = v.kind == VocabularyKind::kWordPiece;
  add_bos_ = v.add_bos.value_or(default_bos) && v.bos != kNoToken;
  add_eos_ = v.add_eos.value_or(is_wordpiece) && end_token() != kNoToken;
  return {};
}

TokenId Tokenizer::end_token() const {
  return vocabulary_.kind == VocabularyKind::kWordPiece ? vocabulary_.separator : vocabulary_.eos;
}

std::string Tokenizer::bytes_of(size_t token) const {
  const std::string& text = vocabulary_.tokens[token];
  switch (roles_.types[token]) {
    case TokenType::kControl:
    case TokenType::kUnknown:
    case TokenType::kUserDefined:
      return text;
    case TokenType::kByte:
      if (const auto byte = parse_byte_token(text)) return std::string(1, static_cast<char>(*byte));
      break;
    default:
      break;
  }
  if (byte_level_) return spelled_bytes(text).value_or(text);
  return without_space_marks(text);
}

void Tokenizer::init_bytes() {
  bytes_begin_.reserve(vocab_size() + 1);
  for (size_t i = 0; i < vocab_size(); ++i) {
    bytes_begin_.push_back(static_cast<uint32_t>(bytes_.size()));
    bytes_ += bytes_of(i);
  }
  bytes_begin_.push_back(static_cast<uint32_t>(bytes_.size()));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<TokenId> ids;
  if (options.add_special && add_bos_) ids.push_back(bos());
  bool at_start = true;
  for (const SpecialTokens::Piece& piece : special_tokens_.partition(text, options.parse_special)) {
    if (piece.token != kNoToken) {
      ids.push_back(piece.token);
    } else {
      encoder_->encode(piece.text, at_start, ids);
    }
    at_start = piece.token != kNoToken;
  }
  if (options.add_special && add_eos_) ids.push_back(end_token());
  return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, DecodeOptions options) const {
  std::string text;
  bool strip_space = options.at_start && (add_space_prefix_ || vocabulary_.kind == VocabularyKind::kWordPiece);
  for (const TokenId id : ids) {
    if (is_control(id) && !options.keep_control) continue;
    std::string_view bytes = token_bytes(id);
    if (strip_space && bytes.starts_with(' ')) bytes.remove_prefix(1);
    strip_space = false;
    text += bytes;
  }
  return text;
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
  if (!is_valid(id)) return {};
  const auto i = static_cast<size_t>(id);
  return std::string_view(bytes_).substr(bytes_begin_[i], bytes_begin_[i + 1] - bytes_begin_[i]);
}

std::string_view Tokenizer::token_text(TokenId id) const {
  return is_valid(id) ? std::string_view(vocabulary_.tokens[static_cast<size_t>(id)]) : std::string_view();
}

bool Tokenizer::is_control(TokenId id) const {
  if (!is_valid(id)) return false;
  const TokenType type = roles_.types[static_cast<size_t>(id)];
  return type == TokenType::kControl || type == TokenType::kUnknown;
}

bool Tokenizer::is_eog(TokenId id) const { return is_valid(id) && roles_.ends_generation[static_cast<size_t>(id)]; }

std::vector<TokenId> Tokenizer::eog_tokens() const {
  std::vector<TokenId> ids;
  for (size_t i = 0; i < vocab_size(); ++i) {
    if (roles_.ends_generation[i]) ids.push_back(static_cast<TokenId>(i));
  }
  return ids;
}

}  // namespace ingle
