// Any bytes as a GGUF file's vocabulary: refused with one line, or it encodes and decodes. And any bytes as text, for a
// vocabulary of ours with each pre-tokenizer: the first byte chooses which.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "format/gguf.h"
#include "text/byte_alphabet.h"
#include "text/detokenizer.h"
#include "text/pretokenizer.h"
#include "text/stop_strings.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

using namespace ingle;

namespace {

void use(const Tokenizer& tokenizer, std::string_view text) {
  for (const bool special : {true, false}) {
    const auto ids = tokenizer.encode(text, {.add_special = special, .parse_special = special});
    Detokenizer detokenizer(tokenizer);
    StopStrings stops({"</s>", "a", "\n\n"});
    for (const TokenId id : ids) {
      CHECK(tokenizer.is_valid(id));
      CHECK(special || !tokenizer.is_control(id) || id == tokenizer.unknown());
      const std::string piece = detokenizer.push(id);
      CHECK(is_valid_utf8(piece));
      (void)stops.push(piece);
    }
    CHECK(is_valid_utf8(detokenizer.finish()));
    (void)stops.finish();
  }
}

// Every byte, and merges of letters, spaces and digits.
Vocabulary small_vocabulary(const std::string& pre) {
  Vocabulary v;
  v.pre = pre;
  for (const std::string& character : byte_alphabet()) v.tokens.push_back(character);
  const std::string space = byte_alphabet()[' '];
  for (const std::string pair : {"a a", "aa aa", "1 1", "11 1", "' s"}) v.merges.push_back(pair);
  v.merges.push_back(space + " " + space);
  v.merges.push_back(space + " a");
  for (const std::string& merge : v.merges) {
    const size_t middle = merge.find(' ');
    v.tokens.push_back(merge.substr(0, middle) + merge.substr(middle + 1));
  }
  v.types.assign(v.tokens.size(), TokenType::kNormal);
  for (const char* special : {"<|im_end|>", "</s>"}) {
    v.tokens.emplace_back(special);
    v.types.push_back(TokenType::kControl);
  }
  return v;
}

const std::vector<std::unique_ptr<Tokenizer>>& tokenizers() {
  static const std::vector<std::unique_ptr<Tokenizer>> all = [] {
    std::vector<std::unique_ptr<Tokenizer>> list;
    for (const std::string& name : PreTokenizer::names()) {
      auto tokenizer = Tokenizer::create(small_vocabulary(name));
      CHECK(tokenizer.ok());
      list.push_back(std::move(*tokenizer));
    }
    return list;
  }();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Result<GgufFile> file = GgufFile::parse({data, size});
  if (file.ok()) {
    const auto tokenizer = Tokenizer::from_gguf(*file);
    if (!tokenizer.ok()) {
      CHECK(!tokenizer.error().message.empty());
      CHECK(tokenizer.error().to_string().find('\n') == std::string::npos);
    } else {
      use(**tokenizer, "Hello  world </s> don't 12345 \u00e9\u4e2d\U0001f600\n\n <0x0A>\xFF");
    }
    return 0;
  }
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Tokenizer& tokenizer = *tokenizers()[data[0] % tokenizers().size()];
  use(tokenizer, text);
  const auto ids = tokenizer.encode(text, {.add_special = false});
  std::string expected = replace_each_invalid_byte(text);
  const bool byte_level = tokenizer.token_bytes(tokenizer.find_token(byte_alphabet()[' '])) == " ";
  if (byte_level) CHECK(tokenizer.decode(ids, {.keep_control = true}) == expected);
  return 0;
}
