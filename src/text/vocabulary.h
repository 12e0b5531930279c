// What a model file says about its tokens, read and checked once. Everything here is as the file has it, defaults of
// the vocabulary's kind filled in; tokenizer.h makes something of it. Plain data, owned by whoever loaded it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/token.h"

namespace ingle {

class GgufFile;

// Values of `tokenizer.ggml.token_type`.
enum class TokenType : uint8_t {
  kUndefined = 0,
  kNormal = 1,
  kUnknown = 2,      // stands for text outside the vocabulary
  kControl = 3,      // steers the model; never the text of a message
  kUserDefined = 4,  // text that is always one token
  kUnused = 5,
  kByte = 6,  // <0xNN>: one byte of text that no other token has
};

enum class VocabularyKind : uint8_t {
  kBytePairs,       // `gpt2`: merges on bytes (or on characters, as some pre-tokenizers demand)
  kCharacterPairs,  // `gemma4`: merges on characters, U+2581 for spaces
  kSentencePiece,   // `llama`: pairs merged by score
  kWordPiece,       // `bert`: longest pieces of normalised words
};

// The fill-in-the-middle tokens.
struct FimTokens {
  TokenId prefix = kNoToken, suffix = kNoToken, middle = kNoToken;
  TokenId pad = kNoToken, repository = kNoToken, separator = kNoToken;
};

struct Vocabulary {
  VocabularyKind kind = VocabularyKind::kBytePairs;
  std::string pre;           // tokenizer.ggml.pre; empty where the file has none
  std::string model_name;    // general.name
  std::string architecture;  // general.architecture

  std::vector<std::string> tokens;  // an empty one has no text: it can be generated but not written
  std::vector<float> scores;        // of each token, or none at all
  std::vector<TokenType> types;     // of each token
  std::vector<std::string> merges;  // "left right", most preferred first

  TokenId bos = kNoToken, eos = kNoToken, eot = kNoToken, eom = kNoToken;
  TokenId unknown = kNoToken, separator = kNoToken, pad = kNoToken, mask = kNoToken;
  FimTokens fim;

  // Without a value the kind or the pre-tokenizer decides.
  std::optional<bool> add_bos, add_eos, add_space_prefix;
  bool remove_extra_spaces = false;
  bool lowercase = true;              // WordPiece
  std::optional<bool> strip_accents;  // WordPiece; as `lowercase` without a value

  // What is odd about the file but does not keep it from working, one line each.
  std::vector<std::string> warnings;
};

// The kind that `tokenizer.ggml.model` names. kUnsupported lists the known names.
Result<VocabularyKind> vocabulary_kind(std::string_view model);

// Errors: kInvalidData (no vocabulary, counts that differ, ids out of range, a value of the wrong type), kUnsupported.
Result<Vocabulary> vocabulary_from_gguf(const GgufFile& file);

// Checks what every user of a Vocabulary relies on: a token at all, as many types (and scores, if any) as tokens, ids
// of special tokens inside the vocabulary, scores that are numbers. Called by Tokenizer::create.
Status check_vocabulary(const Vocabulary& vocabulary);

}  // namespace ingle
