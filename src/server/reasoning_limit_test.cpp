#include "server/reasoning_limit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "text/piece_tokenizer_test.h"

namespace ingle {
namespace {

using Texts = std::vector<std::string>;

// Allows every token but those of `refused`, and what it has accepted is `accepted`.
class Inner final : public Constraint {
 public:
  Inner(const Tokenizer& tokenizer, std::set<std::string> refused, std::shared_ptr<Texts> accepted)
      : tokenizer_(tokenizer), refused_(std::move(refused)), accepted_(std::move(accepted)) {}

  std::unique_ptr<Constraint> clone() const override {
    return std::make_unique<Inner>(tokenizer_, refused_, accepted_);
  }
  Status accept(TokenId token) override {
    accepted_->emplace_back(tokenizer_.token_text(token));
    return {};
  }
  Status rollback(uint32_t tokens) override {
    accepted_->resize(accepted_->size() - tokens);
    return {};
  }
  // What is refused is so once only.
  Status allowed(std::span<uint32_t> mask) override {
    std::fill(mask.begin(), mask.end(), ~uint32_t{0});
    for (const std::string& text : std::exchange(refused_, {})) {
      const auto id = static_cast<uint32_t>(tokenizer_.find_token(text));
      mask[id / 32] &= ~(uint32_t{1} << (id % 32));
    }
    return {};
  }

 private:
  const Tokenizer& tokenizer_;
  std::set<std::string> refused_;
  const std::shared_ptr<Texts> accepted_;
};

class ReasoningLimitTest : public ::testing::Test {
 protected:
  ReasoningLimit limit(uint32_t tokens, bool in_reasoning = false) const {
    ReasoningLimit out;
    out.tokens = tokens;
    out.end = {id("</think>"), id("\n\n")};
    out.syntax.reasoning_open = "<think>";
    out.syntax.reasoning_close = "</think>";
    out.in_reasoning = in_reasoning;
    out.tokenizer = tokenizer.get();
    out.vocab = static_cast<uint32_t>(tokenizer->vocab_size());
    return out;
  }
  TokenId id(const std::string& text) const { return tokenizer->find_token(text); }

  // The only token that may come next, "any" if all may, and else how many.
  std::string next(Constraint& constraint) const {
    const auto vocab = static_cast<uint32_t>(tokenizer->vocab_size());
    std::vector<uint32_t> mask(mask_words(vocab));
    EXPECT_TRUE(constraint.allowed(mask).ok());
    std::string only;
    uint32_t count = 0;
    for (uint32_t i = 0; i < vocab; i++) {
      if (!mask_has(mask, static_cast<TokenId>(i))) continue;
      count++;
      only = tokenizer->token_text(static_cast<TokenId>(i));
    }
    return count == 1 ? only : count == vocab ? "any" : std::to_string(count);
  }
  // What may come next, before each of the tokens and after the last.
  Texts told(Constraint& constraint, const Texts& answer) const {
    Texts out = {next(constraint)};
    for (const std::string& text : answer) {
      EXPECT_TRUE(constraint.accept(id(text)).ok());
      out.push_back(next(constraint));
    }
    return out;
  }
  static std::unique_ptr<Constraint> make(const ReasoningLimit& given,
                                          std::shared_ptr<const Constraint> inner = nullptr) {
    return with_reasoning_limit(std::make_shared<ReasoningLimit>(given), std::move(inner))->clone();
  }

