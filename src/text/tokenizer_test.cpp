#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "text/piece_tokenizer_test.h"
#include "text/symbol_merger.h"
#include "text/testdata.h"
#include "text/utf8.h"

namespace ingle {
namespace {

using Ids = std::vector<TokenId>;

const std::vector<std::string>& fixtures() {
  static const std::vector<std::string> names = {"byte_pairs", "character_pairs", "sentencepiece", "wordpiece"};
  return names;
}

std::unique_ptr<Tokenizer> create(Vocabulary vocabulary) {
  auto tokenizer = Tokenizer::create(std::move(vocabulary));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().to_string();
  return std::move(*tokenizer);
}

std::unique_ptr<Tokenizer> create(const std::string& fixture) {
  Vocabulary vocabulary = test_vocabulary(fixture);
  if (fixture == "byte_pairs") vocabulary.pre = "llama-bpe";
  return create(std::move(vocabulary));
}

std::string random_bytes(std::mt19937& random, size_t size) {
  std::string bytes;
  for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(random() % 4 == 0 ? random() % 256 : random() % 128);
  return bytes;
}

TEST(Tokenizer, BytePairsGiveTheTextBack) {
  const auto tokenizer = create("byte_pairs");
  for (const std::string& text : golden_texts()) {
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, {.add_special = false}), {.keep_control = true}), text);
  }
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = random_bytes(random, random() % 40);
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(bytes, {.add_special = false}), {.keep_control = true}),
              replace_each_invalid_byte(bytes));
  }
}

TEST(Tokenizer, ByteFallbackGivesAnyBytesBack) {
  const auto tokenizer = create("sentencepiece");
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = random_bytes(random, random() % 40);
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(bytes)), bytes);
  }
}

TEST(Tokenizer, SpecialTokensOnlyWhereAsked) {
  const auto tokenizer = create("byte_pairs");
  const TokenId start = tokenizer->find_token("<|im_start|>");
  const TokenId tool = tokenizer->find_token("<tool>");
  const std::string text = "a<|im_start|><tool>";
  const Ids parsed = tokenizer->encode(text, {.add_special = false, .parse_special = true});
  const Ids plain = tokenizer->encode(text, {.add_special = false, .parse_special = false});
  EXPECT_EQ(std::count(parsed.begin(), parsed.end(), start), 1);
  EXPECT_EQ(std::count(plain.begin(), plain.end(), start), 0);
  EXPECT_EQ(plain.back(), tool);
  EXPECT_EQ(tokenizer->decode(plain), text);
  EXPECT_EQ(tokenizer->decode(parsed), "a<tool>");
}

// What a user writes must not become a token that steers the model, whichever way the characters might be merged.
TEST(Tokenizer, PlainTextNeverBecomesControl) {
  for (const std::string& name : fixtures()) {
    Vocabulary vocabulary = test_vocabulary(name);
    vocabulary.pre = vocabulary.kind == VocabularyKind::kBytePairs ? "llama-bpe" : "";
    // Every second token a control token, so that merges lead there.
    for (size_t i = 0; i < vocabulary.types.size(); i += 2) {
      if (vocabulary.tokens[i].size() > 2 && vocabulary.types[i] == TokenType::kNormal) {
        vocabulary.types[i] = TokenType::kControl;
      }
    }
    const auto tokenizer = create(std::move(vocabulary));
    for (const std::string& text : golden_texts()) {
      for (const TokenId id : tokenizer->encode(text, {.add_special = false, .parse_special = false})) {
        EXPECT_TRUE(!tokenizer->is_control(id) || id == tokenizer->unknown())
            << name << ": " << tokenizer->token_text(id);
      }
    }
  }
}

TEST(Tokenizer, BosAndEosAsTheModelSays) {
  Vocabulary vocabulary = test_vocabulary("byte_pairs");
  vocabulary.pre = "qwen2";
  EXPECT_EQ(create(vocabulary)->encode(""), Ids({}));
  vocabulary.add_bos = true;
  vocabulary.add_eos = true;
  const auto both = create(vocabulary);
  EXPECT_EQ(both->encode(""), Ids({both->bos(), both->eos()}));
  EXPECT_EQ(both->encode("", {.add_special = false}), Ids({}));
  vocabulary.pre = "llama-bpe";
  vocabulary.add_bos = vocabulary.add_eos = std::nullopt;
  EXPECT_EQ(create(vocabulary)->encode(""), Ids({vocabulary.bos}));
  vocabulary.add_bos = false;
  EXPECT_EQ(create(vocabulary)->encode(""), Ids({}));
  vocabulary.add_bos = true;
  vocabulary.bos = kNoToken;
  EXPECT_EQ(create(vocabulary)->encode(""), Ids({}));

  EXPECT_EQ(create("sentencepiece")->encode(""), Ids({1}));
  EXPECT_EQ(create("character_pairs")->encode(""), Ids({2}));
  EXPECT_EQ(create("wordpiece")->encode(""), Ids({2, 3}));
}

