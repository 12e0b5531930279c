#include "text/detokenizer.h"

#include <gtest/gtest.h>

#include <random>

#include "text/testdata.h"
#include "text/utf8.h"

namespace ingle {
namespace {

std::string stream_in_pieces(std::string_view bytes, std::mt19937& random) {
  Utf8Stream stream;
  std::string text;
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = random() % 4;
    const std::string piece = stream.push(bytes.substr(at, size));
    EXPECT_TRUE(is_valid_utf8(piece));
    EXPECT_LE(stream.pending_bytes(), 3u);
    text += piece;
    at += size;
  }
  return text + stream.finish();
}

TEST(Utf8Stream, HoldsBackHalfCharacters) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80z"), "\U0001f600z");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Utf8Stream, ReplacesWhatCannotBeCompleted) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("\xF0\x9F"), "");
  EXPECT_EQ(stream.push("x"), "\uFFFDx");
  EXPECT_EQ(stream.push("\xFF\xC3"), "\uFFFD");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Utf8Stream, PiecesDoNotMatter) {
  std::mt19937 random(1);
  for (int round = 0; round < 5000; ++round) {
    std::string bytes;
    for (size_t n = random() % 20; n > 0; --n) {
      static const std::string parts[] = {"a",    "\u00e9",   "\u4e2d", "\U0001f600", "\xF0",
                                          "\x9F", "\xE4\xBD", "\x80",   "\xED\xA0",   "\xFF"};
      bytes += parts[random() % 10];
    }
    Utf8Stream whole;
    const std::string at_once = whole.push(bytes);
    ASSERT_EQ(stream_in_pieces(bytes, random), at_once + whole.finish());
  }
}

std::unique_ptr<Tokenizer> create(Vocabulary vocabulary) {
  auto tokenizer = Tokenizer::create(std::move(vocabulary));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().to_string();
  return std::move(*tokenizer);
}

// Token by token the same text as all at once, on every vocabulary.
TEST(Detokenizer, StreamsWhatDecodeGives) {
  for (const std::string name : {"byte_pairs", "character_pairs", "sentencepiece", "wordpiece"}) {
    const auto tokenizer = create(test_vocabulary(name));
    for (const std::string& text : golden_texts()) {
      for (const bool keep_control : {false, true}) {
        const auto ids = tokenizer->encode(text);
        Detokenizer detokenizer(*tokenizer, {.keep_control = keep_control});
        std::string streamed;
        for (const TokenId id : ids) {
          const std::string piece = detokenizer.push(id);
          EXPECT_TRUE(is_valid_utf8(piece));
          streamed += piece;
        }
        streamed += detokenizer.finish();
        EXPECT_EQ(streamed, tokenizer->decode(ids, {.keep_control = keep_control})) << name;
      }
    }
  }
}

TEST(Detokenizer, DropsControlTokensUnlessAsked) {
  const auto tokenizer = create(test_vocabulary("byte_pairs"));
  const auto ids = tokenizer->encode("a<|im_end|><tool>b", {.add_special = false});
  Detokenizer plain(*tokenizer);
  Detokenizer all(*tokenizer, {.keep_control = true});
  std::string plain_text;
  std::string all_text;
  for (const TokenId id : ids) {
    plain_text += plain.push(id);
    all_text += all.push(id);
  }
  EXPECT_EQ(plain_text, "a<tool>b");
  EXPECT_EQ(all_text, "a<|im_end|><tool>b");
  const TokenId end = tokenizer->find_token("<|im_end|>");
  EXPECT_EQ(Detokenizer(*tokenizer, {}, {end}).push(end), "<|im_end|>");
  EXPECT_EQ(Detokenizer(*tokenizer, {}, {end + 1}).push(end), "");
}

TEST(Detokenizer, DropsThePrefixSpaceOnce) {
  const auto tokenizer = create(test_vocabulary("sentencepiece"));
  ASSERT_TRUE(tokenizer->adds_space_prefix());
  const auto ids = tokenizer->encode(" Hello");
  Detokenizer answer(*tokenizer);
  Detokenizer continued(*tokenizer, {.at_start = false});
  std::string answer_text;
  std::string continued_text;
  for (const TokenId id : ids) {
    answer_text += answer.push(id);
    continued_text += continued.push(id);
  }
  EXPECT_EQ(answer_text, " Hello");
  EXPECT_EQ(continued_text, "  Hello");
}

TEST(Detokenizer, IgnoresIdsOutsideTheVocabulary) {
  const auto tokenizer = create(test_vocabulary("byte_pairs"));
  Detokenizer detokenizer(*tokenizer, {.keep_control = true});
  for (const TokenId id : {-1, 1 << 30, static_cast<TokenId>(tokenizer->vocab_size())}) {
    EXPECT_EQ(detokenizer.push(id), "");
  }
}

}  // namespace
}  // namespace ingle
