#include "backend/cpu/kernels/codebooks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <iterator>
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

struct Vectors {
  const char* table;  // of the CPUs that have them
  PackTarget target;
};
constexpr Vectors kVectors[] = {{"neon", {4, 0}}, {"avx2", {8, 0}}, {"avx2", {8, 128}}, {"avx512", {16, 128}}};

// All that this CPU has: the fastest, and what it would be on another.
std::vector<GroupDecoder> decoders_of(DType type, PackTarget target) {
  std::vector<GroupDecoder> decoders{group_decoder(type, target)};
#if defined(__x86_64__)
  const GroupDecoder by_avx2 = avx2_group_decoder(type, target);
  if (by_avx2 != decoders.front()) decoders.push_back(by_avx2);
#endif
  return decoders;
}

std::vector<uint8_t> decoded_by_rows(DType type, PackTarget target, const uint8_t* group) {
  constexpr uint32_t kCols = kRecord * kSubBlock;
  std::vector<uint8_t> records(kInt8RecordsBytes);
  for (uint32_t row = 0; row < kGroupRows; row++) {
    int8_t codes[kCols];
    float scales[kCols / kInt8ScaleValues];
    decode_to_int8(type, group + row * dtype_info(type).block_bytes, codes, scales, kCols);
    const uint32_t lane = row % target.lanes;
    uint8_t* record = records.data() + row / target.lanes * kFormatInt8.record_bytes(kRecord, target.lanes);
    for (uint32_t i = 0; i < std::size(scales); i++) {
      std::memcpy(record + (i * target.lanes + lane) * sizeof(float), &scales[i], sizeof(float));
    }
    record += kFormatInt8.codes_offset(kRecord, target.lanes);
    for (uint32_t i = 0; i < kCols; i++) {
      record[(i / 4 * target.lanes + lane) * 4 + i % 4] = static_cast<uint8_t>(codes[i] + target.signed_bias);
    }
  }
  return records;
}

// A group that lies at the end of its memory, so that sanitizers see what reads beyond it.
void expect_the_same(DType type, PackTarget target, GroupDecoder decode, const std::vector<uint8_t>& group) {
  const auto exact = std::make_unique<uint8_t[]>(group.size());
  std::memcpy(exact.get(), group.data(), group.size());
  std::vector<uint8_t> records(kInt8RecordsBytes);
  decode(exact.get(), nullptr, records.data());
  const std::vector<uint8_t> expected = decoded_by_rows(type, target, group.data());
  for (size_t i = 0; i < records.size(); i++) {
    ASSERT_EQ(records[i], expected[i]) << dtype_info(type).name << ", " << target.lanes << " lanes, byte " << i;
  }
}

void expect_the_same(DType type, PackTarget target, GroupDecoder decode) {
  std::mt19937 rng(7);
  std::vector<uint8_t> group(kGroupRows * dtype_info(type).block_bytes);
  for (int round = 0; round < 200; round++) {
    for (uint8_t& byte : group) byte = static_cast<uint8_t>(rng());
    expect_the_same(type, target, decode, group);
  }
  for (const int all : {0x00, 0xff, 0x80, 0x01}) {
    std::fill(group.begin(), group.end(), static_cast<uint8_t>(all));
    expect_the_same(type, target, decode, group);
  }
}

TEST(GroupDecoder, GivesTheRecordsOfRowsDecodedOneByOne) {
  for (const auto& [table, target] : kVectors) {
    if (find_table(table) == nullptr) continue;
    for (const DType type : kTypes) {
      for (const GroupDecoder decode : decoders_of(type, target)) {
        ASSERT_NE(decode, nullptr) << table << " " << dtype_info(type).name;
        expect_the_same(type, target, decode);
      }
    }
  }
}

TEST(GroupDecoder, IsForCodebookTypesAlone) {
  for (const DType type : {DType::kQ4_K, DType::kIQ4_NL, DType::kTQ1_0, DType::kF16}) {
    for (const Vectors& vectors : kVectors) EXPECT_EQ(group_decoder(type, vectors.target), nullptr);
  }
  EXPECT_EQ(group_decoder(DType::kIQ3_S, {1, 0}), nullptr);
}

}  // namespace
}  // namespace ingle::cpu