TEST(Tokenizer, EndOfGeneration) {
  const auto tokenizer = create("byte_pairs");
  EXPECT_EQ(tokenizer->eog_tokens(),
            Ids({tokenizer->find_token("<|endoftext|>"), tokenizer->find_token("<|im_end|>")}));
  EXPECT_TRUE(tokenizer->is_eog(tokenizer->eos()));
  EXPECT_FALSE(tokenizer->is_eog(tokenizer->find_token("<|im_start|>")));
  EXPECT_FALSE(tokenizer->is_eog(-1));
  EXPECT_FALSE(tokenizer->is_eog(1 << 20));
}

TEST(Tokenizer, EndOfGenerationByCompany) {
  Vocabulary vocabulary = test_vocabulary("byte_pairs");
  vocabulary.pre = "gpt-4o";
  for (const char* name : {"<|return|>", "<|call|>", "<|end|>", "<|channel|>"}) {
    vocabulary.tokens.emplace_back(name);
    vocabulary.types.push_back(TokenType::kControl);
  }
  const auto harmony = create(vocabulary);
  EXPECT_TRUE(harmony->is_eog(harmony->find_token("<|return|>")));
  EXPECT_FALSE(harmony->is_eog(harmony->find_token("<|end|>")));
  EXPECT_FALSE(harmony->is_control(harmony->find_token("<|channel|>")));
  vocabulary.tokens[vocabulary.tokens.size() - 4] = "<|other|>";
  const auto plain = create(vocabulary);
  EXPECT_TRUE(plain->is_eog(plain->find_token("<|end|>")));
}

// </s> strikes text through in HTML: where the file does not call it control, a model that writes it goes on.
TEST(Tokenizer, MarkupEndsNoGeneration) {
  Vocabulary vocabulary = test_vocabulary("byte_pairs");
  vocabulary.pre = "qwen2";
  vocabulary.tokens.emplace_back("</s>");
  vocabulary.types.push_back(TokenType::kNormal);
  const auto markup = create(vocabulary);
  EXPECT_FALSE(markup->is_eog(markup->find_token("</s>")));
  EXPECT_FALSE(markup->is_control(markup->find_token("</s>")));
  vocabulary.types.back() = TokenType::kControl;
  const auto control = create(vocabulary);
  EXPECT_TRUE(control->is_eog(control->find_token("</s>")));
}

TEST(Tokenizer, NamesEndGenerationsWhateverTheirType) {
  Vocabulary vocabulary = test_vocabulary("byte_pairs");
  vocabulary.pre = "qwen2";
  vocabulary.tokens.emplace_back("<|eot_id|>");
  vocabulary.types.push_back(TokenType::kNormal);
  const auto tokenizer = create(vocabulary);
  EXPECT_TRUE(tokenizer->is_eog(tokenizer->find_token("<|eot_id|>")));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a<|eot_id|>")), "a");
  EXPECT_EQ(tokenizer->warnings().size(), 1u);
}

TEST(Tokenizer, SpacePrefixBehindSpecialTokensToo) {
  const auto tokenizer = create("sentencepiece");
  EXPECT_EQ(tokenizer->encode("a<turn>a", {.add_special = false}), [&] {
    Ids ids = tokenizer->encode("a", {.add_special = false});
    const Ids a = ids;
    ids.push_back(tokenizer->find_token("<turn>"));
    ids.insert(ids.end(), a.begin(), a.end());
    return ids;
  }());
}

TEST(Tokenizer, TextCannotWriteTheStartOfAWord) {
  const auto tokenizer = create("wordpiece");
  EXPECT_EQ(tokenizer->encode("a\u2581the", {.add_special = false}), Ids({tokenizer->unknown()}));
}

