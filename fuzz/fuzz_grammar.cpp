// Any bytes as the form that an answer has to have: the first byte chooses what they are (a JSON schema, a regular
// expression, a grammar, texts to choose from), the second how an answer in that form goes on. It is refused with one
// line, or compiled; then an answer of it can be told token by token, and where a schema's may end it is JSON.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "grammar/grammars.h"
#include "text/json_value.h"

using namespace ingle;

namespace {

constexpr TokenId kEos = 0, kFirstByte = 1;
constexpr uint32_t kMaxSteps = 48;

std::unique_ptr<Tokenizer> bytes_and_words() {
  Vocabulary vocabulary;
  vocabulary.kind = VocabularyKind::kSentencePiece;
  const auto add = [&](std::string text, TokenType type) {
    vocabulary.tokens.push_back(std::move(text));
    vocabulary.types.push_back(type);
  };
  add("<eos>", TokenType::kControl);
  for (int byte = 0; byte < 256; byte++) {
    constexpr const char* kDigits = "0123456789ABCDEF";
    add(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">", TokenType::kByte);
  }
  for (const char* text : {"{\"", "\":", "\",", "true", "null", "abc", "12", "é", "}}", "\\n"})
    add(text, TokenType::kNormal);
  vocabulary.scores.assign(vocabulary.tokens.size(), 0.0f);
  vocabulary.eos = kEos;
  vocabulary.add_bos = false;
  return Tokenizer::create(std::move(vocabulary)).value();
}

struct World {
  std::unique_ptr<Tokenizer> tokenizer = bytes_and_words();
  Grammars grammars{*tokenizer,
                    static_cast<uint32_t>(tokenizer->vocab_size()),
                    {.deadline = std::chrono::milliseconds(20'000), .cache_bytes = 1 << 20}};
};

std::optional<Grammars::Compiled> compile(Grammars& grammars, uint8_t kind, std::string_view text) {
  switch (kind % 4) {
    case 0: {
      const Result<jinja::Value> schema = parse_json(text);
      if (!schema.ok()) return std::nullopt;
      return grammars.json_schema(*schema);
    }
    case 1:
      return grammars.regex(text);
    case 2:
      return grammars.ebnf(text);
    default:
      break;
  }
  std::vector<std::string> choices;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    choices.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return grammars.choice(choices);
}

void follow(const Tokenizer& tokenizer, const Grammar& grammar, uint32_t seed, bool is_json) {
  const auto vocab = static_cast<uint32_t>(tokenizer.vocab_size());
  const std::unique_ptr<Constraint> constraint = grammar.clone();
  std::vector<uint32_t> mask(mask_words(vocab)), again(mask_words(vocab));
  std::string text;
  for (uint32_t step = 0; step < kMaxSteps; step++) {
    CHECK(constraint->allowed(mask).ok());
    std::vector<TokenId> next;
    for (TokenId id = kFirstByte; id < static_cast<TokenId>(vocab); id++) {
      if (mask_has(mask, id)) next.push_back(id);
    }
    if (mask_has(mask, kEos)) {
      CHECK(grammar.has(std::vector<Grammar::Piece>{{.text = text}}));
      if (is_json) CHECK(parse_json(text).ok());
    }
    if (next.empty()) return;
    seed = seed * 1664525 + 1013904223;
    const TokenId token = next[(seed >> 8) % next.size()];
    CHECK(constraint->accept(token).ok());
    CHECK(constraint->rollback(1).ok());
    CHECK(constraint->allowed(again).ok() && again == mask);
    CHECK(constraint->accept(token).ok());
    text += tokenizer.token_bytes(token);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static World* const world = new World;  // what still compiles when the program ends is not waited for
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::optional<Grammars::Compiled> compiled = compile(world->grammars, data[0], text);
  if (!compiled) return 0;
  if (compiled->ok()) {
    follow(*world->tokenizer, ***compiled, data[1], data[0] % 4 == 0);
  } else {
    const std::string line = compiled->error().to_string();
    CHECK(!line.empty() && line.size() < 2000 && line.find('\n') == std::string::npos);
  }
  return 0;
}
