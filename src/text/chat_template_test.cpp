#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Value;
using testing::HasSubstr;

// 2024-07-26 13:05:09, a Friday: as NOW of scripts/make_template_golden.py.
std::tm golden_time() {
  std::tm now{};
  now.tm_year = 124;
  now.tm_mon = 6;
  now.tm_mday = 26;
  now.tm_hour = 13;
  now.tm_min = 5;
  now.tm_sec = 9;
  now.tm_wday = 5;
  now.tm_yday = 207;
  return now;
}

Result<std::string> render(const std::string& source, const std::string& variables = "{}",
                           const TemplateLimits& limits = {}) {
  ASSIGN_OR_RETURN(const Value values, parse_json(variables));
  ASSIGN_OR_RETURN(const ChatTemplate chat_template, ChatTemplate::parse(source, limits));
  return chat_template.render(values, golden_time());
}

std::string text_of(const Result<std::string>& result) {
  return result.ok() ? *result : "ERROR " + result.error().message;
}

// testdata/chat_templates.jsonl is made by scripts/make_template_golden.py with jinja2; INGLE_TEMPLATE_CASES names
// another file of that form (scripts/fuzz_templates.py).
TEST(ChatTemplateCases, EqualJinja2) {
  const char* other = std::getenv("INGLE_TEMPLATE_CASES");
  std::ifstream file(other ? other : INGLE_TESTDATA "/chat_templates.jsonl");
  ASSERT_TRUE(file.is_open());
  std::string line;
  int cases = 0;
  while (std::getline(file, line)) {
    const auto parsed = parse_json(line);
    ASSERT_TRUE(parsed.ok()) << parsed.error().to_string();
    const auto& fields = parsed->dict_object();
    const std::string& source = fields.find("template")->text();
    const Value& expected = *fields.find("expected");
    Result<std::string> got = Error{};
    if (const auto chat_template = ChatTemplate::parse(source); chat_template.ok()) {
      got = chat_template->render(*fields.find("context"), golden_time());
    } else {
      got = chat_template.error();
    }
    ++cases;
    const std::string name = fields.find("name")->text() + ": " + source;
    if (expected.is_none()) {
      EXPECT_FALSE(got.ok()) << name << "\n  jinja2 refuses, here it gives: " << *got;
    } else {
      EXPECT_EQ(text_of(got), expected.text()) << name;
    }
  }
  EXPECT_GT(cases, 100);
}

TEST(ChatTemplate, RendersAConversation) {
  const auto chat_template = ChatTemplate::parse(
      "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
      "{% if tools %}{{ tools | tojson }}{% endif %}{% if add_generation_prompt %}>{% endif %}");
  ASSERT_TRUE(chat_template.ok());
  ChatInput input;
  input.messages = *parse_json(R"([{"role": "user", "content": "hi"}])");
  input.variables = {{"bos_token", Value::string("<s>")}};
  EXPECT_EQ(text_of(chat_template->render(input)), "<s>[user]hi\n>");
  input.add_generation_prompt = false;
  input.tools = *parse_json(R"([{"name": "f"}])");
  EXPECT_EQ(text_of(chat_template->render(input)), "<s>[user]hi\n[{\"name\": \"f\"}]");
}

TEST(ChatTemplate, SaysWhatTheTemplateRefusesAndWhere) {
  const auto refused = render("line one\n\n{{ raise_exception('roles must\nalternate') }}");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().message, "chat template, line 3: roles must alternate");

  const auto failed = render("{% set x = none %}\n{{ x.y.z }}");
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(failed.error().message, HasSubstr("line 2: 'None' has no attribute 'y'"));

  const auto broken = ChatTemplate::parse("{% if x %}\n{% endfor %}");
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().code, ErrorCode::kInvalidData);
  EXPECT_THAT(broken.error().message, HasSubstr("line 2"));
}

TEST(ChatTemplate, RefusesTextThatIsNone) {
  EXPECT_EQ(ChatTemplate::parse("a\xff").error().code, ErrorCode::kInvalidData);
  EXPECT_FALSE(render("{{ '\\ud800' }}").ok());
  EXPECT_EQ(text_of(render("{{ '\\ud800'|length }}")), "1");
}

TEST(ChatTemplate, TellsTheLocalTimeUnlessGivenOne) {
  const auto chat_template = ChatTemplate::parse("{{ strftime_now('%Y') }}");
  const auto text = chat_template->render(*parse_json("{}"), std::nullopt);
  ASSERT_TRUE(text.ok());
  EXPECT_GE(std::stoi(*text), 2024);
}

TEST(ChatTemplate, IsSharedByThreads) {
  const auto chat_template =
      ChatTemplate::parse("{% set c = 'const' %}{% for i in range(50) %}{{ c ~ x }}{% endfor %}");
  const auto values = parse_json(R"({"x": "y"})");
  std::vector<std::string> texts(4);
  std::vector<std::thread> threads;
  for (std::string& text : texts) {
    threads.emplace_back([&] { text = text_of(chat_template->render(*values, std::nullopt)); });
  }
  for (std::thread& t : threads) t.join();
  for (const std::string& text : texts) EXPECT_EQ(text, texts[0]);
  EXPECT_THAT(texts[0], HasSubstr("constyconsty"));
}

TEST(ChatTemplate, KeepsToItsLimits) {
  TemplateLimits limits;
  limits.max_output_bytes = 10;
  EXPECT_EQ(render("12345678901", "{}", limits).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(text_of(render("1234567890", "{}", limits)), "1234567890");
  limits = {};
  limits.max_steps = 1000;
  EXPECT_EQ(render("{% for x in range(2000) %}{% endfor %}", "{}", limits).error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(render("{% for x in range(100) %}{% endfor %}", "{}", limits).ok());
  limits = {};
  limits.max_memory_bytes = 100000;
  EXPECT_EQ(render("{{ ('a' * 60000)|upper|length }}", "{}", limits).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(text_of(render("{{ ('a' * 1000)|upper|length }}", "{}", limits)), "1000");
  // What is dropped may be used again.
  EXPECT_TRUE(render("{% for i in range(500) %}{% set x = 'a' * 1000 %}{% endfor %}", "{}", limits).ok());
  limits.max_source_bytes = 3;
  EXPECT_EQ(ChatTemplate::parse("1234", limits).error().code, ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace ingle
