// A grammar being put together, as text in the EBNF that grammars.h compiles. An *expression* is a piece of that text
// that may stand wherever one may; the functions here make greater ones of smaller ones, and rules give them names.
// One thread; plain text in the end, so that equal grammars are equal texts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/token.h"

namespace ingle {

inline constexpr size_t kMaxGrammarBytes = 512 * 1024;
inline constexpr uint32_t kNoLimit = UINT32_MAX;

class GrammarText {
 public:
  using Expression = std::string;

  // Exactly this text, which is well-formed UTF-8.
  static Expression literal(std::string_view text);
  // Exactly this token, be it a control token that no text is.
  static Expression token(TokenId id);
  // What control tokens are in grammars beside that: two characters beyond Unicode's last, which no class of characters
  // has. As bytes, and as a literal; a model may write these by tokens of single bytes, too.
  static std::string token_bytes(TokenId id);
  static Expression token_literal(TokenId id);
  // One after the other; of none: the empty text.
  static Expression sequence(std::span<const Expression> parts);
  static Expression sequence(std::initializer_list<Expression> parts) {
    return sequence({parts.begin(), parts.size()});
  }
  // Any one of them, of which there is at least one.
  static Expression choice(std::span<const Expression> options);
  static Expression choice(std::initializer_list<Expression> options) {
    return choice({options.begin(), options.size()});
  }
  static Expression optional(const Expression& expression) { return choice({literal(""), expression}); }
  // From min to max times, which may be kNoLimit.
  Expression repeat(const Expression& expression, uint32_t min, uint32_t max);

  // Any text, control tokens too, that has none of these literals, of which there is at least one.
  Expression text_without(std::span<const Expression> literals);
  // Such a text; but what comes after `trigger`, another literal, is the rule `then`, and where it goes `on` more text.
  // None of the literals begins the trigger.
  Expression text_with(const Expression& trigger, const Expression& then, bool on,
                       std::span<const Expression> literals);

  // A name for it, for what is large or stands in several places.
  Expression rule(const Expression& body);
  // A name that define() gives a body later: for grammars that contain themselves.
  Expression reserve();
  void define(const Expression& name, const Expression& body);
  // The rule `name`, which is not begun with "r", unless it is there already.
  bool has(std::string_view name) const;

  // The whole: what matches `root`. kInvalidArgument if it has become larger than kMaxGrammarBytes.
  Result<std::string> finish(const Expression& root) const;
  // What finish() would complain of; to be asked before much is added.
  bool too_large() const { return bytes_ > kMaxGrammarBytes; }

 private:
  std::string rules_;
  std::vector<std::string> names_;  // of the rules that were named by others
  uint32_t reserved_ = 0;
  size_t bytes_ = 0;
};

}  // namespace ingle
