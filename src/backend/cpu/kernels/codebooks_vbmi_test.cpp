#include "backend/cpu/kernels/codebooks_vbmi.h"

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

std::vector<uint8_t> decoded_by_rows(DType type, const uint8_t* group) {
  std::vector<uint8_t> record(kInt8RecordsBytes);
  const Int8Decoder decode = int8_decoder(type, kGroupRows, true);
  for (uint32_t row = 0; row < kGroupRows; row++) {
    decode(group + row * dtype_info(type).block_bytes,
           record.data() + kFormatInt8.codes_offset(kRecord, kGroupRows) + 4 * row,
           reinterpret_cast<float*>(record.data()) + row);
  }
  return record;
}

// A group that lies at the end of its memory, so that sanitizers see what reads beyond it.
void expect_the_same(DType type, const std::vector<uint8_t>& group) {
  const auto exact = std::make_unique<uint8_t[]>(group.size());
  std::memcpy(exact.get(), group.data(), group.size());
  std::vector<uint8_t> record(kInt8RecordsBytes);
  vbmi_group_decoder(type)(exact.get(), nullptr, record.data());
  const std::vector<uint8_t> expected = decoded_by_rows(type, group.data());
  for (size_t i = 0; i < record.size(); i++) {
    ASSERT_EQ(record[i], expected[i]) << dtype_info(type).name << ", byte " << i << " of the record";
  }
}

TEST(VbmiGroupDecoder, GivesTheRecordsOfRowsDecodedOneByOne) {
  std::mt19937 rng(7);
  for (const DType type : kTypes) {
    if (vbmi_group_decoder(type) == nullptr) GTEST_SKIP() << "this CPU has no AVX-512 VBMI";
    std::vector<uint8_t> group(kGroupRows * dtype_info(type).block_bytes);
    for (int round = 0; round < 200; round++) {
      for (uint8_t& byte : group) byte = static_cast<uint8_t>(rng());
      expect_the_same(type, group);
    }
    for (const int all : {0x00, 0xff, 0x80, 0x01}) {
      std::fill(group.begin(), group.end(), static_cast<uint8_t>(all));
      expect_the_same(type, group);
    }
  }
}

TEST(VbmiGroupDecoder, IsForCodebookTypesAlone) {
  for (const DType type : {DType::kQ4_K, DType::kIQ4_NL, DType::kTQ1_0, DType::kF16}) {
    EXPECT_EQ(vbmi_group_decoder(type), nullptr);
  }
}

}  // namespace
}  // namespace ingle::cpu
