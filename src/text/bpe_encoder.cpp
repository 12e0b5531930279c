#include "text/bpe_encoder.h"

#include <algorithm>
#include <bit>

#include "format/gguf.h"
#include "text/byte_alphabet.h"
#include "text/token_roles.h"
#include "text/utf8.h"

namespace ingle {

void BpeEncoder::MergeTable::reserve(size_t merges) {
  slots_.resize(std::bit_ceil(2 * merges + 2));
  seed_ = draw_hash_seed();
}

size_t BpeEncoder::MergeTable::slot(TokenId left, TokenId right) const {
  const size_t mask = slots_.size() - 1;
  const uint64_t key = static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  size_t at = seeded_hash(seed_, key) & mask;
  while (slots_[at].left != kNoToken && (slots_[at].left != left || slots_[at].right != right)) at = (at + 1) & mask;
  return at;
}

void BpeEncoder::MergeTable::insert(TokenId left, TokenId right, Merge merge) {
  Slot& entry = slots_[slot(left, right)];
  if (entry.left == kNoToken) entry = {left, right, merge};
}

Merge BpeEncoder::MergeTable::find(TokenId left, TokenId right) const {
  if (left == kNoToken || right == kNoToken) return {};
  return slots_[slot(left, right)].merge;
}

BpeEncoder::BpeEncoder(const Vocabulary& vocabulary, std::span<const TokenType> types, const TokenIndex& index,
                       PreTokenizer pre_tokenizer)
    : index_(index),
      pre_tokenizer_(std::move(pre_tokenizer)),
      is_text_(text_tokens(types)),
      cuts_(vocabulary.tokens, is_text_) {}

Result<std::unique_ptr<TextEncoder>> BpeEncoder::create(const Vocabulary& vocabulary, std::span<const TokenType> types,
                                                        const TokenIndex& index, PreTokenizer pre_tokenizer) {
  if (vocabulary.merges.empty()) {
    return Error{ErrorCode::kInvalidData, "tokenizer.ggml.merges: missing, but the vocabulary is one of byte pairs",
                 ""};
  }
  auto encoder = std::unique_ptr<BpeEncoder>(new BpeEncoder(vocabulary, types, index, std::move(pre_tokenizer)));
  encoder->set_byte_tokens(types);
  RETURN_IF_ERROR(encoder->add_merges(vocabulary));
  return std::unique_ptr<TextEncoder>(std::move(encoder));
}

void BpeEncoder::set_byte_tokens(std::span<const TokenType> types) {
  for (size_t byte = 0; byte < 256; ++byte) {
    const bool by_alphabet = pre_tokenizer_.traits().byte_level;
    const TokenId id = index_.find(by_alphabet ? byte_alphabet()[byte] : byte_token_text(static_cast<uint8_t>(byte)));
    const bool usable = id != kNoToken && types[static_cast<size_t>(id)] != TokenType::kControl;
    byte_tokens_[byte] = usable ? id : kNoToken;
  }
}

Status BpeEncoder::add_merges(const Vocabulary& vocabulary) {
  merges_.reserve(vocabulary.merges.size());
  merge_count_ = static_cast<uint32_t>(vocabulary.merges.size());
  std::string both;
  for (size_t m = 0; m < vocabulary.merges.size(); ++m) {
    const std::string_view merge = vocabulary.merges[m];
    const auto invalid = [&](const std::string& why) {
      return Error{ErrorCode::kInvalidData,
                   "tokenizer.ggml.merges: merge " + std::to_string(m) + ", " + gguf_quote(merge) + ", " + why, ""};
    };
    const size_t space = merge.find(' ', 1);  // a token may begin with a space, none holds one further on
    if (space == std::string_view::npos || space + 1 == merge.size()) return invalid("is not two tokens");
    const std::string_view left = merge.substr(0, space);
    const std::string_view right = merge.substr(space + 1);
    both.assign(left).append(right);
    const TokenId left_id = index_.find(left);
    const TokenId right_id = index_.find(right);
    const TokenId id = index_.find(both);
    for (const auto& [text, text_id] : {std::pair(left, left_id), {right, right_id}, {std::string_view(both), id}}) {
      if (text_id == kNoToken) return invalid("needs the token " + gguf_quote(text) + ", which the vocabulary lacks");
    }
    if (!is_text_[static_cast<size_t>(id)]) continue;
    merges_.insert(left_id, right_id, {static_cast<uint32_t>(m), id});
  }
  return {};
}

void BpeEncoder::encode(std::string_view text, bool /*at_start*/, std::vector<TokenId>& out) const {
  std::string changed;
  if (!is_valid_utf8(text)) {
    changed = replace_each_invalid_byte(text);
    text = changed;
  }
  if (!pre_tokenizer_.traits().byte_level) {
    changed = with_space_marks(text);
    text = changed;
  }
  SymbolMerger merger;
  std::string spelling;
  pre_tokenizer_.split(text, [&](std::string_view word) {
    while (!word.empty()) {
      const std::string_view part = word.substr(0, part_end(word));
      encode_word(part, merger, spelling, out);
      word.remove_prefix(part.size());
    }
  });
}

size_t BpeEncoder::part_end(std::string_view word) const {
  constexpr size_t kLongest = SymbolMerger::kMaxPartBytes;
  return pre_tokenizer_.traits().byte_level ? utf8_boundary(word, kLongest) : cuts_.next(word, 0, kLongest);
}

// The token whose text is the whole word, if text may become it.
TokenId BpeEncoder::find_text(std::string_view word, std::string& spelling) const {
  if (word.size() > index_.longest_bytes()) return kNoToken;
  std::string_view text = word;
  if (pre_tokenizer_.traits().byte_level) {
    spelling.clear();
    for (const char c : word) spelling += byte_alphabet()[static_cast<uint8_t>(c)];
    text = spelling;
  }
  const TokenId id = index_.find(text);
  return id != kNoToken && is_text_[static_cast<size_t>(id)] ? id : kNoToken;
}

void BpeEncoder::encode_word(std::string_view word, SymbolMerger& merger, std::string& spelling,
                             std::vector<TokenId>& out) const {
  const PreTokenizerTraits& traits = pre_tokenizer_.traits();
  if (traits.ignore_merges || (traits.whole_newlines && word.find_first_not_of('\n') == std::string_view::npos)) {
    const TokenId id = find_text(word, spelling);
    if (id != kNoToken) {
      out.push_back(id);
      return;
    }
  }
  merger.clear();
  for (size_t at = 0; at < word.size();) {
    uint32_t size_bytes = 1;
    TokenId id = byte_tokens_[static_cast<uint8_t>(word[at])];
    if (!traits.byte_level) {
      size_bytes = decode_utf8(word.substr(at)).size_bytes;
      id = find_text(word.substr(at, size_bytes), spelling);
    }
    merger.add(static_cast<uint32_t>(at), size_bytes, id);
    at += size_bytes;
  }
  merger.merge(merge_count_,
               [this](const Symbol& left, const Symbol& right) { return merges_.find(left.id, right.id); });
  for (const Symbol& symbol : merger.symbols()) {
    if (symbol.size_bytes == 0) continue;
    if (symbol.id != kNoToken) {
      out.push_back(symbol.id);
    } else if (!traits.byte_level) {
      append_bytes(word.substr(symbol.begin, symbol.size_bytes), out);
    }
  }
}

// Bytes that the vocabulary lacks too are dropped: what stands for unknown text may end a conversation.
void BpeEncoder::append_bytes(std::string_view bytes, std::vector<TokenId>& out) const {
  for (const char c : bytes) {
    const TokenId id = byte_tokens_[static_cast<uint8_t>(c)];
    if (id != kNoToken) out.push_back(id);
  }
}

}  // namespace ingle
