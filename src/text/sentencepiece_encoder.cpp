#include "text/sentencepiece_encoder.h"

#include <algorithm>
#include <numeric>

#include "text/space_mark.h"
#include "text/token_roles.h"
#include "text/utf8.h"

namespace ingle {
namespace {

std::vector<uint32_t> rank_by_score(const std::vector<float>& scores, size_t tokens) {
  std::vector<uint32_t> ranks(tokens, 0);
  if (scores.empty()) return ranks;
  std::vector<uint32_t> order(tokens);
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return scores[a] > scores[b]; });
  for (size_t i = 1; i < tokens; ++i) {
    ranks[order[i]] = ranks[order[i - 1]] + (scores[order[i]] < scores[order[i - 1]] ? 1 : 0);
  }
  return ranks;
}

// Runs of spaces as one, none at the start. Nor at the end, where marks that were in the text count as spaces too.
std::string with_single_spaces(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
  }
  out = with_space_marks(out);
  while (out.ends_with(kSpaceMark)) out.resize(out.size() - kSpaceMark.size());
  return out;
}

}  // namespace

SentencePieceEncoder::SentencePieceEncoder(const Vocabulary& vocabulary, std::span<const TokenType> types,
                                           const TokenIndex& index, bool add_space_prefix)
    : index_(index),
      is_text_(text_tokens(types)),
      ranks_(rank_by_score(vocabulary.scores, types.size())),
      cuts_(vocabulary.tokens, is_text_),
      rank_count_(static_cast<uint32_t>(types.size())),
      unknown_(vocabulary.unknown),
      add_space_prefix_(add_space_prefix),
      remove_extra_spaces_(vocabulary.remove_extra_spaces) {
  for (size_t byte = 0; byte < 256; ++byte) {
    const TokenId id = index.find(byte_token_text(static_cast<uint8_t>(byte)));
    byte_tokens_[byte] = id != kNoToken && types[static_cast<size_t>(id)] != TokenType::kControl ? id : kNoToken;
  }
}

TokenId SentencePieceEncoder::find_text(std::string_view text) const {
  const TokenId id = index_.find(text);
  return id != kNoToken && is_text_[static_cast<size_t>(id)] ? id : kNoToken;
}

std::string SentencePieceEncoder::normalise(std::string_view text, bool at_start) const {
  std::string out;
  if (add_space_prefix_ && at_start) out = kSpaceMark;
  out += remove_extra_spaces_ ? with_single_spaces(text) : with_space_marks(text);
  return out;
}

void SentencePieceEncoder::encode(std::string_view text, bool at_start, std::vector<TokenId>& out) const {
  const std::string normalised = normalise(text, at_start);
  SymbolMerger merger;
  bool after_unknown = false;  // a run of unknown characters is one token
  for (size_t at = 0; at < normalised.size();) {
    const size_t end = cuts_.next(normalised, at, SymbolMerger::kMaxPartBytes);
    encode_part(std::string_view(normalised).substr(at, end - at), merger, after_unknown, out);
    at = end;
  }
}

void SentencePieceEncoder::encode_part(std::string_view text, SymbolMerger& merger, bool& after_unknown,
                                       std::vector<TokenId>& out) const {
  merger.clear();
  for (size_t at = 0; at < text.size();) {
    const uint32_t size_bytes = decode_utf8(text.substr(at)).size_bytes;
    merger.add(static_cast<uint32_t>(at), size_bytes, find_text(text.substr(at, size_bytes)));
    at += size_bytes;
  }
  merger.merge(rank_count_, [&](const Symbol& left, const Symbol& right) -> Merge {
    const TokenId id = find_text(text.substr(left.begin, left.size_bytes + right.size_bytes));
    return id == kNoToken ? Merge{} : Merge{ranks_[static_cast<size_t>(id)], id};
  });
  for (const Symbol& symbol : merger.symbols()) {
    if (symbol.size_bytes == 0) continue;
    bool is_unknown = false;
    if (symbol.id != kNoToken) {
      out.push_back(symbol.id);
    } else {
      for (const char c : text.substr(symbol.begin, symbol.size_bytes)) {
        const TokenId id = byte_tokens_[static_cast<uint8_t>(c)];
        is_unknown |= id == kNoToken;
        if (id != kNoToken) out.push_back(id);
      }
      if (is_unknown && !after_unknown && unknown_ != kNoToken) out.push_back(unknown_);
    }
    after_unknown = is_unknown;
  }
}

}  // namespace ingle
