#include "grammar/grammars.h"

#include <gmock/gmock.h>

#include <future>
#include <random>
#include <thread>

#include "grammar/grammar_text.h"
#include "grammar/grammar_world_test.h"
#include "grammar/json_schema.h"

namespace ingle {
namespace {

using testing::HasSubstr;

TEST(Grammars, JsonObjectsAreJsonObjects) {
  const GrammarWorld world;
  const Grammars::Compiled json = world.grammars->json_object();
  ASSERT_TRUE(json.ok()) << json.error().to_string();
  for (const char* good : {"{}", "{\"a\":1}", "{\"a\": [1, 2.5e3, {\"b\": null}], \"c\": \"x\\n\\u00e9 日本\"}",
                           "{\n  \"a\": true,\n  \"b\": false\n}", "{\"\": -0.25, \"x\": \"\\\"\"}"}) {
    EXPECT_TRUE(world.accepts(**json, good)) << good;
  }
  for (const char* bad : {"",
                          "[]",
                          "1",
                          "{",
                          "{}}",
                          "{\"a\":}",
                          "{\"a\":1,}",
                          "{a:1}",
                          "{\"a\":01}",
                          "{\"a\":\"\t\"}",
                          "{\"a\":\"\\x\"}",
                          "{\"a\":.5}",
                          "{\"a\":1.}",
                          "{\"a\":tru}",
                          "{\"a\":\"\\ud800\"}",
                          "{\"a\":\"\xed\xa0\x80\"}",
                          "{\"a\":\"\xff\"}",
                          "{\"a\":1e400}",
                          "\n\n{}",
                          "{\"a\" 1}",
                          "{'a':1}"}) {
    EXPECT_FALSE(world.accepts(**json, bad)) << bad;
  }
}

// A token is allowed exactly where its bytes are, one after the other.
TEST(Grammars, MasksAgreeWithBytes) {
  const GrammarWorld world;
  const Grammars::Compiled grammars[] = {
      world.grammars->json_object(),
      world.schema(R"({"type":"object","properties":{"abc":{"type":"string","maxLength":4},"n":{"type":"integer",
                       "minimum":-15,"maximum":12345}},"required":["abc"],"additionalProperties":{"type":"boolean"}})"),
      world.schema(R"({"type":"array","items":{"type":"string","pattern":"^(abc|日本|\\n|\")+[^a]?$"},"maxItems":5})"),
      world.grammars->regex("(ab|abc|12)*(x{2,3}|日[^ab]?)"),
  };
  std::mt19937_64 random(7);
  for (const Grammars::Compiled& grammar : grammars) {
    ASSERT_TRUE(grammar.ok()) << grammar.error().to_string();
    for (int walk = 0; walk < 20; walk++) {
      const std::unique_ptr<Constraint> constraint = (*grammar)->clone();
      for (int step = 0; step < 24; step++) {
        const std::vector<uint32_t> mask = world.mask(*constraint);
        std::vector<TokenId> allowed;
        for (TokenId id = GrammarWorld::kFirstByte; id < static_cast<TokenId>(world.vocab()); id++) {
          const std::unique_ptr<Constraint> probe = constraint->clone();
          bool spelled = true;
          for (const char byte : world.tokenizer->token_bytes(id)) {
            spelled = spelled && world.step(*probe, GrammarWorld::kFirstByte + static_cast<unsigned char>(byte));
          }
          ASSERT_EQ(mask_has(mask, id), spelled) << world.tokenizer->token_bytes(id);
          if (spelled) allowed.push_back(id);
        }
        EXPECT_FALSE(mask_has(mask, GrammarWorld::kControl));
        if (allowed.empty()) break;
        ASSERT_TRUE(constraint->accept(allowed[random() % allowed.size()]).ok());
      }
    }
  }
}

TEST(Grammars, ChoicesAndRegexesAreWholeTexts) {
  const GrammarWorld world;
  const std::vector<std::string> texts = {"yes", "no", "\"quoted\"\n", "日本", "a\\b"};
  const Grammars::Compiled choice = world.grammars->choice(texts);
  ASSERT_TRUE(choice.ok()) << choice.error().to_string();
  for (const std::string& text : texts) EXPECT_TRUE(world.accepts(**choice, text)) << text;
  for (const char* bad : {"", "ye", "yess", "No", "日"}) EXPECT_FALSE(world.accepts(**choice, bad)) << bad;
  EXPECT_FALSE(world.grammars->choice({}).ok());
  EXPECT_FALSE(world.grammars->choice(std::vector<std::string>{""}).ok());
  EXPECT_FALSE(world.grammars->choice(std::vector<std::string>{"\xff"}).ok());
  EXPECT_FALSE(world.grammars->choice(std::vector<std::string>(5000, "a")).ok());

  const Grammars::Compiled regex = world.grammars->regex("[0-9]{3}-(?:abc|日本)+\\.?");
  ASSERT_TRUE(regex.ok()) << regex.error().to_string();
  for (const char* good : {"123-abc", "000-日本abc."}) EXPECT_TRUE(world.accepts(**regex, good)) << good;
  for (const char* bad : {"123-", "12-abc", " 123-abc", "123-abcx"}) EXPECT_FALSE(world.accepts(**regex, bad)) << bad;
}

