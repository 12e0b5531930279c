#include "text/token_roles.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "format/gguf.h"

namespace ingle {
namespace {

using Names = std::initializer_list<std::string_view>;

constexpr std::array<std::string_view, 11> kEndOfTurn = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>",         "<|endoftext|>",     "<|end_of_text|>",
    "<EOT>",      "_<EOT>",     "[EOT]",   "<｜end▁of▁sentence｜>", "<end_of_utterance>"};

constexpr std::array<std::string_view, 22> kEndOfGeneration = {"<|eot_id|>",
                                                               "<|im_end|>",
                                                               "<|end|>",
                                                               "<|return|>",
                                                               "<|call|>",
                                                               "<|flush|>",
                                                               "<|calls|>",
                                                               "<end_of_turn>",
                                                               "<|endoftext|>",
                                                               "</s>",
                                                               "<|eom_id|>",
                                                               "<EOT>",
                                                               "_<EOT>",
                                                               "[EOT]",
                                                               "[EOS]",
                                                               "<|end_of_text|>",
                                                               "<end_of_utterance>",
                                                               "<eos>",
                                                               "<turn|>",
                                                               "<|tool_response>",
                                                               "<｜end▁of▁sentence｜>",
                                                               "[e~["};

// Text that the model writes to structure its answer, which the reader of the answer has to see.
constexpr std::array<std::string_view, 4> kAlwaysShown = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};

// Names that are also words of mark-up languages: they count only where the file says that they are control.
bool is_markup(std::string_view name) {
  constexpr std::array<std::string_view, 6> kMarkup = {"</s>", "<PRE>", "<SUF>", "<MID>", "<PAD>", "<REPO>"};
  return std::find(kMarkup.begin(), kMarkup.end(), name) != kMarkup.end();
}

class RoleFinder {
 public:
  RoleFinder(const Vocabulary& vocabulary, const TokenIndex& index) : vocabulary_(vocabulary), index_(index) {
    roles_.types.assign(vocabulary.types.begin(), vocabulary.types.end());
    roles_.ends_generation.assign(vocabulary.tokens.size(), false);
    roles_.eot = vocabulary.eot;
    roles_.eom = vocabulary.eom;
    roles_.fim = vocabulary.fim;
  }

  TokenRoles find() && {
    find_first(roles_.eot, kEndOfTurn);
    find_first(roles_.eom, Names{"<|eom_id|>"});
    find_fim();
    find_ends();
    for (const std::string_view name : kAlwaysShown) set_type(index_.find(name), TokenType::kUserDefined);
    drop_wrong_ends();
    return std::move(roles_);
  }

 private:
  TokenType& type(TokenId id) { return roles_.types[static_cast<size_t>(id)]; }
  void set_type(TokenId id, TokenType value) {
    if (id != kNoToken) type(id) = value;
  }

  // The token of this name, if it is there for what the name says.
  TokenId find_named(std::string_view name) {
    const TokenId id = index_.find(name);
    if (id == kNoToken || (is_markup(name) && type(id) != TokenType::kControl)) return kNoToken;
    make_control(id);
    return id;
  }

  void make_control(TokenId id) {
    if (type(id) == TokenType::kControl) return;
    roles_.warnings.push_back("token " + std::to_string(id) + ", " +
                              gguf_quote(vocabulary_.tokens[static_cast<size_t>(id)]) +
                              ", is taken as control in spite of its type");
    type(id) = TokenType::kControl;
  }

  template <typename List>
  void find_first(TokenId& id, const List& names) {
    for (auto name = std::begin(names); id == kNoToken && name != std::end(names); ++name) {
      id = find_named(*name);
    }
  }

  void find_fim() {
    FimTokens& fim = roles_.fim;
    find_first(fim.prefix, Names{"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>",
                                 "<|code_prefix|>", "<|prefix|>"});
    find_first(fim.suffix, Names{"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
                                 "<|code_suffix|>", "<|suffix|>"});
    find_first(fim.middle, Names{"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>",
                                 "<|code_middle|>", "<|middle|>"});
    find_first(fim.pad, Names{"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"});
    find_first(fim.repository, Names{"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"});
    find_first(fim.separator, Names{"<|file_sep|>"});
  }

