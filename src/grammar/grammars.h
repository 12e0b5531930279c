// What answers of one model may be held to: grammars over its vocabulary, compiled when a request first asks for one
// and kept while there is room. Owned by the served model; any thread, but for the engine's: compiling takes from
// milliseconds to seconds. Whatever a grammar says, it is compiled within a deadline and in bounded memory, or refused.
//
// JSON, schemas, regular expressions and choices become text of one form (grammar_text.h), which may also be put
// together by hand, for calls of tools between their markers:
//   GrammarText text;
//   ASSIGN_OR_RETURN(auto arguments, json_schema_grammar(text, schema));       // json_schema.h
//   ASSIGN_OR_RETURN(auto ebnf, text.finish(GrammarText::sequence({GrammarText::literal("<call>"), arguments})));
//   ASSIGN_OR_RETURN(request.constraint, grammars.compile(ebnf));
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/constraint.h"
#include "grammar/grammar_text.h"
#include "text/jinja_value.h"
#include "text/tokenizer.h"

namespace ingle {

// One of these texts. Errors: kInvalidArgument (none, too many, an empty one).
Result<GrammarText::Expression> choice_grammar(std::span<const std::string> texts);

struct GrammarsOptions {
  // Of compiling one: what it may compute, so that a busy machine refuses nothing that an idle one takes; and by the
  // clock on the wall, after which it is to be asked for later.
  std::chrono::milliseconds deadline{5'000}, patience{20'000};
  uint32_t max_compiling = 2;  // at the same time
  // Whoever waits holds one of the threads that other requests want, too: beyond so many, others wait no longer than
  // that for the next grammar that is done.
  uint32_t max_waiting = 8;
  std::chrono::milliseconds standstill{2'000};
  size_t cache_bytes = size_t{128} << 20;
};

// One that is compiled.
class Grammar : public Constraint {
 public:
  // A token, or, without one, text.
  struct Piece {
    std::string text;
    TokenId token = kNoToken;
  };
  // Whether it has the whole that these are. None has texts beyond kMaxTextBytes.
  virtual bool has(std::span<const Piece> pieces) const = 0;

  static constexpr size_t kMaxTextBytes = 128 * 1024;
};

class Grammars {
 public:
  using Compiled = Result<std::shared_ptr<const Grammar>>;

  // `vocab` is the width of the logits. The tokenizer outlives it.
  Grammars(const Tokenizer& tokenizer, uint32_t vocab, GrammarsOptions options = {});
  ~Grammars();
  Grammars(const Grammars&) = delete;
  Grammars& operator=(const Grammars&) = delete;

  // Errors of all: kInvalidArgument, kUnsupported (what can't be honoured, and why); kResourceExhausted (others are
  // being compiled and take too long, or many wait for them).
  Compiled json_object();
  Compiled json_schema(const jinja::Value& schema);
  Compiled regex(std::string_view pattern);
  Compiled choice(std::span<const std::string> texts);
  // A grammar as a request brings it (ebnf.h).
  Compiled ebnf(std::string_view grammar);
  // What GrammarText::finish() gives.
  Compiled compile(const std::string& grammar);

  // Nobody waits for a grammar any more, now or later: it is kCancelled.
  void end_waits();

 private:
  struct Shared;
  class Waiting;
  const GrammarsOptions options_;
  const std::shared_ptr<Shared> shared_;  // with the threads that compile
};

}  // namespace ingle