TEST(Grammars, TextsMayBePutTogether) {
  const GrammarWorld world;
  GrammarText text;
  const Result<jinja::Value> schema =
      parse_json(R"({"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]})");
  const Result<GrammarText::Expression> arguments = json_schema_grammar(text, *schema);
  ASSERT_TRUE(arguments.ok());
  const GrammarText::Expression call = text.rule(GrammarText::sequence(
      {GrammarText::literal("<c>\n{\"name\": \"f\", \"arguments\": "), *arguments, GrammarText::literal("}\n</c>")}));
  const Result<std::string> several =
      text.finish(GrammarText::sequence({GrammarText::token(1), text.repeat(call, 1, 3)}));
  ASSERT_TRUE(several.ok());
  const Grammars::Compiled compiled = world.grammars->compile(*several);
  ASSERT_TRUE(compiled.ok()) << compiled.error().to_string();
  const std::string one = "<c>\n{\"name\": \"f\", \"arguments\": {\"x\": 5}}\n</c>";
  EXPECT_FALSE(world.accepts(**compiled, one));  // the control token comes first
  const auto after_token = [&](const std::string& rest) {
    const std::unique_ptr<Constraint> constraint = (*compiled)->clone();
    EXPECT_TRUE(world.step(*constraint, GrammarWorld::kControl));
    return world.accepts(*constraint, rest);
  };
  EXPECT_TRUE(after_token(one));
  EXPECT_TRUE(after_token(one + one + one));
  EXPECT_FALSE(after_token(one + one + one + one));
  EXPECT_FALSE(after_token(""));
}

