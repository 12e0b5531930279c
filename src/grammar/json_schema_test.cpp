#include "grammar/json_schema.h"

#include <gmock/gmock.h>

#include <chrono>
#include <fstream>
#include <sstream>

#include "grammar/grammar_world_test.h"

namespace ingle {
namespace {

using testing::HasSubstr;

struct Case {
  const char* schema;
  std::vector<const char*> good, bad;
};

TEST(JsonSchema, KeywordsAreHonoured) {
  const GrammarWorld world;
  const std::vector<Case> cases = {
      {R"(true)", {"1", "{\"a\":[]}", "null"}, {"", "{"}},
      {R"({})", {"1", "\"x\"", "[{}]"}, {"x"}},
      {R"({"type":"null"})", {"null"}, {"0", "nul"}},
      {R"({"type":"boolean"})", {"true", "false"}, {"1", "null"}},
      {R"({"type":"integer"})", {"0", "-1", "123456"}, {"1.0", "01", "1e2", "-"}},
      {R"({"type":"number"})", {"0", "-1.5", "1e-5", "0.25E+10"}, {"01", "1.", ".5", "1e", "1e999", "NaN"}},
      {R"({"type":["string","null"]})", {"null", "\"\""}, {"1"}},
      {R"({"type":["integer","number"]})", {"1", "1.5"}, {"\"1\""}},
      {R"({"type":"integer","minimum":-5,"maximum":12})",
       {"-5", "-1", "0", "9", "10", "12"},
       {"-6", "13", "-0", "-10", "100", "012"}},
      {R"({"type":"integer","minimum":98,"exclusiveMaximum":2005})",
       {"98", "99", "100", "1999", "2004"},
       {"97", "2005", "3000", "9", "20040"}},
      {R"({"type":"integer","exclusiveMinimum":1.5})", {"2", "10", "99999"}, {"1", "0", "-3"}},
      {R"({"type":"integer","maximum":-10})", {"-10", "-11", "-100"}, {"-9", "0", "10"}},
      {R"({"type":"integer","multipleOf":7})", {"0", "7", "-14", "700007"}, {"1", "8", "007"}},
      {R"({"type":"integer","multipleOf":25,"minimum":-30,"maximum":60})",
       {"-25", "0", "25", "50"},
       {"75", "-50", "10"}},
      {R"({"type":"number","minimum":0,"maximum":1})",
       {"0", "1", "0.5", "1.0", "0.000001"},
       {"1.1", "-0.1", "1.000001", "2", "-0"}},
      {R"({"type":"number","exclusiveMinimum":0,"exclusiveMaximum":0.5})",
       {"0.1", "0.000001", "0.499999"},
       {"0", "0.0", "0.5", "0.50", "0.51", "1"}},
      {R"({"type":"number","minimum":-2.5,"maximum":-1.25})",
       {"-2.5", "-2", "-1.25", "-1.5"},
       {"-2.51", "-1.24", "-1", "0", "1.5", "-3"}},
      {R"({"type":"number","minimum":99.5})", {"99.5", "99.6", "100", "123456.75"}, {"99.4", "99", "-100", "0"}},
      {R"({"type":"string"})", {"\"\"", "\"a\\\"\\\\\"", "\"日本\""}, {"\"\n\"", "\"", "'a'"}},
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {"\"ab\"", "\"日本é\""},
       {"\"a\"", "\"abcd\"", "\"\t\t\"", "\"\xed\xa0\x80z\""}},
      {R"({"type":"string","pattern":"b+"})",
       {"\"b\"", "\"abba\"", "\"\\\"b\""},
       {"\"a\"", "\"\"", "\"b\xed\xa0\x80\""}},
      {R"({"type":"string","pattern":"^a|b$"})", {"\"ax\"", "\"xb\"", "\"b\""}, {"\"xa\"", "\"bx\""}},
      {R"({"type":"string","pattern":"^\\d{2}\\.[^\"x]\\n?$"})",
       {"\"12.a\"", "\"12.a\\n\"", "\"12.\\\\\""},
       {"\"12.x\"", "\"12.\\\"\"", "\"1.a\""}},
      // Code and prose need their quotation marks and new lines, however short they must not be.
      {R"({"type":"string","minLength":1})", {R"("a")", R"("\n")", R"("say \"hi\"\n\t{}")"}, {R"("")"}},
      {R"({"type":"string","minLength":3})",
       {R"("a\u00e9\"")", R"("日本é\\more")"},
       {R"("a\n")", R"("日本")", "\"abc\xed\xa0\x80\""}},
      {R"({"type":"string","format":"password","minLength":2})", {R"("pä")"}, {R"("p")"}},
      {R"({"type":"string","format":"json-pointer"})", {R"("/")", R"("/a~1b/0")"}, {R"("a")", R"("/~2")", R"("")"}},
      {R"({"type":"string","format":"byte"})",
       {R"("aGk=")", R"("aA==")", R"("aGlo")"},
       {R"("")", R"("a")", R"("aGl=")", R"("aGk=a")"}},
      {R"({"type":"string","format":"date"})",
       {"\"2024-02-29\"", "\"2000-02-29\"", "\"1999-12-31\""},
       {"\"2023-02-29\"", "\"1900-02-29\"", "\"2024-04-31\"", "\"2024-1-1\""}},
      {R"({"type":"string","format":"date-time"})",
       {"\"2024-02-29T23:59:59Z\"", "\"2024-01-01T00:00:00.5+01:30\""},
       {"\"2024-01-01\"", "\"2024-01-01T24:00:00Z\"", "\"2024-01-01T00:00:00\""}},
      {R"({"type":"string","format":"uuid"})", {"\"123e4567-e89b-12d3-a456-426614174000\""}, {"\"123e4567\""}},
      {R"({"type":"string","format":"ipv4"})",
       {"\"192.168.0.1\"", "\"255.255.255.255\""},
       {"\"256.0.0.1\"", "\"1.2.3\"", "\"01.2.3.4\""}},
      {R"({"type":"string","format":"ipv6"})",
       {"\"::1\"", "\"2001:db8::1\"", "\"1:2:3:4:5:6:7:8\""},
       {"\"1:2\"", "\":::\"", "\"12345::\""}},
      {R"({"type":"string","format":"email"})", {"\"a.b@example.org\""}, {"\"a@\"", "\"@b.c\"", "\"a b@c.d\""}},
      {R"({"enum":["a",1,null,[1,{"b":true}]]})", {"\"a\"", "1", "null", "[1,{\"b\":true}]"}, {"\"b\"", "1.0", "[1]"}},
      {R"({"type":"string","enum":["a",1,"b"]})", {"\"a\"", "\"b\""}, {"1"}},
      {R"({"const":{"x":"\n"}})", {"{\"x\":\"\\n\"}"}, {"{}"}},
      {R"({"anyOf":[{"type":"integer"},{"type":"null"}],"title":"x","default":null})", {"1", "null"}, {"1.5", "\"\""}},
      {R"({"oneOf":[{"type":"string"},{"type":"array","items":{"type":"null"}}]})", {"\"a\"", "[null, null]"}, {"[1]"}},
      {R"({"allOf":[{"type":"integer","minimum":3}]})", {"3"}, {"2"}},
      {R"({"type":"array"})", {"[]", "[1, \"a\"]"}, {"[1,]", "[", "{}"}},
      {R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3})",
       {"[1,2]", "[1, 2, 3]", "[\n  1,\n  2\n]"},
       {"[]", "[1]", "[1,2,3,4]", "[1,\"a\"]"}},
      {R"({"type":"array","items":false})", {"[]"}, {"[1]"}},
      {R"({"prefixItems":[{"type":"integer"},{"type":"string"}],"items":{"type":"null"},"minItems":1,"maxItems":4})",
       {"[1]", "[1,\"a\"]", "[1,\"a\",null,null]"},
       {"[]", "[\"a\"]", "[1,null]", "[1,\"a\",null,null,null]"}},
      {R"({"prefixItems":[{"type":"integer"},{"type":"string"}],"unevaluatedItems":false})",
       {"[]", "[1]", "[1,\"a\"]"},
       {"[1,\"a\",null]"}},
      {R"({"type":"object"})", {"{}", "{\"a\":1}"}, {"[]", "{\"a\"}"}},
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"},"c":{"type":"null"}},"required":["b"]})",
       {"{\"b\":\"\"}", "{\"a\": 1, \"b\": \"x\"}", "{\"b\":\"\",\"c\":null}"},
       {"{}", "{\"a\":1}", "{\"b\":1}", "{\"b\":\"\",\"a\":1}", "{\"b\":\"\",\"d\":1}", "{\"b\":\"\",}"}},
      {R"({"properties":{"a":{"type":"integer"},"b":{"type":"integer"}}})",
       {"{}", "{\"a\":1}", "{\"b\":1}", "{\"a\":1,\"b\":2}"},
       {"{,}", "{\"a\":\"\"}"}},
      {R"({"properties":{"ab":{"type":"integer"},"abc":{"type":"null"},"é\"":true},"additionalProperties":{"type":"boolean"}})",
       {"{}", "{\"ab\":1,\"x\":true}", "{\"a\":true,\"abcd\":false,\"\":true}", "{\"abd\":true}", "{\"x\\n\":true}"},
       {"{\"ab\":true}", "{\"abc\":true}", "{\"\\u0061b\":true}", "{\"x\":1}"}},
      {R"({"type":"object","properties":{},"additionalProperties":false})", {"{}"}, {"{\"a\":1}"}},
      {R"({"type":"object","additionalProperties":{"type":"integer"},"minProperties":1,"maxProperties":2})",
       {"{\"a\":1}", "{\"a\":1,\"b\":2}"},
       {"{}", "{\"a\":\"\"}", "{\"a\":1,\"b\":2,\"c\":3}"}},
      {R"({"type":"object","propertyNames":{"pattern":"^x"},"additionalProperties":{"type":"null"}})",
       {"{}", "{\"xa\":null}"},
       {"{\"a\":null}", "{\"x\":1}"}},
      {R"({"type":"object","patternProperties":{"^x":{"type":"null"}}})",
       {"{\"x1\":null}"},
       {"{\"a\":null}", "{\"x\":1}"}},
      {R"({"type":"object","properties":{"a":{}},"required":["a","z"]})",
       {"{\"a\":1,\"z\":[]}"},
       {"{\"a\":1}", "{\"z\":1}"}},
      {R"({"type":"object","properties":{"a":false,"b":{"type":"null"}}})", {"{}", "{\"b\":null}"}, {"{\"a\":1}"}},
      {R"({"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"}},"minProperties":1})",
       {"{\"a\":null}", "{\"b\":null}"},
       {"{}"}},
      {R"({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["v","next"]}}})",
       {"{\"v\":1,\"next\":null}", "{\"v\":1,\"next\":{\"v\":2,\"next\":null}}"},
       {"{\"v\":1}", "{\"v\":1,\"next\":{}}"}},
      {R"({"type":"array","items":{"$ref":"#"}})", {"[]", "[[],[[]]]"}, {"[1]"}},
      {R"({"definitions":{"a~/b %":{"type":"null"}},"properties":{"x":{"$ref":"#/definitions/a~0~1b%20%25"}},"required":["x"]})",
       {"{\"x\":null}"},
       {"{\"x\":1}"}},
      {R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"integer"}},"required":["kind","x"]},{"$ref":"#/$defs/b"}],"$defs":{"b":{"type":"object","properties":{"kind":{"enum":["b","c"]}},"required":["kind"]}}})",
       {"{\"kind\":\"a\",\"x\":1}", "{\"kind\":\"c\"}"},
       {"{\"kind\":\"a\"}", "{\"kind\":\"d\"}"}},
      {R"({"type":"string","uniqueItems":false,"x-note":1,"description":"d","$comment":"c","examples":[1]})",
       {"\"a\""},
       {"1"}},
  };
  for (const Case& one : cases) {
    const Grammars::Compiled grammar = world.schema(one.schema);
    ASSERT_TRUE(grammar.ok()) << one.schema << ": " << grammar.error().to_string();
    for (const char* text : one.good) EXPECT_TRUE(world.accepts(**grammar, text)) << one.schema << "\n" << text;
    for (const char* text : one.bad) EXPECT_FALSE(world.accepts(**grammar, text)) << one.schema << "\n" << text;
  }
}