  const Texts pieces = {"<think>", "</think>", "\n\n", "a", "b", "<", "</", "think", ">", " ", "<t", "hink>", "end"};
  const std::unique_ptr<Tokenizer> tokenizer = tokenizer_of(pieces);
  const std::string end = "</think>", gap = "\n\n", any = "any";
};

TEST_F(ReasoningLimitTest, TheEndIsWrittenOnceTheTokensAreUsed) {
  EXPECT_EQ(told(*make(limit(2, true)), {"a", "b", end, gap, "a", "b", "a"}),
            (Texts{any, any, end, gap, any, any, any, any}));
  EXPECT_EQ(told(*make(limit(0, true)), {end, gap, "a"}), (Texts{end, gap, any, any}));
  // The mark that opens the reasoning is one of its tokens.
  EXPECT_EQ(told(*make(limit(2)), {" ", "<think>", "a", end, gap, "a"}), (Texts{any, any, any, end, gap, any, any}));
  EXPECT_EQ(told(*make(limit(2)), {"<t", "hink>", "a", end}), (Texts{any, any, any, end, gap}));
}

TEST_F(ReasoningLimitTest, GuessesMayBeTakenBack) {
  const auto accepted = std::make_shared<Texts>();
  const auto inner = std::make_shared<Inner>(*tokenizer, std::set<std::string>{}, accepted);
  const auto constraint = make(limit(2, true), inner);
  EXPECT_EQ(told(*constraint, {"a", end, "b"}), (Texts{any, any, any, any}));
  ASSERT_TRUE(constraint->rollback(2).ok());
  EXPECT_EQ(*accepted, (Texts{"a"}));
  EXPECT_EQ(told(*constraint, {"b", end, gap}), (Texts{any, end, gap, any}));
}

TEST_F(ReasoningLimitTest, ReasoningThatEndsByItselfIsLeftAlone) {
  for (const Texts& answer : {Texts{"a", end, "a", "a", "a", "a"}, Texts{"</", "think", ">", "a", "a", "a"}}) {
    EXPECT_EQ(told(*make(limit(4, true)), answer), Texts(answer.size() + 1, any));
  }
  const Texts none = {"a", "<think>", "a", "a", "a"};
  EXPECT_EQ(told(*make(limit(1)), none), Texts(none.size() + 1, any));
  EXPECT_EQ(with_reasoning_limit(nullptr, nullptr), nullptr);
}

TEST_F(ReasoningLimitTest, ItWaitsForWhatAnotherConstraintAllows) {
  const auto accepted = std::make_shared<Texts>();
  const auto inner = std::make_shared<Inner>(*tokenizer, std::set<std::string>{end}, accepted);
  const std::string others = std::to_string(tokenizer->vocab_size() - 1);
  EXPECT_EQ(told(*make(limit(0, true), inner), {"a", end, gap, "a"}), (Texts{others, end, gap, any, any}));
  EXPECT_EQ(*accepted, (Texts{"a", end, gap, "a"}));
}

TEST_F(ReasoningLimitTest, ACloneGoesOnFromTheSamePlace) {
  const Texts answer = {"<", "think", ">", "a", end, gap, "b"};
  for (size_t cut = 0; cut <= answer.size(); cut++) {
    const auto at = answer.begin() + static_cast<ptrdiff_t>(cut);
    const std::unique_ptr<Constraint> one = make(limit(2));
    told(*one, {answer.begin(), at});
    const std::unique_ptr<Constraint> other = one->clone();
    EXPECT_EQ(told(*other, {at, answer.end()}), told(*one, {at, answer.end()}));
  }
}

TEST_F(ReasoningLimitTest, ItIsOverWhereTheParserSaysSo) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; round++) {
    auto reading = std::make_shared<AnswerParserOptions>();
    reading->in_reasoning = random() % 2 == 0;
    ReasoningLimit always = limit(0, reading->in_reasoning);
    always.end = {id("end")};  // which never comes
    reading->syntax = always.syntax;
    const std::unique_ptr<Constraint> constraint = make(always);
    AnswerParser parser(reading);
    for (size_t i = random() % 8; i > 0; i--) {
      const std::string& piece = pieces[random() % (pieces.size() - 1)];
      EXPECT_TRUE(constraint->accept(id(piece)).ok());
      parser.push(piece);
    }
    // What comes next is content or still reasoning.
    std::vector<AnswerDelta> last = parser.push("x");
    for (AnswerDelta& delta : parser.finish()) last.push_back(std::move(delta));
    ASSERT_FALSE(last.empty());
    EXPECT_EQ(next(*constraint) == "end", last.back().kind == AnswerDelta::Kind::kReasoning) << round;
  }
}

TEST(ReasoningLimit, IsForModelsThatTellTheirReasoningApart) {
  const std::unique_ptr<Tokenizer> tokenizer = tokenizer_of({"<", "/", ">", "t", "h", "i", "n", "k", "\n"});
  EXPECT_EQ(reasoning_limit(3, *tokenizer, 10, {}), nullptr);
  AnswerParserOptions reading;
  reading.syntax.reasoning_open = "<think>";
  reading.syntax.reasoning_close = "</think>";
  const auto limit = reasoning_limit(3, *tokenizer, 10, reading);
  EXPECT_EQ(tokenizer->decode(limit->end), "</think>\n\n");
}

}  // namespace
}  // namespace ingle