  void find_ends() {
    for (const std::string_view name : kEndOfGeneration) {
      const TokenId id = find_named(name);
      if (id != kNoToken) roles_.ends_generation[static_cast<size_t>(id)] = true;
    }
    const FimTokens& fim = roles_.fim;
    for (const TokenId id : {vocabulary_.eos, roles_.eot, roles_.eom, fim.pad, fim.repository, fim.separator}) {
      if (id != kNoToken) roles_.ends_generation[static_cast<size_t>(id)] = true;
    }
  }

  bool ends(std::string_view name) const {
    const TokenId id = index_.find(name);
    return id != kNoToken && roles_.ends_generation[static_cast<size_t>(id)];
  }

  void keep_going_after(std::string_view name, TokenType as) {
    const TokenId id = index_.find(name);
    roles_.ends_generation[static_cast<size_t>(id)] = false;
    type(id) = as;
  }

  // Names that end a generation in some vocabularies and are something else in others, told by their company.
  void drop_wrong_ends() {
    const bool harmony = ends("<|return|>") && (ends("<|call|>") || ends("<|calls|>"));
    const bool solar = ends("<|flush|>") && (ends("<|call|>") || ends("<|calls|>"));
    if (ends("<|end|>") && (harmony || solar)) keep_going_after("<|end|>", TokenType::kUserDefined);
    if (ends("</s>") && ends("<|tool_response>")) keep_going_after("</s>", TokenType::kNormal);
  }

  const Vocabulary& vocabulary_;
  const TokenIndex& index_;
  TokenRoles roles_;
};

bool contains_any(std::string_view text, Names parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return text.find(part) != text.npos; });
}

std::string ascii_lowercase(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

// Files do not say which tokens swallow the space beside them; the models that need it are known by name.
void set_strips(const Vocabulary& vocabulary, std::vector<SpecialToken>& tokens) {
  const std::string name = ascii_lowercase(vocabulary.model_name);
  const auto strip_left_of = [&](std::string_view text) {
    for (SpecialToken& token : tokens) token.strip_left |= token.text == text;
  };
  if (contains_any(vocabulary.pre, {"jina-v2-de", "jina-v2-es", "jina-v2-code"}) ||
      contains_any(vocabulary.architecture, {"nomic-bert-moe", "jina-bert-v3"})) {
    strip_left_of("<mask>");
  } else if (contains_any(name, {"phi-3", "phi3"})) {
    for (SpecialToken& token : tokens) {
      token.strip_right = token.text != "<unk>" && token.text != "<s>" && token.text != "<|endoftext|>";
    }
  } else if (contains_any(name, {"modern-bert"})) {
    strip_left_of("[MASK]");
  }
}

}  // namespace

TokenRoles find_token_roles(const Vocabulary& vocabulary, const TokenIndex& index) {
  return RoleFinder(vocabulary, index).find();
}

std::vector<SpecialToken> find_special_tokens(const Vocabulary& vocabulary, const TokenRoles& roles) {
  std::vector<SpecialToken> tokens;
  for (size_t i = 0; i < roles.types.size(); ++i) {
    const TokenType type = roles.types[i];
    const bool always = type == TokenType::kUserDefined;
    if (!always && type != TokenType::kControl && type != TokenType::kUnknown) continue;
    if (vocabulary.tokens[i].empty()) continue;
    tokens.push_back({static_cast<TokenId>(i), vocabulary.tokens[i], always, false, false});
  }
  set_strips(vocabulary, tokens);
  return tokens;
}

std::vector<bool> text_tokens(std::span<const TokenType> types) {
  std::vector<bool> is_text(types.size());
  for (size_t i = 0; i < types.size(); ++i) {
    is_text[i] = types[i] != TokenType::kControl && types[i] != TokenType::kUnknown && types[i] != TokenType::kByte;
  }
  return is_text;
}

}  // namespace ingle
