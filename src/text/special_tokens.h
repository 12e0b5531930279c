// Finds the tokens that are recognised in text before any tokenizing: user-defined ones always, control ones where the
// caller allows it (a chat template's output, not a user's message). Immutable; linear in the text whatever it is.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/token.h"

namespace ingle {

struct SpecialToken {
  TokenId id = kNoToken;
  std::string text;
  bool always = false;                           // also where special tokens are not to be parsed
  bool strip_left = false, strip_right = false;  // swallows the ASCII white space beside it
};

class SpecialTokens {
 public:
  SpecialTokens() : SpecialTokens(std::vector<SpecialToken>{}) {}
  explicit SpecialTokens(std::vector<SpecialToken> tokens);

  // A token, or text without special tokens (never empty).
  struct Piece {
    std::string_view text;
    TokenId token = kNoToken;
  };

  // `text` from left to right; where several tokens begin at one place, the longest.
  std::vector<Piece> partition(std::string_view text, bool parse_special) const;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  // The texts are kept backwards in an automaton of Aho and Corasick, and texts are read backwards: then the longest
  // entry that ends at a state is the longest token that begins there.
  struct Node {
    uint32_t first_child = 0, next_sibling = 0;        // 0: none
    uint32_t shorter = 0;                              // node of the longest proper suffix of this one's string
    std::array<uint32_t, 2> longest = {kNone, kNone};  // index into tokens_, of [all tokens, always ones]
    uint8_t byte = 0;
  };

  uint32_t child(uint32_t node, uint8_t byte) const;
  void insert(uint32_t token);
  void link();

  std::vector<SpecialToken> tokens_;
  std::vector<Node> nodes_;
  std::array<uint32_t, 256> root_children_{};
};

}  // namespace ingle
