#include "backend/cpu/kernels/codebooks.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "backend/cpu/kernels/block_format.h"
#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/kernels/packed.h"
#include "tensor/int8_decode.h"

namespace ingle::cpu {
namespace {

constexpr DType kTypes[] = {DType::kIQ1_S, DType::kIQ1_M,   DType::kIQ2_XXS, DType::kIQ2_XS,
                            DType::kIQ2_S, DType::kIQ3_XXS, DType::kIQ3_S};

// Those that some CPUs have vectors for.
constexpr PackTarget kTargets[] = {{4, 0}, {8, 0}, {16, 128}};

std::vector<uint8_t> decoded_by_rows(DType type, PackTarget target, const uint8_t* group) {
  std::vector<uint8_t> records(kInt8RecordsBytes);
  const Int8Decoder decode = int8_decoder(type, target.lanes, target.signed_bias != 0);
  for (uint32_t row = 0; row < kGroupRows; row++) {
    uint8_t* record = records.data() + row / target.lanes * kFormatInt8.record_bytes(kRecord, target.lanes);
    const uint32_t lane = row % target.lanes;
    decode(group + row * dtype_info(type).block_bytes,
           record + kFormatInt8.codes_offset(kRecord, target.lanes) + 4 * lane,
           reinterpret_cast<float*>(record) + lane);
  }
  return records;
}

// A group that lies at the end of its memory, so that sanitizers see what reads beyond it.
void expect_the_same(DType type, PackTarget target, const std::vector<uint8_t>& group) {
  const auto exact = std::make_unique<uint8_t[]>(group.size());
  std::memcpy(exact.get(), group.data(), group.size());
  std::vector<uint8_t> records(kInt8RecordsBytes);
  group_decoder(type, target)(exact.get(), nullptr, records.data());
  const std::vector<uint8_t> expected = decoded_by_rows(type, target, group.data());
  for (size_t i = 0; i < records.size(); i++) {
    ASSERT_EQ(records[i], expected[i]) << dtype_info(type).name << ", " << target.lanes << " lanes, byte " << i;
  }
}

TEST(GroupDecoder, GivesTheRecordsOfRowsDecodedOneByOne) {
  std::mt19937 rng(7);
  int seen = 0;
  for (const PackTarget target : kTargets) {
    for (const DType type : kTypes) {
      if (group_decoder(type, target) == nullptr) continue;
      seen++;
      std::vector<uint8_t> group(kGroupRows * dtype_info(type).block_bytes);
      for (int round = 0; round < 200; round++) {
        for (uint8_t& byte : group) byte = static_cast<uint8_t>(rng());
        expect_the_same(type, target, group);
      }
      for (const int all : {0x00, 0xff, 0x80, 0x01}) {
        std::fill(group.begin(), group.end(), static_cast<uint8_t>(all));
        expect_the_same(type, target, group);
      }
    }
  }
  if (seen == 0) GTEST_SKIP() << "no vectors for this CPU";
}

TEST(GroupDecoder, IsForCodebookTypesAlone) {
  for (const DType type : {DType::kQ4_K, DType::kIQ4_NL, DType::kTQ1_0, DType::kF16}) {
    for (const PackTarget target : kTargets) EXPECT_EQ(group_decoder(type, target), nullptr);
  }
  EXPECT_EQ(group_decoder(DType::kIQ3_S, {1, 0}), nullptr);
}

}  // namespace
}  // namespace ingle::cpu
