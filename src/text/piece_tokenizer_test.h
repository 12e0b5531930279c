// For tests: a tokenizer whose tokens are given texts.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace ingle {

// <eos>, which ends an answer, and a token for each piece, however often it is given.
inline std::unique_ptr<Tokenizer> tokenizer_of(std::vector<std::string> pieces) {
  std::sort(pieces.begin(), pieces.end());
  pieces.erase(std::unique(pieces.begin(), pieces.end()), pieces.end());
  Vocabulary vocabulary;
  vocabulary.kind = VocabularyKind::kSentencePiece;
  vocabulary.tokens = {"<eos>"};
  vocabulary.types = {TokenType::kControl};
  for (const std::string& piece : pieces) {
    if (piece == "<eos>") continue;
    vocabulary.tokens.push_back(piece);
    vocabulary.types.push_back(TokenType::kNormal);
  }
  vocabulary.scores.assign(vocabulary.tokens.size(), 0.0f);
  vocabulary.eos = 0;
  vocabulary.add_bos = vocabulary.add_space_prefix = false;
  Result<std::unique_ptr<Tokenizer>> made = Tokenizer::create(std::move(vocabulary));
  EXPECT_TRUE(made.ok()) << made.error().to_string();
  return std::move(made).value();
}

}  // namespace ingle
