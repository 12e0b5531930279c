// For tests: a small vocabulary of all bytes and some longer tokens, and which texts a grammar over it lets through.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/grammars.h"
#include "text/json_value.h"

namespace ingle {

class GrammarWorld {
 public:
  // `control`: more control tokens, the last ones of the vocabulary.
  explicit GrammarWorld(GrammarsOptions options = {}, const std::vector<std::string>& control = {})
      : tokenizer(make_tokenizer(control)) {
    grammars = std::make_unique<Grammars>(*tokenizer, vocab(), options);
  }

  static constexpr TokenId kEos = 0, kControl = 1, kFirstByte = 2;

  uint32_t vocab() const { return static_cast<uint32_t>(tokenizer->vocab_size()); }

  // Whether the answer may be this text, byte for byte.
  bool accepts(const Constraint& grammar, std::string_view text) const {
    const std::unique_ptr<Constraint> constraint = grammar.clone();
    for (const char byte : text) {
      if (!step(*constraint, kFirstByte + static_cast<unsigned char>(byte))) return false;
    }
    return mask_has(mask(*constraint), kEos);
  }
  bool step(Constraint& constraint, TokenId token) const {
    return mask_has(mask(constraint), token) && constraint.accept(token).ok();
  }
  std::vector<uint32_t> mask(Constraint& constraint) const {
    std::vector<uint32_t> out(mask_words(vocab()));
    const Status status = constraint.allowed(out);
    EXPECT_TRUE(status.ok()) << status.error().to_string();
    return out;
  }

  Grammars::Compiled schema(std::string_view json) const {
    const Result<jinja::Value> value = parse_json(json);
    EXPECT_TRUE(value.ok()) << json;
    return grammars->json_schema(*value);
  }
  static std::string error(const Grammars::Compiled& compiled) {
    return compiled.ok() ? "" : compiled.error().to_string();
  }

  const std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Grammars> grammars;

 private:
  static std::unique_ptr<Tokenizer> make_tokenizer(const std::vector<std::string>& control) {
    Vocabulary vocabulary;
    vocabulary.kind = VocabularyKind::kSentencePiece;
    const auto add = [&](std::string text, TokenType type) {
      vocabulary.tokens.push_back(std::move(text));
      vocabulary.types.push_back(type);
    };
    add("<eos>", TokenType::kControl);
    add("<call>", TokenType::kControl);
    for (int byte = 0; byte < 256; byte++) {
      constexpr const char* kDigits = "0123456789ABCDEF";
      add(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">", TokenType::kByte);
    }
    for (const char* text :
         {"{\"",  "\":", "\",", "\"}", "true", "false", "null", "abc", "ab",  "12", "123", ", ",   "é",
          "日本", "日",  "}}",  "[[",  "]]",   "\n\n",  "   ",  "-1",  "0.5", "00", "\\n", "\\\"", "\"a"}) {
      add(text, TokenType::kNormal);
    }
    for (const std::string& text : control) add(text, TokenType::kControl);
    vocabulary.scores.assign(vocabulary.tokens.size(), 0.0f);
    vocabulary.eos = kEos;
    vocabulary.add_bos = false;
    Result<std::unique_ptr<Tokenizer>> made = Tokenizer::create(std::move(vocabulary));
    EXPECT_TRUE(made.ok()) << made.error().to_string();
    return std::move(made).value();
  }
};

}  // namespace ingle