TEST(JsonSchema, WhatCantBeHonouredIsRefusedByName) {
  const GrammarWorld world;
  const std::vector<std::pair<const char*, const char*>> cases = {
      {R"({"properties":{"a":{"not":{"type":"null"}}}})", "#/properties/a/not"},
      {R"({"if":{},"then":{},"else":{}})", "#/if"},
      {R"({"type":"object","dependentRequired":{"a":["b"]}})", "#/dependentRequired"},
      {R"({"type":"object","dependentSchemas":{}})", "#/dependentSchemas"},
      {R"({"type":"object","dependencies":{}})", "#/dependencies"},
      {R"({"type":"array","uniqueItems":true})", "#/uniqueItems"},
      {R"({"type":"array","contains":{}})", "#/contains"},
      {R"({"type":"array","minContains":2})", "#/minContains"},
      {R"({"type":"array","items":[{}]})", "#/items"},
      {R"({"type":"array","items":{"type":"integer"},"additionalItems":false})", "#/additionalItems"},
      {R"({"type":"array","unevaluatedItems":{"type":"null"}})", "#/unevaluatedItems"},
      {R"({"type":"object","unevaluatedProperties":{"type":"null"}})", "#/unevaluatedProperties"},
      {R"({"allOf":[{"type":"string"},{"minLength":1}]})", "#/allOf"},
      {R"({"anyOf":[{"type":"string"}],"minLength":1})", "#/minLength"},
      {R"({"type":"object","properties":{"a":{}},"anyOf":[{"required":["a"]}]})", "#/type"},
      {R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "#/oneOf"},
      {R"({"oneOf":[{"type":"object","properties":{"a":{}}},{"type":"object"}]})", "#/oneOf"},
      {R"({"oneOf":[{"const":1},{"const":1.0}]})", "#/oneOf"},
      {R"({"$ref":"#/$defs/a","minLength":1,"$defs":{"a":{}}})", "#/minLength"},
      {R"({"$ref":"https://example.org/s.json"})", "#/$ref"},
      {R"({"$ref":"#name"})", "#/$ref"},
      {R"({"$ref":"#/nothing"})", "#/$ref"},
      {R"({"$ref":"#"})", "$ref"},
      {R"({"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"$ref":"#/$defs/a"}}})", "$ref"},
      {R"({"$dynamicRef":"#x"})", "#/$dynamicRef"},
      {R"({"properties":{"a":{"$id":"x"}}})", "#/properties/a/$id"},
      {R"({"type":"string","format":"regex"})", "#/format"},
      {R"({"type":"string","format":"date","pattern":"x"})", "#/pattern"},
      {R"({"type":"string","pattern":"x","maxLength":3})", "#/maxLength"},
      {R"({"type":"string","pattern":"(?=x)y"})", "#/pattern"},
      {R"({"type":"string","pattern":"(a)\\1"})", "#/pattern"},
      {R"({"type":"string","pattern":"a\\b"})", "#/pattern"},
      {R"({"type":"string","pattern":"("})", "#/pattern"},
      {R"({"type":"string","minLength":-1})", "#/minLength"},
      {R"({"type":"string","minLength":1.5})", "#/minLength"},
      {R"({"type":"string","minLength":5,"maxLength":4})", "#/maxLength"},
      {R"({"type":"integer","minimum":5,"maximum":4})", "#/maximum"},
      {R"({"type":"integer","minimum":"5"})", "#/minimum"},
      {R"({"type":"integer","minimum":1e300})", "#/minimum"},
      {R"({"type":"integer","multipleOf":0})", "#/multipleOf"},
      {R"({"type":"integer","multipleOf":0.5})", "#/multipleOf"},
      {R"({"type":"number","multipleOf":0.01})", "#/multipleOf"},
      {R"({"type":"integer","multipleOf":3,"minimum":1})", "#/multipleOf"},
      {R"({"type":"number","exclusiveMinimum":1,"maximum":1})", "#/maximum"},
      {R"({"type":"number","minimum":true})", "#/minimum"},
      {R"({"type":"array","minItems":3,"maxItems":2})", "#/maxItems"},
      {R"({"type":"array","items":false,"minItems":1})", "#/minItems"},
      {R"({"type":"array","minItems":1000000000000})", "#/minItems"},
      {R"({"type":"object","minProperties":2})", "#/minProperties"},
      {R"({"type":"object","properties":{"a":{},"b":{}},"maxProperties":1})", "#/maxProperties"},
      {R"({"type":"object","properties":{"a":{}},"patternProperties":{"b":{}}})", "#/patternProperties"},
      {R"({"type":"object","properties":{"a":{}},"propertyNames":{"maxLength":3}})", "#/propertyNames"},
      {R"({"type":"object","properties":{"a":false},"required":["a"]})", "#/properties/a"},
      {R"({"type":"object","required":["a"],"additionalProperties":false})", "#/additionalProperties"},
      {R"({"type":"object","required":[1]})", "#/required"},
      {R"({"type":"object","properties":[]})", "#/properties"},
      {R"({"type":"x"})", "#/type"},
      {R"({"type":[]})", "#/type"},
      {R"({"minimum":1,"maxLength":3})", "without type"},
      {R"({"enum":[]})", "#/enum"},
      {R"({"enum":1})", "#/enum"},
      {R"({"type":"null","enum":["a"]})", "#/enum"},
      {R"({"enum":["a"],"minLength":1})", "#/minLength"},
      {R"({"const":1e999})", "#/const"},
      {R"(false)", "false"},
      {R"(1)", "not a schema"},
      {R"({"properties":{"a":1}})", "#/properties/a"},
      {R"({"anyOf":[]})", "#/anyOf"},
      {R"({"anyOf":[false]})", "#/anyOf"},
  };
  for (const auto& [schema, place] : cases) {
    EXPECT_THAT(GrammarWorld::error(world.schema(schema)), HasSubstr(place)) << schema;
  }
}

// Each comes to an end in no time, however large it says it is.
TEST(JsonSchema, LyingSchemasAreRefusedQuickly) {
  const GrammarWorld world;
  std::vector<std::string> cases;
  const auto repeated = [](const std::string& text, size_t times) {
    std::string out;
    for (size_t i = 0; i < times; i++) out += text;
    return out;
  };
  cases.push_back(repeated(R"({"anyOf":[)", 90) + "{}" + repeated("]}", 90));
  cases.push_back(
      R"({"type":"array","maxItems":1000000000,"items":{"type":"array","maxItems":1000000000,"items":{"type":"string","maxLength":1000000000}}})");
  std::string values, names, branches, chain;
  for (int i = 0; i < 5000; i++) {
    const std::string number = std::to_string(i);
    values += ",\"value " + number + "\"";
    names += ",\"p" + number + "\":{\"type\":\"integer\"}";
    branches += ",{\"type\":\"object\",\"properties\":{\"k\":{\"const\":" + number + "}},\"required\":[\"k\"]}";
    chain += ",\"d" + number + "\":{\"$ref\":\"#/$defs/d" + std::to_string(i + 1) + "\"}";
  }
  cases.push_back(R"({"enum":[)" + values.substr(1) + "]}");
  cases.push_back(R"({"properties":{)" + names.substr(1) + "}}");
  cases.push_back(R"({"oneOf":[)" + branches.substr(1) + "]}");
  cases.push_back(R"({"$ref":"#/$defs/d0","$defs":{)" + chain.substr(1) + R"(,"d5000":{}}})");
  for (const char* pattern : {"(a{1000}){1000}", "((((a{9}){9}){9}){9}){9}", "(a|a?)+{2}", "a{99999999999999999999}"}) {
    cases.push_back(std::string(R"({"type":"string","pattern":")") + pattern + "\"}");
  }
  cases.push_back(R"({"type":"string","pattern":")" + repeated("(", 5000) + repeated(")", 5000) + "\"}");
  cases.push_back(R"({"type":"string","pattern":")" + repeated("a", 100'000) + "\"}");
  cases.push_back(R"({"properties":{")" + repeated("a", 1'000'000) + R"(":{}},"additionalProperties":true})");
  cases.push_back(R"({"const":")" + repeated("a", 1'000'000) + "\"}");
  for (const std::string& schema : cases) {
    const auto start = std::chrono::steady_clock::now();
    const std::string error = GrammarWorld::error(world.schema(schema));
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4)) << schema.substr(0, 80);
    EXPECT_LT(error.size(), 2000u);
    const bool is_honest = schema.find("maxItems") != std::string::npos || schema.find("anyOf") != std::string::npos;
    EXPECT_EQ(error.empty(), is_honest) << schema.substr(0, 80) << error;
  }
}

