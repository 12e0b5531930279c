#include "text/byte_alphabet.h"

#include "text/utf8.h"

namespace ingle {
namespace {

constexpr char32_t kFirstOther = 0x100;

bool is_printable(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

struct Alphabet {
  std::array<std::string, 256> characters;
  std::array<int, 0x144> bytes;  // by character; -1: none

  Alphabet() {
    bytes.fill(-1);
    char32_t other = kFirstOther;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const char32_t character = is_printable(byte) ? byte : other++;
      append_utf8(characters[byte], character);
      bytes[character] = static_cast<int>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

const std::array<std::string, 256>& byte_alphabet() { return alphabet().characters; }

std::optional<std::string> spelled_bytes(std::string_view token) {
  std::string bytes;
  while (!token.empty()) {
    const Utf8Char c = decode_utf8(token);
    if (c.kind != Utf8Kind::kValid || c.codepoint >= alphabet().bytes.size()) return std::nullopt;
    const int byte = alphabet().bytes[c.codepoint];
    if (byte < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
    token.remove_prefix(c.size_bytes);
  }
  return bytes;
}

}  // namespace ingle
