#include "engine/kv_plan.h"

#include <gtest/gtest.h>

#include "kv/window.h"

namespace ingle {
namespace {

constexpr uint64_t kKib = uint64_t{1} << 10, kMib = uint64_t{1} << 20, kGib = uint64_t{1} << 30;

KvPlan plan(const KvPlanRequest& request) {
  const Result<KvPlan> result = plan_kv(request);
  EXPECT_TRUE(result.ok()) << result.error().to_string();
  return result.ok() ? *result : KvPlan{};
}

TEST(KvPlan, TheTrainedContextIfItFitsHalfTheMemory) {
  const KvPlan p = plan({.groups = {{.page_bytes = kMib}}, .trained_context = 8192, .free_bytes = kGib});
  EXPECT_EQ(p.context, 8192u);
  EXPECT_EQ(p.pages[0], 256u);
  EXPECT_EQ(p.note, "");
}

TEST(KvPlan, OtherwiseWhatHalfTheMemoryHolds) {
  // 4 MiB a page, as of an 8B model with 128 KiB a token: 16 GiB with 131072 tokens.
  const KvPlan p =
      plan({.groups = {{.page_bytes = 4 * kMib}}, .trained_context = 131072, .free_bytes = 9 * kGib + 12345});
  EXPECT_EQ(p.context % 256, 0u);
  EXPECT_LE(uint64_t{p.pages[0]} * 4 * kMib, 9 * kGib / 2);
  EXPECT_GT(uint64_t{p.pages[0]} * 4 * kMib, 9 * kGib / 2 - 64 * kMib);
  EXPECT_GE(uint64_t{p.pages[0]} * kPageTokens, p.context);
  EXPECT_NE(p.note.find("131072"), std::string::npos);
}

TEST(KvPlan, WithoutMemoryTheLeastContextAllTheSame) {
  EXPECT_EQ(plan({.groups = {{.page_bytes = kGib}}, .trained_context = 4096, .free_bytes = 0}).context, 256u);
  EXPECT_EQ(plan({.groups = {{.page_bytes = kGib}}, .trained_context = 100, .free_bytes = 0}).context, 100u);
}

TEST(KvPlan, AContextThatWasAskedForIsGivenOrRefused) {
  KvPlanRequest request = {
      .groups = {{.page_bytes = kMib}}, .trained_context = 8192, .wanted_context = 700, .free_bytes = kGib};
  EXPECT_EQ(plan(request).context, 700u);
  EXPECT_EQ(plan(request).pages[0], 22u);
  request.wanted_context = 16384;
  EXPECT_EQ(plan(request).context, 16384u);
  EXPECT_NE(plan(request).note.find("8192"), std::string::npos);
  request.wanted_context = 32000;
  const Result<KvPlan> refused = plan_kv(request);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_NE(refused.error().remedy.find("29440"), std::string::npos) << refused.error().to_string();
  request.wanted_context = 29440;
  EXPECT_TRUE(plan_kv(request).ok()) << "what the remedy names is possible";
}

TEST(KvPlan, MorePagesForManySequencesIfTheyFit) {
  KvPlanRequest request = {
      .groups = {{.page_bytes = kMib}}, .trained_context = 4096, .max_sequences = 8, .free_bytes = 8 * kGib};
  EXPECT_EQ(plan(request).pages[0], 8u * kPooledTokens / kPageTokens);
  request.free_bytes = kGib / 2;
  EXPECT_EQ(plan(request).pages[0], 255u);
  request.trained_context = 512;
  request.free_bytes = 8 * kGib;
  EXPECT_EQ(plan(request).pages[0], 8u * 512 / kPageTokens);
}

TEST(KvPlan, APoolThatWasAskedFor) {
  KvPlanRequest request = {
      .groups = {{.page_bytes = kMib}}, .trained_context = 4096, .wanted_kv_bytes = 300 * kMib, .free_bytes = 0};
  EXPECT_EQ(plan(request).pages[0], 300u);
  EXPECT_EQ(plan(request).context, 4096u);
  request.wanted_kv_bytes = 50 * kMib;
  EXPECT_EQ(plan(request).context, 1536u);
  EXPECT_EQ(plan(request).pages[0], 50u);
  request.wanted_kv_bytes = kMib;
  EXPECT_FALSE(plan_kv(request).ok());
}

// Gemma 3 270M: 3 full layers and 15 with a window of 512, 32 KiB a page and layer.
TEST(KvPlan, WindowedLayersTakeTheirWindowsAlone) {
  KvPlanRequest request = {.groups = {{.page_bytes = 3 * 32 * kKib}, {.window = 512, .page_bytes = 15 * 32 * kKib}},
                           .trained_context = 32768,
                           .free_bytes = 64 * kGib};
  KvPlan p = plan(request);
  EXPECT_EQ(p.context, 32768u);
  // A context; an eighth of it for the prefix cache, and a slice of prompt.
  EXPECT_EQ(p.pages, (std::vector<uint32_t>{1024, 128 + 16}));
  EXPECT_EQ(p.bytes, 1024 * 3 * 32 * kKib + 144 * 15 * 32 * kKib);
  EXPECT_LT(p.bytes, 1024 * 18 * 32 * kKib * 3 / 10);
  request.max_sequences = 32;
  p = plan(request);
  EXPECT_EQ(p.pages, (std::vector<uint32_t>{2048, 32 * 18 + 16}));
  // A short context does not fill its window.
  request.max_sequences = 1;
  request.wanted_context = 300;
  EXPECT_EQ(plan(request).pages, (std::vector<uint32_t>{10, 10}));
  // What is refused or cut goes by all pools.
  request.wanted_context = 0;
  request.free_bytes = 200 * kMib;
  p = plan(request);
  EXPECT_LE(p.bytes, 100 * kMib);
  EXPECT_GT(p.context, 16384u);
  request.wanted_context = 32768;
  request.free_bytes = 100 * kMib;
  EXPECT_FALSE(plan_kv(request).ok());
}

TEST(KvPlan, EveryPoolHoldsOneSequence) {
  for (const uint32_t window : {1u, 33u, 512u, 4096u, 100000u, UINT32_MAX}) {
    for (const uint32_t context : {1u, 100u, 2048u, 50000u}) {
      for (const uint32_t sequences : {1u, 7u}) {
        const KvPlan p = plan({.groups = {{.page_bytes = 0}, {.window = window, .page_bytes = 3}},
                               .prefill_chunk = 1,
                               .wanted_context = context,
                               .max_sequences = sequences});
        EXPECT_GE(p.pages[0] * kPageTokens, context);
        EXPECT_GE(p.pages[1], std::min(p.pages[0], resting_pages(window)));
        EXPECT_LE(p.pages[1], p.pages[0]);
      }
    }
  }
}

TEST(KvPlan, AbsurdNumbers) {
  EXPECT_EQ(plan({.groups = {{.page_bytes = 1}}, .trained_context = UINT32_MAX}).context, kMaxContext);
  EXPECT_EQ(plan_kv({.groups = {{.page_bytes = 1}}, .wanted_context = UINT32_MAX}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(plan({.groups = {{.page_bytes = UINT64_MAX}}, .trained_context = 512}).context, 256u);
  EXPECT_EQ(plan({.groups = {{.page_bytes = 0}}, .trained_context = 0}).context, 2048u);
  const KvPlan p = plan({.groups = {{.page_bytes = 1}},
                         .trained_context = 512,
                         .max_sequences = UINT32_MAX,
                         .wanted_kv_bytes = UINT64_MAX});
  EXPECT_LE(p.pages[0], 2 * kMaxContext / kPageTokens);
}

}  // namespace
}  // namespace ingle
