#include "base/near_name.h"

#include <gtest/gtest.h>

#include <vector>

namespace ingle {
namespace {

const std::vector<std::string> kNames = {"smollm2", "qwen2.5-coder:1.5b", "gemma-3-270m", "a"};

TEST(NearName, FindsWhatWasMistyped) {
  EXPECT_EQ(near_name("smolm2", kNames), "smollm2");
  EXPECT_EQ(near_name("smolllm2", kNames), "smollm2");
  EXPECT_EQ(near_name("smlolm2", kNames), "smollm2");
  EXPECT_EQ(near_name("smollm3", kNames), "smollm2");
  EXPECT_EQ(near_name("gemma-3-207m", kNames), "gemma-3-270m");
}

TEST(NearName, FindsWhatWasCut) {
  EXPECT_EQ(near_name("qwen", kNames), "qwen2.5-coder:1.5b");
  EXPECT_EQ(near_name("coder:1.5b", kNames), "qwen2.5-coder:1.5b");
  EXPECT_EQ(near_name("smollm2:latest", kNames), "smollm2");
}

TEST(NearName, TellsWhatIsLikeNothing) {
  for (const std::string& wanted : {std::string(), std::string("b"), std::string("llama3"), std::string("xyzzy"),
                                    std::string("zz"), std::string(100000, 'a')}) {
    EXPECT_EQ(near_name(wanted, kNames), std::nullopt) << wanted.substr(0, 20);
  }
  EXPECT_EQ(near_name("a", {}), std::nullopt);
}

TEST(NearName, TakesTheNearest) {
  const std::vector<std::string> names = {"model-10", "model-1", "model-11"};
  EXPECT_EQ(near_name("model-1x", names), "model-10");
  EXPECT_EQ(near_name("mdel-11", names), "model-11");
  EXPECT_EQ(near_name("model1", names), "model-1");
}

}  // namespace
}  // namespace ingle