TEST(Grammars, EbnfOfRequestsIsChecked) {
  const GrammarWorld world;
  const Grammars::Compiled good =
      world.grammars->ebnf("# sums\nroot ::= n (\"+\" n)*\nn ::= [0-9]{1,3} | \"(\" root \")\"\n");
  ASSERT_TRUE(good.ok()) << good.error().to_string();
  EXPECT_TRUE(world.accepts(**good, "1+(22+3)"));
  EXPECT_FALSE(world.accepts(**good, "1+"));
  for (const std::string& bad : {std::string(),
                                 std::string("a ::= \"x\""),
                                 std::string("root ::= undefined"),
                                 std::string("root ::= \"x"),
                                 std::string("root ::= (\"x\""),
                                 std::string("root ::= \"a\"{2,100000}"),
                                 std::string("root ::= Regex(\"a*\")"),
                                 std::string("root ::= root{2,3}"),
                                 std::string("root ::= a{2}\na ::= b\nb ::= root | \"x\""),
                                 std::string("root ::= Token(1)"),
                                 std::string("root ::= Substring(\"abc\")"),
                                 std::string("root ::= [z-a]"),
                                 std::string("root[max_tokens=1] ::= \"a\""),
                                 std::string("root ::= \"\\xffffffffff\""),
                                 std::string("root ::= \"\xff\""),
                                 std::string("root ::= \"a\"\0", 13),
                                 std::string(100'000, 'a'),
                                 "root ::= " + std::string(20'000, '('),
                                 "root ::= " + std::string(1000, '(') + "\"a\"" + std::string(1000, ')'),
                                 std::string("root ::= \"\\ud800\"")}) {
    EXPECT_FALSE(world.grammars->ebnf(bad).ok()) << bad.substr(0, 80);
  }
  // Of any text an error, or a grammar; never more.
  std::mt19937_64 random(3);
  const std::string pieces[] = {"root",  " ::= ", "\"a\"", "[a-z]", "|", "(",      ")", "*", "+",
                                "{2,3}", "\n",    " ",     "a",     "?", "[^\\n]", "#", "\\"};
  for (int i = 0; i < 300; i++) {
    std::string text = "root ::= ";
    for (uint64_t k = random() % 12; k-- > 0;) text += pieces[random() % std::size(pieces)];
    const Grammars::Compiled compiled = world.grammars->ebnf(text);
    if (compiled.ok()) (void)world.accepts(**compiled, "aaaa");
  }
}

TEST(Grammars, AreKeptWhileThereIsRoom) {
  const GrammarWorld world({.cache_bytes = 1 << 20});
  const Grammars::Compiled first = world.grammars->regex("abc");
  EXPECT_EQ(*world.grammars->regex("abc"), *first);
  for (int i = 0; i < 2000; i++) ASSERT_TRUE(world.grammars->choice(std::vector<std::string>{std::to_string(i)}).ok());
  EXPECT_NE(*world.grammars->regex("abc"), *first);
}

TEST(Grammars, ThreadsMayShareThem) {
  const GrammarWorld world({.max_compiling = 2});
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; t++) {
    threads.emplace_back([&world, t] {
      for (int i = 0; i < 10; i++) {
        const Grammars::Compiled grammar = world.grammars->regex("a{" + std::to_string(i + t % 3 + 1) + "}");
        ASSERT_TRUE(grammar.ok()) << grammar.error().to_string();
        EXPECT_TRUE(world.accepts(**grammar, std::string(static_cast<size_t>(i + t % 3 + 1), 'a')));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// So much that it is not done by the time somebody looks at the clock.
std::vector<std::string> many_texts() {
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; i++)
    texts.push_back("text " + std::to_string(i * 7919) + " of many, each of which says something else");
  return texts;
}

TEST(Grammars, WhatTakesTooLongIsRefused) {
  const GrammarWorld world({.deadline = std::chrono::milliseconds(0)});
  EXPECT_THAT(GrammarWorld::error(world.grammars->choice(many_texts())), HasSubstr("0 s to compile"));
}

TEST(Grammars, WhatWasRefusedTakesNoPlaceFromOthers) {
  const GrammarWorld world({.deadline = std::chrono::milliseconds(30), .max_compiling = 1});
  EXPECT_THAT(GrammarWorld::error(world.grammars->regex("([a-m]{0,40}[g-z]{0,40}){0,40}")), HasSubstr("to compile"));
  EXPECT_TRUE(world.grammars->regex("abc").ok());
}

// While two wait for a slow grammar and no more may wait for long: whether a third one is told to ask later.
void expect_next_to_be(bool refused, uint32_t max_compiling) {
  const GrammarWorld world({.deadline = std::chrono::seconds(60),
                            .patience = std::chrono::seconds(60),
                            .max_compiling = max_compiling,
                            .max_waiting = 2,
                            .standstill = std::chrono::milliseconds(20)});
  const auto slow = [&world] { return world.grammars->regex("([a-m]{0,40}[g-z]{0,40}){0,40}"); };
  std::future<Grammars::Compiled> first = std::async(std::launch::async, slow);
  std::future<Grammars::Compiled> second = std::async(std::launch::async, slow);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));  // nothing was done for so long
  const Grammars::Compiled third = world.grammars->regex("abc");
  const bool in_time = first.wait_for(std::chrono::seconds(0)) == std::future_status::timeout;
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
  ASSERT_TRUE(in_time) << "the machine is too fast for this test";
  ASSERT_EQ(third.ok(), !refused);
  EXPECT_TRUE(third.ok() || third.error().code == ErrorCode::kResourceExhausted);
  EXPECT_TRUE(world.grammars->regex("abc").ok());
}

TEST(Grammars, OfManyThatWaitForASlowOneSomeAreToAskLater) { expect_next_to_be(true, 1); }

TEST(Grammars, WhoFindsAPlaceWaitsForNobody) { expect_next_to_be(false, 2); }

TEST(Grammars, NobodyWaitsWhenTheyHaveEnded) {
  const GrammarWorld world;
  ASSERT_TRUE(world.grammars->regex("abc").ok());
  world.grammars->end_waits();
  const Grammars::Compiled grammar = world.grammars->choice(many_texts());
  ASSERT_FALSE(grammar.ok());
  EXPECT_EQ(grammar.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(world.grammars->regex("abc").ok()) << "it is there";
}

TEST(Grammars, ABusyMachineIsNoFaultOfTheGrammar) {
  const GrammarWorld world({.patience = std::chrono::milliseconds(0)});
  const Grammars::Compiled grammar = world.grammars->choice(many_texts());
  ASSERT_FALSE(grammar.ok());
  EXPECT_EQ(grammar.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(grammar.error().to_string(), HasSubstr("too busy"));
}

}  // namespace
}  // namespace ingle