TEST(Tokenizer, SwallowsSpaceBehindTokensOfPhi3) {
  Vocabulary vocabulary = test_vocabulary("sentencepiece");
  vocabulary.model_name = "Phi-3 mini";
  const auto tokenizer = create(std::move(vocabulary));
  EXPECT_EQ(tokenizer->encode("<turn>\n  a"), tokenizer->encode("<turn>a"));
}

TEST(Tokenizer, DecodesByteTokens) {
  const auto tokenizer = create("sentencepiece");
  Ids ids;
  for (const char* text : {"<0xF0>", "<0x9F>", "<0x98>", "<0x80>"}) ids.push_back(tokenizer->find_token(text));
  EXPECT_EQ(tokenizer->decode(ids), "\U0001f600");
  EXPECT_EQ(tokenizer->token_bytes(ids[0]), "\xF0");
  EXPECT_EQ(tokenizer->token_text(ids[0]), "<0xF0>");
  EXPECT_EQ(tokenizer->token_bytes(-1), "");
  EXPECT_EQ(tokenizer->decode(Ids{-5, 1 << 30}), "");
}

TEST(Tokenizer, DropsBytesThatNoTokenHas) {
  Vocabulary vocabulary = test_vocabulary("byte_pairs");
  vocabulary.pre = "gpt-2";
  vocabulary.tokens[static_cast<size_t>(create(vocabulary)->find_token("!"))] = "";  // no text any more
  const auto tokenizer = create([&] {
    Vocabulary v = vocabulary;
    std::erase_if(v.merges, [](const std::string& merge) { return merge.find('!') != std::string::npos; });
    return v;
  }());
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a!b")), "ab");
}

TEST(Tokenizer, ManyThreadsAtATime) {
  for (const std::string& name : fixtures()) {
    const auto tokenizer = create(name);
    std::vector<Ids> expected;
    for (const std::string& text : golden_texts()) expected.push_back(tokenizer->encode(text));
    std::vector<std::thread> threads;
    std::vector<int> wrong(4, 0);
    for (size_t t = 0; t < wrong.size(); ++t) {
      threads.emplace_back([&, t] {
        for (int round = 0; round < 10; ++round) {
          for (size_t i = 0; i < expected.size(); ++i) wrong[t] += tokenizer->encode(golden_texts()[i]) != expected[i];
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, std::vector<int>(4, 0)) << name;
  }
}

// What is merged at a time has an end (SymbolMerger::kMaxPartBytes), which is amid no character.
TEST(Tokenizer, NoCharacterIsCutInWhatIsMergedAtATime) {
  std::string text;
  while (text.size() < SymbolMerger::kMaxPartBytes + 100) text += "\u4e2d";
  ASSERT_NE(SymbolMerger::kMaxPartBytes % 3, 0u);
  const auto tokenizer = tokenizer_of({"\u4e2d"});
  EXPECT_EQ(tokenizer->encode(text), Ids(text.size() / 3, tokenizer->find_token("\u4e2d")));
}

// A megabyte that makes careless tokenizers take hours. It takes a quarter of a second.
TEST(Tokenizer, AMegabyteOfAnything) {
  constexpr size_t kBytes = 1 << 20;
  std::mt19937 random(1);
  std::vector<std::string> texts = {random_bytes(random, kBytes)};
  for (const std::string unit : {"a", " ", "\n", "\U0001f600", "\xFF", "\xF0\x9F\x98", "1", "<", "<|im_end|",
                                 "e\u0301\u0316", "\u2581", "ab", "\u4e2d"}) {
    std::string text;
    while (text.size() < kBytes) text += unit;
    texts.push_back(text);
  }
  for (const std::string& name : fixtures()) {
    const auto tokenizer = create(name);
    for (const std::string& text : texts) {
      const auto begin = std::chrono::steady_clock::now();
      const Ids ids = tokenizer->encode(text, {.add_special = false});
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      EXPECT_LT(seconds.count(), 15.0) << name << ": " << text.substr(0, 4);  // sanitizers on a slow machine
      if (name == "sentencepiece") {
        EXPECT_EQ(tokenizer->decode(ids) == text, text.substr(0, 3) != "\u2581");
      }
      if (name == "byte_pairs") {
        EXPECT_TRUE(tokenizer->decode(ids, {.keep_control = true}) == replace_each_invalid_byte(text));
      }
    }
  }
}

}  // namespace
}  // namespace ingle
