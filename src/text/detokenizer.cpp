#include "text/detokenizer.h"

#include <algorithm>

#include "text/utf8.h"

namespace ingle {

std::string Utf8Stream::push(std::string_view bytes) {
  pending_ += bytes;
  std::string text;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Utf8Char c = decode_utf8(rest);
    if (c.kind == Utf8Kind::kIncomplete) break;
    if (c.kind == Utf8Kind::kValid) {
      text += rest.substr(0, c.size_bytes);
    } else {
      append_utf8(text, kReplacementCharacter);
    }
    rest.remove_prefix(c.size_bytes);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return text;
}

std::string Utf8Stream::finish() {
  std::string text;
  if (!pending_.empty()) append_utf8(text, kReplacementCharacter);
  pending_.clear();
  return text;
}

std::string Detokenizer::push(TokenId id) {
  if (!tokenizer_.is_valid(id)) return {};
  DecodeOptions options = options_;
  options.keep_control |= std::find(shown_.begin(), shown_.end(), id) != shown_.end();
  if (tokenizer_.is_control(id) && !options.keep_control) return {};
  const std::string bytes = tokenizer_.decode({&id, 1}, options);
  options_.at_start = false;
  return stream_.push(bytes);
}

}  // namespace ingle
