// Cuts a chat template into tokens, as Jinja's lexer does in the environment that chat templates are written for:
// trim_blocks and lstrip_blocks on, one trailing newline dropped, `-` and `+` at tags.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja_value.h"

namespace ingle::jinja {

enum class Token : uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kAdd,
  kSub,
  kDiv,
  kFloorDiv,
  kMul,
  kMod,
  kPow,
  kTilde,
  kLBracket,
  kRBracket,
  kLParen,
  kRParen,
  kLBrace,
  kRBrace,
  kEq,
  kNe,
  kGt,
  kGtEq,
  kLt,
  kLtEq,
  kAssign,
  kDot,
  kColon,
  kPipe,
  kComma,
  kSemicolon,
  kEnd,
};

struct Lexeme {
  Token type = Token::kEnd;
  int line = 1;
  std::string text;  // data, name, decoded string
  Value number;
};

// Throws TemplateError with the line. Linear in the size of the source.
std::vector<Lexeme> tokenize(std::string_view source);

// How a token is called in messages.
std::string describe(const Lexeme& lexeme);
const char* describe(Token type);

}  // namespace ingle::jinja
