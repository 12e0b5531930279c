#include "backend/cpu/tiling.h"

#include <gtest/gtest.h>

#include "base/anonymous_memory.h"

namespace ingle::cpu {
namespace {

// So many matrices of zeros, best_tiling()'s choice among the ways to multiply them.
Tiling tiling_of(const KernelTable& table, DType type, uint32_t rows, uint32_t cols, uint32_t count) {
  const size_t bytes = table.packed_bytes(type, rows, cols);
  const Result<AnonymousMemory> memory = AnonymousMemory::allocate(bytes * count, false);
  EXPECT_TRUE(memory.ok());
  std::vector<PackedMatrix> alike;
  for (uint32_t i = 0; i < count; i++) {
    alike.push_back({.type = type, .rows = rows, .cols = cols, .data = memory->data() + i * bytes});
  }
  ThreadPool pool(2);
  return best_tiling(table, alike, pool);
}

TEST(Tiling, WeightsThatAreTooSmallToTellHaveTheDefault) {
  const KernelTable& table = *available_tables().front();
  for (const uint32_t rows : {1u, 100u, 1000u}) {
    const Tiling tiling = tiling_of(table, DType::kQ4_K, rows, 256, 3);
    EXPECT_EQ(tiling.fetch_ahead, FetchAhead::kNever);
    EXPECT_EQ(tiling.several_strips, Tiling().several_strips);
  }
}

TEST(Tiling, AnyMatricesCanBeMeasured) {
  for (const KernelTable* table : available_tables()) {
    for (const DType type : {DType::kQ4_K, DType::kQ6_K, DType::kF16, DType::kIQ2_XS}) {
      // Rows that are no whole number of calls; more matrices than a round has parts, and one.
      for (const uint32_t count : {1u, 40u}) {
        const Tiling tiling = tiling_of(*table, type, 8'000'000 / 512 / count + 7, 512, count);
        EXPECT_EQ(tiling.several_strips & ~Tiling().several_strips, 0u);
      }
    }
  }
}

}  // namespace
}  // namespace ingle::cpu
