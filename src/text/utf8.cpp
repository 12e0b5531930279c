#include "text/utf8.h"

#include <algorithm>
#include <cstring>

namespace ingle {
namespace {

struct LeadByte {
  uint32_t size_bytes = 0;                       // 0: never starts a character
  uint8_t second_min = 0x80, second_max = 0xBF;  // the second byte is narrower after some lead bytes
};

LeadByte lead_byte(uint8_t lead) {
  if (lead < 0xC2) return {};
  if (lead < 0xE0) return {2};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

}  // namespace

Utf8Char decode_utf8(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1, Utf8Kind::kValid};
  const LeadByte lead = lead_byte(byte(0));
  if (lead.size_bytes == 0) return {};
  char32_t codepoint = byte(0) & (0x7Fu >> lead.size_bytes);
  for (uint32_t i = 1; i < lead.size_bytes; ++i) {
    if (i == text.size()) return {kReplacementCharacter, i, Utf8Kind::kIncomplete};
    const uint8_t low = i == 1 ? lead.second_min : 0x80;
    const uint8_t high = i == 1 ? lead.second_max : 0xBF;
    if (byte(i) < low || byte(i) > high) return {kReplacementCharacter, i, Utf8Kind::kInvalid};
    codepoint = codepoint << 6 | (byte(i) & 0x3Fu);
  }
  return {codepoint, lead.size_bytes, Utf8Kind::kValid};
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    uint64_t word;
    if (text.size() >= sizeof(word)) {
      std::memcpy(&word, text.data(), sizeof(word));
      if ((word & 0x8080808080808080u) == 0) {
        text.remove_prefix(sizeof(word));
        continue;
      }
    }
    const Utf8Char c = decode_utf8(text);
    if (c.kind != Utf8Kind::kValid) return false;
    text.remove_prefix(c.size_bytes);
  }
  return true;
}

size_t utf8_boundary(std::string_view text, size_t at) {
  if (at >= text.size()) return text.size();
  const auto is_continuation = [&](size_t i) { return (static_cast<uint8_t>(text[i]) & 0xC0) == 0x80; };
  for (size_t back = 0; back < 4 && back <= at; back++) {
    if (!is_continuation(at - back)) return at - back;
  }
  return at;  // amid what is no character
}

void append_utf8(std::string& out, char32_t codepoint) {
  if (codepoint > 0x10FFFF || (codepoint >= 0xD800 && codepoint <= 0xDFFF)) codepoint = kReplacementCharacter;
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (codepoint < 0x80) {
    put(codepoint);
  } else if (codepoint < 0x800) {
    put(0xC0 | codepoint >> 6);
    put(0x80 | (codepoint & 0x3F));
  } else if (codepoint < 0x10000) {
    put(0xE0 | codepoint >> 12);
    put(0x80 | (codepoint >> 6 & 0x3F));
    put(0x80 | (codepoint & 0x3F));
  } else {
    put(0xF0 | codepoint >> 18);
    put(0x80 | (codepoint >> 12 & 0x3F));
    put(0x80 | (codepoint >> 6 & 0x3F));
    put(0x80 | (codepoint & 0x3F));
  }
}

std::string replace_each_invalid_byte(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (c.kind == Utf8Kind::kValid) {
      out.append(text.substr(0, c.size_bytes));
    } else {
      for (uint32_t i = 0; i < c.size_bytes; ++i) append_utf8(out, kReplacementCharacter);
    }
    text.remove_prefix(c.size_bytes);
  }
  return out;
}

}  // namespace ingle
