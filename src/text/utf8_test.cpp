#include "text/utf8.h"

#include <gtest/gtest.h>

namespace ingle {
namespace {

TEST(Utf8, EveryScalarValueGoesThereAndBack) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    const Utf8Char back = decode_utf8(text);
    ASSERT_EQ(back.kind, Utf8Kind::kValid);
    ASSERT_EQ(back.codepoint, c);
    ASSERT_EQ(back.size_bytes, text.size());
    for (size_t cut = 1; cut < text.size(); ++cut) {
      const Utf8Char part = decode_utf8(std::string_view(text).substr(0, cut));
      ASSERT_EQ(part.kind, Utf8Kind::kIncomplete);
      ASSERT_EQ(part.size_bytes, cut);
    }
  }
}

TEST(Utf8, WhatIsNotACharacter) {
  struct Case {
    std::string bytes;
    uint32_t size_bytes;
  };
  for (const Case& c : std::initializer_list<Case>{{"\x80", 1},
                                                   {"\xBF", 1},
                                                   {"\xC0\x80", 1},          // overlong
                                                   {"\xC1\xBF", 1},          // overlong
                                                   {"\xE0\x9F\xBF", 1},      // overlong
                                                   {"\xF0\x8F\xBF\xBF", 1},  // overlong
                                                   {"\xED\xA0\x80", 1},      // surrogate
                                                   {"\xF4\x90\x80\x80", 1},  // above U+10FFFF
                                                   {"\xF5\x80", 1},
                                                   {"\xFF", 1},
                                                   {"\xC3x", 1},
                                                   {"\xE4\xBDx", 2},
                                                   {"\xF0\x9F\x98x", 3},
                                                   {"\xF0\x9Fx", 2}}) {
    const Utf8Char got = decode_utf8(c.bytes);
    EXPECT_EQ(got.kind, Utf8Kind::kInvalid);
    EXPECT_EQ(got.size_bytes, c.size_bytes);
    EXPECT_EQ(got.codepoint, kReplacementCharacter);
    EXPECT_FALSE(is_valid_utf8("12345678" + c.bytes));
  }
  EXPECT_FALSE(is_valid_utf8("12345678\xF0\x9F\x98"));
  EXPECT_TRUE(is_valid_utf8("12345678 \u00e9\u4e2d\U0001f600 and so on"));
  EXPECT_TRUE(is_valid_utf8(""));
}

TEST(Utf8, NoScalarValueIsReplaced) {
  std::string text;
  append_utf8(text, 0xD800);
  append_utf8(text, 0x110000);
  EXPECT_EQ(text, "\uFFFD\uFFFD");
}

TEST(Utf8, CutsAreBetweenCharacters) {
  const std::string text = "a\u00e9\u4e2d\U0001f600";  // of 1, 2, 3 and 4 bytes
  std::string cuts;
  for (size_t at = 0; at <= text.size() + 1; at++) cuts += std::to_string(utf8_boundary(text, at)) + ' ';
  EXPECT_EQ(cuts, "0 1 1 3 3 3 6 6 6 6 10 10 ");
  EXPECT_EQ(utf8_boundary("\x80\x80\x80\x80\x80\x80", 5), 5u);
  EXPECT_EQ(utf8_boundary("\x80\x80", 1), 1u);
}

TEST(Utf8, EveryInvalidByteIsReplaced) {
  EXPECT_EQ(replace_each_invalid_byte("a\xE4\xBDz\xFF\u00e9\xF0\x9F\x98"),
            "a\uFFFD\uFFFDz\uFFFD\u00e9\uFFFD\uFFFD\uFFFD");
}

}  // namespace
}  // namespace ingle
