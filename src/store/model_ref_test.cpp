#include "store/model_ref.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ingle {
namespace {

TEST(ModelRef, NamesAndTags) {
  for (const auto& [text, name, tag] : {std::tuple{"smollm2", "smollm2", "latest"},
                                        {"qwen2.5-coder:1.5b", "qwen2.5-coder", "1.5b"},
                                        {"A_b-C.d:Q4_K_M", "a_b-c.d", "q4_k_m"},
                                        {"x:latest", "x", "latest"}}) {
    const Result<ModelRef> ref = ModelRef::parse(text);
    ASSERT_TRUE(ref.ok()) << text;
    EXPECT_EQ(ref->name(), name);
    EXPECT_EQ(ref->tag(), tag);
    EXPECT_EQ(*ModelRef::parse(ref->to_string()), *ref);
  }
}

TEST(ModelRef, NothingThatCouldLeaveTheFolder) {
  for (const std::string text : {"", ":", "a:", ":b", "..", ".", "a:..", "../a", "a/b", "a\\b", "/etc/passwd", "-rf",
                                 ".hidden", "a:b:c", "a b", "a\n", "\xC3\xA9", "a:-b"}) {
    EXPECT_FALSE(ModelRef::parse(text).ok()) << text;
  }
  EXPECT_FALSE(ModelRef::parse(std::string_view("a\0b", 3)).ok());
  EXPECT_TRUE(ModelRef::parse(std::string(ModelRef::kMaxNameBytes, 'a')).ok());
  EXPECT_FALSE(ModelRef::parse(std::string(ModelRef::kMaxNameBytes + 1, 'a')).ok());
}

TEST(ModelRef, ErrorsShowHostileNamesOnOneLine) {
  const Result<ModelRef> ref = ModelRef::parse("a\n\x1b[2J" + std::string(10000, 'x'));
  ASSERT_FALSE(ref.ok());
  EXPECT_THAT(ref.error().to_string(),
              testing::Not(testing::AnyOf(testing::HasSubstr("\n"), testing::HasSubstr("\x1b"))));
  EXPECT_LT(ref.error().to_string().size(), 1000u);
}

TEST(ModelRef, FromFileNames) {
  for (const auto& [file, name] : {std::pair{"SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct.q4_1"},
                                   {"my model (2).GGUF", "my-model-2"},
                                   {"big-00001-of-00003.gguf", "big"},
                                   {"..gguf.gguf", "gguf"},
                                   {"plain", "plain"}}) {
    const Result<ModelRef> ref = ModelRef::from_file_name(file);
    ASSERT_TRUE(ref.ok()) << file;
    EXPECT_EQ(ref->to_string(), name);
  }
  EXPECT_FALSE(ModelRef::from_file_name(".gguf").ok());
  EXPECT_FALSE(ModelRef::from_file_name("\xE6\xA8\xA1.gguf").ok());
  EXPECT_TRUE(ModelRef::from_file_name(std::string(250, 'a') + ".gguf").ok());
}

}  // namespace
}  // namespace ingle
