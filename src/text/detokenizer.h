// Generated tokens to text as they come, for one sequence: what is emitted is always well-formed UTF-8, so a character
// whose bytes lie in several tokens appears when its last byte is there. Owned by the sequence; one thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace ingle {

// Cuts a stream of bytes at character boundaries. Bytes that cannot be part of a character become U+FFFD, one for every
// longest prefix of a well-formed character, as soon as that is certain.
class Utf8Stream {
 public:
  // The text that `bytes` completes.
  std::string push(std::string_view bytes);
  // The text that is left at the end of the stream: a U+FFFD if it ends inside a character.
  std::string finish();
  // Bytes that wait for the rest of their character; at most 3.
  size_t pending_bytes() const { return pending_.size(); }

 private:
  std::string pending_;
};

class Detokenizer {
 public:
  // `tokenizer` outlives the detokenizer. Generated text that goes on a prompt begins with at_start = false only if the
  // prompt's last words are to be joined with it; an answer begins anew.
  // The control tokens `shown` are written out whatever the options say.
  explicit Detokenizer(const Tokenizer& tokenizer, DecodeOptions options = {}, std::vector<TokenId> shown = {})
      : tokenizer_(tokenizer), options_(options), shown_(std::move(shown)) {}

  // The text that this token completes; empty for a control token unless they are kept.
  std::string push(TokenId id);
  std::string finish() { return stream_.finish(); }

 private:
  const Tokenizer& tokenizer_;
  DecodeOptions options_;
  std::vector<TokenId> shown_;
  Utf8Stream stream_;
};

}  // namespace ingle
