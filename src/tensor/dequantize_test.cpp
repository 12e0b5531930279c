#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/int8_decode.h"

namespace ingle {
namespace {

struct Golden {
  DType type;
  std::vector<uint8_t> blocks;
  std::vector<uint32_t> expected;  // the bits of the floats
};

// testdata/dequant_golden.bin, made by scripts/make_dequant_golden.py.
std::vector<Golden> read_golden() {
  std::ifstream file(INGLE_TESTDATA "/dequant_golden.bin", std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<Golden> records;
  for (size_t at = 0; at < bytes.size();) {
    uint32_t number = 0, blocks = 0;
    std::memcpy(&number, bytes.data() + at, 4);
    std::memcpy(&blocks, bytes.data() + at + 4, 4);
    at += 8;
    const DTypeInfo& info = dtype_info(dtype_from_gguf(number).value());
    Golden golden{info.type, std::vector<uint8_t>(blocks * info.block_bytes),
                  std::vector<uint32_t>(blocks * info.block_values)};
    std::memcpy(golden.blocks.data(), bytes.data() + at, golden.blocks.size());
    at += golden.blocks.size();
    std::memcpy(golden.expected.data(), bytes.data() + at, golden.expected.size() * 4);
    at += golden.expected.size() * 4;
    records.push_back(std::move(golden));
  }
  return records;
}

TEST(Dequantize, GivesTheBitsOfGgufQuantsForEveryType) {
  std::set<DType> seen;
  for (const Golden& golden : read_golden()) {
    seen.insert(golden.type);
    // One byte off, as rows of odd-sized blocks are.
    std::vector<uint8_t> shifted(golden.blocks.size() + 1);
    std::memcpy(shifted.data() + 1, golden.blocks.data(), golden.blocks.size());
    std::vector<float> out(golden.expected.size());
    dequantize(golden.type, shifted.data() + 1, out.data(), out.size());
    for (size_t i = 0; i < out.size(); ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), golden.expected[i])
          << dtype_info(golden.type).name << " value " << i << ": " << out[i] << ", expected "
          << std::bit_cast<float>(golden.expected[i]);
    }
  }
  for (const DTypeInfo& info : all_dtypes()) EXPECT_EQ(seen.contains(info.type), info.dequantizable) << info.name;
}

TEST(DecodeToInt8, CodesTimesScalesAreTheBitsOfGgufQuants) {
  int types = 0;
  for (const Golden& golden : read_golden()) {
    if (!decodes_to_int8(golden.type)) continue;
    ++types;
    const size_t values = golden.expected.size();
    std::vector<int8_t> codes(values);
    std::vector<float> scales(values / kInt8ScaleValues);
    decode_to_int8(golden.type, golden.blocks.data(), codes.data(), scales.data(), values);
    for (size_t i = 0; i < values; ++i) {
      ASSERT_LE(std::abs(codes[i]), 62) << dtype_info(golden.type).name;
      const float value = scales[i / kInt8ScaleValues] * static_cast<float>(codes[i]);
      ASSERT_EQ(std::bit_cast<uint32_t>(value), golden.expected[i])
          << dtype_info(golden.type).name << " value " << i << ": " << static_cast<int>(codes[i]);
    }
  }
  EXPECT_EQ(types, 9);
}

}  // namespace
}  // namespace ingle
