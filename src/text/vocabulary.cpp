#include "text/vocabulary.h"

#include <array>
#include <cmath>
#include <limits>

#include "format/gguf.h"

namespace ingle {
namespace {

struct KindName {
  std::string_view model;
  VocabularyKind kind;
};
constexpr std::array<KindName, 4> kKindNames = {{{"gpt2", VocabularyKind::kBytePairs},
                                                 {"gemma4", VocabularyKind::kCharacterPairs},
                                                 {"llama", VocabularyKind::kSentencePiece},
                                                 {"bert", VocabularyKind::kWordPiece}}};

Error invalid(std::string message) { return {ErrorCode::kInvalidData, std::move(message), ""}; }

// The ids that a file without the keys means, by kind.
void set_default_ids(Vocabulary& v) {
  switch (v.kind) {
    case VocabularyKind::kBytePairs:
    case VocabularyKind::kCharacterPairs:
      return;
    case VocabularyKind::kSentencePiece:
      v.bos = 1, v.eos = 2, v.unknown = 0;
      return;
    case VocabularyKind::kWordPiece:
      v.bos = 101, v.unknown = 100, v.separator = 102, v.pad = 0, v.mask = 103;
      return;
  }
}

struct IdKey {
  std::string_view key;
  TokenId& id;
  bool steers_generation;  // such an id may not be wrong; the others are dropped with a warning
};

Status read_id(const GgufFile& file, const IdKey& entry, Vocabulary& v) {
  const auto size = static_cast<int64_t>(v.tokens.size());
  if (entry.id >= size) entry.id = kNoToken;  // a default that this vocabulary does not have
  const std::string key = "tokenizer.ggml." + std::string(entry.key);
  if (!file.has(key)) return {};
  ASSIGN_OR_RETURN(const int64_t id, file.get<int64_t>(key));
  if (id == -1 || id == std::numeric_limits<uint32_t>::max()) {
    entry.id = kNoToken;
    return {};
  }
  if (id >= 0 && id < size) {
    entry.id = static_cast<TokenId>(id);
    return {};
  }
  const std::string message =
      key + ": id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(size);
  if (entry.steers_generation) return invalid(message);
  v.warnings.push_back(message + ", ignored");
  return {};
}

Status read_ids(const GgufFile& file, Vocabulary& v) {
  set_default_ids(v);
  const std::array<IdKey, 18> keys = {{{"cls_token_id", v.bos, true},  // BERT's name for it; bos_token_id wins
                                       {"bos_token_id", v.bos, true},
                                       {"eos_token_id", v.eos, true},
                                       {"eot_token_id", v.eot, true},
                                       {"eom_token_id", v.eom, true},
                                       {"unknown_token_id", v.unknown, false},
                                       {"seperator_token_id", v.separator, false},  // spelt so in the format
                                       {"padding_token_id", v.pad, false},
                                       {"mask_token_id", v.mask, false},
                                       // deprecated names first, so that the newer ones win
                                       {"prefix_token_id", v.fim.prefix, false},
                                       {"suffix_token_id", v.fim.suffix, false},
                                       {"middle_token_id", v.fim.middle, false},
                                       {"fim_pre_token_id", v.fim.prefix, false},
                                       {"fim_suf_token_id", v.fim.suffix, false},
                                       {"fim_mid_token_id", v.fim.middle, false},
                                       {"fim_pad_token_id", v.fim.pad, false},
                                       {"fim_rep_token_id", v.fim.repository, false},
                                       {"fim_sep_token_id", v.fim.separator, false}}};
  for (const IdKey& entry : keys) {
    if (entry.key == "cls_token_id" && v.kind != VocabularyKind::kWordPiece) continue;
    RETURN_IF_ERROR(read_id(file, entry, v));
  }
  return {};
}

Status read_optional(const GgufFile& file, const std::string& key, std::optional<bool>& value) {
  if (!file.has(key)) return {};
  ASSIGN_OR_RETURN(value, file.get<bool>(key));
  return {};
}

Status read_arrays(const GgufFile& file, Vocabulary& v) {
  ASSIGN_OR_RETURN(const auto* tokens, file.strings("tokenizer.ggml.tokens"));
  v.tokens.assign(tokens->begin(), tokens->end());
  if (file.has("tokenizer.ggml.scores")) {
    ASSIGN_OR_RETURN(v.scores, file.floats("tokenizer.ggml.scores"));
  }
  v.types.assign(v.tokens.size(), TokenType::kNormal);
  if (file.has("tokenizer.ggml.token_type")) {
    ASSIGN_OR_RETURN(const auto types, file.ints("tokenizer.ggml.token_type"));
    v.types.resize(types.size());
    for (size_t i = 0; i < types.size(); ++i) {
      const bool known = types[i] >= 0 && types[i] <= static_cast<int64_t>(TokenType::kByte);
      v.types[i] = known ? static_cast<TokenType>(types[i]) : TokenType::kUndefined;
    }
  }
  if (file.has("tokenizer.ggml.merges")) {
    ASSIGN_OR_RETURN(const auto* merges, file.strings("tokenizer.ggml.merges"));
    v.merges.assign(merges->begin(), merges->end());
  }
  return {};
}

}  // namespace

Result<VocabularyKind> vocabulary_kind(std::string_view model) {
  std::string known;
  for (const KindName& each : kKindNames) {
    if (each.model == model) return each.kind;
    known += (known.empty() ? "" : ", ") + std::string(each.model);
  }
  return Error{ErrorCode::kUnsupported, "tokenizer.ggml.model: tokenizer " + gguf_quote(model) + " is not supported",
               "supported tokenizers: " + known};
}

Result<Vocabulary> vocabulary_from_gguf(const GgufFile& file) {
  if (!file.has("tokenizer.ggml.model")) {
    return Error{ErrorCode::kInvalidData, "tokenizer.ggml.model: the file has no vocabulary",
                 "convert the model together with its tokenizer"};
  }
  Vocabulary v;
  ASSIGN_OR_RETURN(const auto model, file.get<std::string_view>("tokenizer.ggml.model"));
  ASSIGN_OR_RETURN(v.kind, vocabulary_kind(model));
  ASSIGN_OR_RETURN(v.pre, file.get_or<std::string>("tokenizer.ggml.pre", ""));
  ASSIGN_OR_RETURN(v.model_name, file.get_or<std::string>("general.name", ""));
  ASSIGN_OR_RETURN(v.architecture, file.get_or<std::string>("general.architecture", ""));
  RETURN_IF_ERROR(read_arrays(file, v));
  RETURN_IF_ERROR(read_ids(file, v));
  RETURN_IF_ERROR(read_optional(file, "tokenizer.ggml.add_bos_token", v.add_bos));
  RETURN_IF_ERROR(read_optional(file, "tokenizer.ggml.add_eos_token", v.add_eos));
  RETURN_IF_ERROR(read_optional(file, "tokenizer.ggml.add_space_prefix", v.add_space_prefix));
  RETURN_IF_ERROR(read_optional(file, "tokenizer.ggml.normalizer.strip_accents", v.strip_accents));
  ASSIGN_OR_RETURN(v.remove_extra_spaces, file.get_or<bool>("tokenizer.ggml.remove_extra_whitespaces", false));
  ASSIGN_OR_RETURN(v.lowercase, file.get_or<bool>("tokenizer.ggml.normalizer.lowercase", true));
  return v;
}

Status check_vocabulary(const Vocabulary& v) {
  const size_t size = v.tokens.size();
  if (size == 0) return invalid("tokenizer.ggml.tokens: the vocabulary is empty");
  uint64_t text_bytes = 0;
  for (const std::string& token : v.tokens) text_bytes += token.size();
  if (size > std::numeric_limits<TokenId>::max() || text_bytes > std::numeric_limits<uint32_t>::max()) {
    return invalid("tokenizer.ggml.tokens: " + std::to_string(size) + " tokens of together " +
                   std::to_string(text_bytes) + " bytes are too many");
  }
  const auto count_differs = [&](std::string_view key, size_t count) {
    return invalid("tokenizer.ggml." + std::string(key) + ": " + std::to_string(count) + " values for " +
                   std::to_string(size) + " tokens");
  };
  if (v.types.size() != size) return count_differs("token_type", v.types.size());
  if (!v.scores.empty() && v.scores.size() != size) return count_differs("scores", v.scores.size());
  for (size_t i = 0; i < v.scores.size(); ++i) {
    if (std::isnan(v.scores[i]))
      return invalid("tokenizer.ggml.scores: score " + std::to_string(i) + " is not a number");
  }
  for (const TokenId id : {v.bos, v.eos, v.eot, v.eom, v.unknown, v.separator, v.pad, v.mask, v.fim.prefix,
                           v.fim.suffix, v.fim.middle, v.fim.pad, v.fim.repository, v.fim.separator}) {
    if (id < kNoToken || id >= static_cast<TokenId>(size)) {
      return invalid("tokenizer: special token id " + std::to_string(id) + " is outside the vocabulary of " +
                     std::to_string(size));
    }
  }
  return {};
}

}  // namespace ingle
