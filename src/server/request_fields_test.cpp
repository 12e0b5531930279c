#include "server/request_fields.h"

#include <gtest/gtest.h>

#include <string>

#include "server/generation_fields.h"

namespace ingle {
namespace {

std::string repeated(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; i++) out += text;
  return out;
}

bool is_refused(const std::string& body) {
  jinja::Value value;
  const std::optional<ApiError> error = parse_object(body, value);
  EXPECT_TRUE(!error || error->status == 400u);
  return error.has_value();
}

TEST(ParseObject, TakesObjectsOnly) {
  EXPECT_FALSE(is_refused("{}"));
  EXPECT_FALSE(is_refused(" {\"a\": [1, 2.5, \"\\u20ac\", null, true]} \n"));
  for (const char* body :
       {"", " ", "[]", "1", "null", "{", "{}}", "{} {}", "{\"a\":NaN}", "{\"a\":Infinity}", "{\"a\":01}", "{\"a\":1,}",
        "{'a':1}", "{\"a\":\"\xff\"}", "{\"a\":\"\\ud80\"}", "// x\n{}"}) {
    EXPECT_TRUE(is_refused(body)) << body;
  }
  EXPECT_TRUE(is_refused(std::string("{\"a\":1}\0", 8)));
}

TEST(ParseObject, HalfASurrogatePairIsAnUnknownCharacter) {
  jinja::Value value;
  EXPECT_FALSE(parse_object(R"({"a":"x\ud83d","b":"\\ud83d","c":"\ud83d\ude00"})", value));
  EXPECT_EQ(value.dict_object().find("a")->text(), "x\uFFFD");
  EXPECT_EQ(value.dict_object().find("b")->text(), "\\ud83d");
  EXPECT_EQ(value.dict_object().find("c")->text(), "😀");
}

TEST(ParseObject, IsBoundedInDepthAndNumber) {
  const auto nested = [](size_t depth) { return "{\"a\":" + repeated("[", depth) + repeated("]", depth) + "}"; };
  EXPECT_FALSE(is_refused(nested(100)));
  EXPECT_TRUE(is_refused(nested(1000)));
  EXPECT_TRUE(is_refused(nested(1'000'000)));
  EXPECT_TRUE(is_refused(repeated("{\"a\":", 500'000)));
  EXPECT_FALSE(is_refused("{\"a\":[" + repeated("0,", kMaxJsonValues - 100) + "0]}"));
  EXPECT_TRUE(is_refused("{\"a\":[" + repeated("0,", kMaxJsonValues) + "0]}"));
  EXPECT_FALSE(is_refused("{\"a\":[" + repeated("{},", kMaxJsonValues / 11) + "0]}"));
  EXPECT_TRUE(is_refused("{\"a\":[" + repeated("{},", kMaxJsonValues / 9) + "0]}"));
  EXPECT_TRUE(is_refused("{\"a\":{" + repeated("\"\":0,", kMaxJsonValues / 3) + "\"\":0}}"));
  // Commas and brackets in strings are no values.
  EXPECT_FALSE(is_refused("{\"a\":\"" + repeated(",[\\\"{", kMaxJsonValues) + "\"}"));
}

// What the request {field: json} sets, or the error's message.
std::string generation_error(const std::string& fields, GenerationFields& out) {
  jinja::Value value;
  const std::optional<ApiError> error = parse_object("{" + fields + "}", value);
  EXPECT_FALSE(error) << fields;
  if (error) return error->message;
  RequestFields reader(value);
  read_generation_fields(reader, out);
  return reader.error() ? reader.error()->param : "";
}

TEST(GenerationFields, SetWhatIsGivenAndNothingElse) {
  GenerationFields fields;
  fields.request.sampling.top_k = 7;
  EXPECT_EQ(
      generation_error("\"temperature\":0.5,\"top_p\":1,\"seed\":-1,\"max_tokens\":16.0,\"stop\":[\"a\",\"b\"],\"n\":2,"
                       "\"logit_bias\":{\"3\":-100,\"4\":1.5},\"min_p\":null,\"what\":{\"is\":[\"this\"]}",
                       fields),
      "");
  const Request& request = fields.request;
  EXPECT_EQ(request.sampling.temperature, 0.5f);
  EXPECT_EQ(request.sampling.top_p, 1.0f);
  EXPECT_EQ(request.sampling.top_k, 7);
  EXPECT_EQ(request.sampling.min_p, SamplingParams{}.min_p);
  EXPECT_EQ(request.sampling.seed, ~uint64_t{0});
  EXPECT_EQ(request.max_tokens, 16u);
  EXPECT_EQ(request.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(fields.choices, 2u);
  EXPECT_EQ(request.sampling.logit_bias, (std::map<TokenId, float>{{3, -100.0f}, {4, 1.5f}}));
  EXPECT_FALSE(fields.stream);
}

TEST(GenerationFields, SeedsAreDrawnUnlessGiven) {
  GenerationFields one, two, three;
  EXPECT_EQ(generation_error("", one), "");
  EXPECT_EQ(generation_error("\"seed\":null", two), "");
  EXPECT_NE(one.request.sampling.seed, two.request.sampling.seed);
  EXPECT_EQ(generation_error("\"seed\":0", three), "");
  EXPECT_EQ(three.request.sampling.seed, 0u);
}

TEST(GenerationFields, NameWhatIsWrong) {
  for (const char* name : {"temperature", "top_p", "min_p", "typical_p", "top_k", "repeat_penalty", "repeat_last_n",
                           "presence_penalty", "frequency_penalty", "seed", "max_tokens", "min_tokens", "n"}) {
    for (const char* json : {"\"1\"", "true", "[]", "{}", "1e999", "-1e999", "123456789012345678901234567890", "-3"}) {
      if (std::string(name) == "seed" && std::string(json) == "-3") continue;
      GenerationFields fields;
      EXPECT_EQ(generation_error("\"" + std::string(name) + "\":" + json, fields), name) << json;
    }
  }
  for (const char* field :
       {"\"stop\":1", "\"stop\":\"\"", "\"stop\":[1]", "\"stop\":{}", "\"logit_bias\":[]", "\"logit_bias\":{\"\":1}",
        "\"logit_bias\":{\"1x\":1}", "\"logit_bias\":{\"99999999999\":1}", "\"logit_bias\":{\"1\":true}",
        "\"logit_bias\":{\"1\":1e999}", "\"stream\":1", "\"stream\":\"true\"", "\"ignore_eos\":0",
        "\"stop_token_ids\":[1]", "\"bad_words\":[\"x\"]", "\"prompt_logprobs\":21", "\"stream_options\":{}",
        "\"stream\":true,\"stream_options\":[]", "\"stream\":true,\"stream_options\":{\"include_usage\":1}"}) {
    GenerationFields fields;
    EXPECT_NE(generation_error(field, fields), "") << field;
  }
  GenerationFields fields;
  EXPECT_EQ(generation_error("\"stop_token_ids\":[],\"use_beam_search\":false,\"guided_json\":null,"
                             "\"response_format\":{\"type\":\"text\"}",
                             fields),
            "");
}

}  // namespace
}  // namespace ingle