// Schemas with instances that an independent validator has judged (scripts/make_schema_golden.py): what a grammar lets
// through is valid, and what is spelled as the grammars spell it gets through.
TEST(JsonSchema, AgreesWithAnIndependentValidator) {
  const GrammarWorld world;
  std::ifstream file(INGLE_TESTDATA "/schemas.json");
  std::stringstream buffer;
  buffer << file.rdbuf();
  const Result<jinja::Value> all = parse_json(buffer.str());
  ASSERT_TRUE(all.ok()) << all.error().to_string();
  size_t refused = 0, valid = 0, valid_accepted = 0, invalid = 0;
  for (const jinja::Value& one : all->items()) {
    const jinja::DictObj& entry = one.dict_object();
    const Grammars::Compiled grammar = world.schema(entry.find("schema")->text());
    if (!grammar.ok()) {
      refused++;
      continue;
    }
    for (const jinja::Value& text : entry.find("valid")->items()) {
      valid++;
      valid_accepted += world.accepts(**grammar, text.text());
    }
    for (const jinja::Value& text : entry.find("invalid")->items()) {
      invalid++;
      EXPECT_FALSE(world.accepts(**grammar, text.text())) << entry.find("schema")->text() << "\n" << text.text();
    }
  }
  EXPECT_LT(refused, all->items().size() / 2);
  EXPECT_GT(invalid, 500u);
  EXPECT_GT(valid_accepted * 2, valid);  // many are in another order or have more properties
}

}  // namespace
}  // namespace ingle
