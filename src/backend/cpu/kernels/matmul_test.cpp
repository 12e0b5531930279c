#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/kernels/activation_block.h"
#include "backend/cpu/kernels/kernels.h"
#include "tensor/int8_decode.h"

namespace ingle::cpu {
namespace {

constexpr uint32_t kMaxColumns = 17;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Exactly `bytes` bytes on a 64-byte boundary, so that the sanitizers see the first byte beyond.
class Buffer {
 public:
  explicit Buffer(size_t bytes) : data_(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{64}))) {
    std::memset(data_.get(), 0x5a, bytes);
  }
  std::byte* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte, Free> data_;
};

// NaN equals NaN: payloads and signs of NaN are the hardware's.
bool same_bits(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

std::vector<DType> matmul_types() {
  std::vector<DType> types;
  for (const DTypeInfo& info : all_dtypes()) {
    if (info.dequantizable) types.push_back(info.type);
  }
  return types;
}

bool is_float(DType type) { return dtype_info(type).block_values == 1; }

std::vector<uint32_t> widths(DType type) {
  if (is_float(type)) return {1, 7, 33, 256, 300};
  if (dtype_info(type).block_values == 32) return {32, 64, 256, 288, 576, 1024, 2080};
  return {256, 1024, 2304};
}

// Where a block keeps its f16 scales.
std::vector<uint32_t> half_scale_offsets(DType type) {
  switch (type) {
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      return {0, 2};
    case DType::kQ2_K:
      return {80, 82};
    case DType::kQ3_K:
      return {108};
    case DType::kQ6_K:
      return {208};
    case DType::kTQ1_0:
      return {52};
    case DType::kTQ2_0:
      return {64};
    case DType::kMXFP4:
    case DType::kIQ1_M:
      return {};
    default:
      return {0};
  }
}

enum class Content { kOrdinary, kAnyBits };

std::vector<uint8_t> random_rows(DType type, uint32_t rows, uint32_t cols, Content content, std::mt19937& rng) {
  const DTypeInfo& info = dtype_info(type);
  const size_t blocks = size_t{rows} * cols / info.block_values;
  std::vector<uint8_t> bytes(blocks * info.block_bytes);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(rng());
  if (content == Content::kAnyBits) return bytes;
  const auto put = [&](size_t at, auto value) { std::memcpy(&bytes[at], &value, sizeof value); };
  std::uniform_real_distribution<float> real(-2, 2);
  for (size_t b = 0; b < blocks; b++) {
    const size_t at = b * info.block_bytes;
    if (type == DType::kF32) put(at, real(rng));
    if (type == DType::kF16) put(at, float_to_half(real(rng)));
    if (type == DType::kBF16) put(at, float_to_bfloat16(real(rng)));
    if (type == DType::kMXFP4) bytes[at] = static_cast<uint8_t>(120 + rng() % 10);
    if (type == DType::kIQ1_M) bytes[at + 55] = static_cast<uint8_t>((bytes[at + 55] & 0x0f) | 0x20);  // |d| < 0.02
    if (is_float(type)) continue;
    for (uint32_t offset : half_scale_offsets(type)) put(at + offset, float_to_half(real(rng) * 0.01f));
  }
  return bytes;
}

std::vector<float> random_columns(uint32_t cols, uint32_t columns, std::mt19937& rng) {
  std::vector<float> x(size_t{cols} * columns);
  std::normal_distribution<float> normal;
  for (float& v : x) v = normal(rng);
  return x;
}

// Blocks with everything that arithmetic has to offer.
std::vector<float> awkward_columns(uint32_t cols, uint32_t columns, std::mt19937& rng) {
  std::vector<float> x = random_columns(cols, columns, rng);
  constexpr float kAwkward[] = {0.0f,   -0.0f,  1e-45f,     -1e-45f,   1e-38f, 3e38f,
                                -3e38f, 127.5f, -kInfinity, kInfinity, 1e-20f, std::numeric_limits<float>::quiet_NaN()};
  for (size_t i = 0; i < x.size(); i++) {
    if (rng() % 97 == 0) x[i] = kAwkward[rng() % std::size(kAwkward)];
    if (i / 32 % 5 == 3) x[i] *= 1e-40f;
    if (i / 32 % 7 == 6) x[i] = 0;
  }
  return x;
}

// The activations of all columns, as matmul_group reads them.
struct Activations {
  Activations(const KernelTable& table, DType type, const std::vector<float>& x, uint32_t cols)
      : stride(activation_bytes(type, cols)), bytes(stride * (x.size() / cols)) {
    for (size_t c = 0; c < x.size() / cols; c++) {
      std::byte* to = bytes.data() + c * stride;
      if (is_block_quantized(type)) {
        table.quantize(&x[c * cols], cols, reinterpret_cast<ActivationBlock*>(to));
      } else {
        std::memcpy(to, &x[c * cols], cols * sizeof(float));
      }
    }
  }
  size_t stride;
  Buffer bytes;
};

class Packed {
 public:
  Packed(const KernelTable& table, DType type, const std::vector<uint8_t>& src, uint32_t rows, uint32_t cols)
      : table_(table),
        bytes_(table.packed_bytes(type, rows, cols)),
        matrix_{.type = type, .rows = rows, .cols = cols, .data = bytes_.data()} {
    for (uint32_t g = 0; g < matrix_.groups(); g++) table.pack_group(matrix_, g, src.data(), src.size() / rows);
  }
  const PackedMatrix& matrix() const { return matrix_; }

  uint32_t several_strips = Tiling().several_strips;

  // [columns][groups * kGroupRows]; checks that nothing else was written.
  std::vector<float> times(const Activations& x, uint32_t columns) const {
    return times(x, columns, 0, matrix_.groups());
  }
  std::vector<float> times(const Activations& x, uint32_t columns, uint32_t first_group, uint32_t group_count) const {
    constexpr float kGuard = 12345.678f;
    const size_t rows = size_t{group_count} * kGroupRows, stride = rows + 3;
    std::vector<float> out(stride * columns, kGuard), dense;
    Buffer scratch(table_.matmul_scratch_bytes);
    PackedMatrix matrix = matrix_;
    matrix.tiling = {FetchAhead{static_cast<uint8_t>(columns % 3)}, several_strips};  // which changes no bit
    table_.matmul(matrix, first_group, group_count, x.bytes.data(), x.stride, columns, out.data(), stride,
                  scratch.data());
    for (size_t i = 0; i < out.size(); i++) {
      if (i % stride < rows) {
        dense.push_back(out[i]);
      } else {
        EXPECT_EQ(out[i], kGuard) << "wrote outside its rows";
      }
    }
    return dense;
  }

 private:
  const KernelTable& table_;
  Buffer bytes_;
  PackedMatrix matrix_;
};

const KernelTable& scalar() { return *find_table("scalar"); }

class MatmulTest : public testing::TestWithParam<DType> {
 protected:
  // Every table against the scalar table, by numbers of columns of which the last is x's.
  void compare_tables(uint32_t cols, uint32_t rows, Content content, const std::vector<float>& x,
                      const std::vector<uint32_t>& numbers = {1, 2, 3, 4, 5, 6, 7, 8, 9, kMaxColumns}) {
    const DType type = GetParam();
    const std::vector<uint8_t> src = random_rows(type, rows, cols, content, rng_);
    const std::vector<float> want =
        Packed(scalar(), type, src, rows, cols).times({scalar(), type, x, cols}, numbers.back());
    for (const KernelTable* table : available_tables()) {
      Packed packed(*table, type, src, rows, cols);
      const Activations activations(*table, type, x, cols);
      for (uint32_t columns : numbers) {
        for (const uint32_t several : {Tiling().several_strips, 0u}) {
          if (several == 0 && rows < 4 * kGroupRows) continue;  // they are too few for several strips anyway
          packed.several_strips = several;
          const std::vector<float> got = packed.times(activations, columns);
          const auto differ = std::mismatch(got.begin(), got.end(), want.begin(), same_bits);
          ASSERT_EQ(differ.first, got.end())
              << table->name << ", " << rows << " rows of " << cols << ", " << columns << " columns: element "
              << differ.first - got.begin() << " is " << *differ.first << ", not " << *differ.second;
        }
      }
    }
  }
  std::mt19937 rng_{static_cast<uint32_t>(GetParam()) + 1};
};

TEST_P(MatmulTest, EveryTableGivesTheScalarBits) {
  for (uint32_t cols : widths(GetParam())) {
    for (uint32_t rows : {1u, 15u, 16u, 37u}) {
      compare_tables(cols, rows, Content::kOrdinary, random_columns(cols, kMaxColumns, rng_));
    }
  }
  // Tiles of four groups, twice, and one group more.
  const uint32_t cols = widths(GetParam()).back();
  compare_tables(cols, 9 * kGroupRows - 3, Content::kOrdinary, random_columns(cols, kMaxColumns, rng_));
}

TEST_P(MatmulTest, EveryTableGivesTheScalarBitsOfAwkwardNumbers) {
  for (uint32_t cols : widths(GetParam())) {
    compare_tables(cols, 16, Content::kAnyBits, random_columns(cols, kMaxColumns, rng_));
    compare_tables(cols, 16, Content::kAnyBits, awkward_columns(cols, kMaxColumns, rng_));
    compare_tables(cols, 16, Content::kOrdinary, awkward_columns(cols, kMaxColumns, rng_));
  }
}

// As many as tile registers take, in tiles that are full and not, in one pass over the weights and more.
TEST_P(MatmulTest, EveryTableGivesTheScalarBitsOfManyColumns) {
  const std::vector<uint32_t> all = widths(GetParam());
  for (uint32_t cols : {all[1], all.back()}) {
    compare_tables(cols, 17, Content::kOrdinary, random_columns(cols, 47, rng_), {32, 47});
    compare_tables(cols, 16, Content::kAnyBits, awkward_columns(cols, 41, rng_), {41});
  }
  compare_tables(all[0], 17, Content::kOrdinary, random_columns(all[0], 150, rng_), {31, 128, 150});
}

// Against sums in double of what the bytes mean. The bound: each of the rounded operations of the definition and of
// dequantize() loses at most half an ulp of a partial result, all of which are at most the sum of `magnitude` below.
TEST_P(MatmulTest, ScalarTableIsCloseToDouble) {
  const DType type = GetParam();
  for (uint32_t cols : widths(type)) {
    const std::vector<uint8_t> src = random_rows(type, kGroupRows, cols, Content::kOrdinary, rng_);
    const std::vector<float> x = random_columns(cols, 3, rng_);
    const Activations activations(scalar(), type, x, cols);
    const std::vector<float> got = Packed(scalar(), type, src, kGroupRows, cols).times(activations, 3);
    std::vector<float> w(size_t{kGroupRows} * cols);
    dequantize(type, src.data(), w.data(), w.size());
    // A code and a minimum may nearly cancel: partial results are as large as the largest weight of the row.
    for (uint32_t row = 0; row < kGroupRows; row++) {
      float largest = 0;
      for (uint32_t i = 0; i < cols; i++) largest = std::max(largest, std::abs(w[row * cols + i]));
      for (uint32_t c = 0; c < 3; c++) {
        const std::byte* column = activations.bytes.data() + c * activations.stride;
        double sum = 0, magnitude = 0;
        for (uint32_t i = 0; i < cols; i++) {
          const auto* blocks = reinterpret_cast<const ActivationBlock*>(column);
          const double y = is_block_quantized(type) ? double{blocks[i / 32].scale} * blocks[i / 32].quants[i % 32]
                                                    : double{reinterpret_cast<const float*>(column)[i]};
          sum += w[row * cols + i] * y;
          magnitude += 2.0 * largest * std::abs(y);
        }
        const double operations = is_float(type) ? cols : cols / 16 * 2 + 6;
        EXPECT_NEAR(got[c * kGroupRows + row], sum, operations * 0x1p-24 * magnitude) << cols << " columns";
      }
    }
  }
}

TEST_P(MatmulTest, UnpackGivesWhatDequantizeGives) {
  const DType type = GetParam();
  for (Content content : {Content::kOrdinary, Content::kAnyBits}) {
    for (uint32_t cols : widths(type)) {
      const std::vector<uint8_t> src = random_rows(type, kGroupRows, cols, content, rng_);
      std::vector<float> want(size_t{kGroupRows} * cols), got(cols);
      dequantize(type, src.data(), want.data(), want.size());
      for (const KernelTable* table : available_tables()) {
        const Packed packed(*table, type, src, kGroupRows, cols);
        for (uint32_t row = 0; row < kGroupRows; row++) {
          table->unpack_row(packed.matrix(), row, got.data());
          for (uint32_t i = 0; i < cols; i++) {
            ASSERT_TRUE(same_bits(got[i], want[row * cols + i])) << table->name << " row " << row << " column " << i
                                                                 << ": " << got[i] << ", not " << want[row * cols + i];
          }
        }
      }
    }
  }
}

TEST_P(MatmulTest, RowsOfAnyAlignmentAndDistancePack) {
  const DType type = GetParam();
  const uint32_t cols = widths(type).back(), rows = 3;
  const std::vector<uint8_t> src = random_rows(type, rows, cols, Content::kOrdinary, rng_);
  const size_t row_bytes = src.size() / rows, distance = row_bytes + 13;
  std::vector<uint8_t> spread(distance * rows + 1);
  for (uint32_t row = 0; row < rows; row++) std::memcpy(&spread[1 + row * distance], &src[row * row_bytes], row_bytes);
  for (const KernelTable* table : available_tables()) {
    const size_t bytes = table->packed_bytes(type, rows, cols);
    Buffer dense(bytes), other(bytes);
    table->pack_group({type, rows, cols, dense.data()}, 0, src.data(), row_bytes);
    table->pack_group({type, rows, cols, other.data()}, 0, &spread[1], distance);
    EXPECT_EQ(std::memcmp(dense.data(), other.data(), bytes), 0) << table->name;
  }
}

TEST_P(MatmulTest, RowsPastTheEndGiveZero) {
  const DType type = GetParam();
  const uint32_t cols = widths(type).back();
  const std::vector<uint8_t> src = random_rows(type, 1, cols, Content::kOrdinary, rng_);
  const std::vector<float> x = random_columns(cols, 1, rng_);
  for (const KernelTable* table : available_tables()) {
    const std::vector<float> out = Packed(*table, type, src, 1, cols).times({*table, type, x, cols}, 1);
    for (uint32_t row = 1; row < kGroupRows; row++) EXPECT_EQ(out[row], 0) << table->name;
  }
}

TEST_P(MatmulTest, NanStaysInItsColumn) {
  const DType type = GetParam();
  const uint32_t cols = widths(type).back();
  const std::vector<uint8_t> src = random_rows(type, kGroupRows, cols, Content::kOrdinary, rng_);
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
    std::vector<float> x = random_columns(cols, 9, rng_);
    x[4 * cols + cols / 2] = bad;
    for (const KernelTable* table : available_tables()) {
      const std::vector<float> out = Packed(*table, type, src, kGroupRows, cols).times({*table, type, x, cols}, 9);
      for (uint32_t i = 0; i < out.size(); i++) {
        EXPECT_EQ(std::isfinite(out[i]), i / kGroupRows != 4) << table->name << " element " << i;
      }
    }
  }
}

TEST_P(MatmulTest, PackedSizeIsCloseToTheFiles) {
  const DType type = GetParam();
  const uint32_t cols = is_float(type) ? 1000 : 2048, rows = 1024;
  // TQ1_0's digits are unfolded to bits.
  const DType like = type == DType::kTQ1_0 ? DType::kTQ2_0 : type;
  const double file = static_cast<double>(*dtype_bytes(like, uint64_t{cols} * rows));
  for (const KernelTable* table : available_tables()) {
    const size_t packed = table->packed_bytes(type, rows, cols);
    EXPECT_EQ(packed % 64, 0u);
    EXPECT_LE(static_cast<double>(packed), 1.03 * file) << table->name;
  }
}

TEST_P(MatmulTest, AnyRunOfGroupsGivesTheSameBits) {
  constexpr uint32_t kColumns = 13, kGroups = 6;
  const DType type = GetParam();
  const uint32_t cols = widths(type).back(), rows = kGroups * kGroupRows - 2;
  const std::vector<uint8_t> src = random_rows(type, rows, cols, Content::kOrdinary, rng_);
  const std::vector<float> x = random_columns(cols, kColumns, rng_);
  for (const KernelTable* table : available_tables()) {
    const Packed packed(*table, type, src, rows, cols);
    const Activations activations(*table, type, x, cols);
    const std::vector<float> all = packed.times(activations, kColumns);
    for (const uint32_t columns : {1u, 2u, 3u, kColumns}) {
      for (uint32_t first = 0; first < kGroups; first++) {
        for (uint32_t count = 0; first + count <= kGroups; count++) {
          const std::vector<float> some = packed.times(activations, columns, first, count);
          for (size_t i = 0; i < some.size(); i++) {
            const size_t column = i / (count * kGroupRows), row = first * kGroupRows + i % (count * kGroupRows);
            ASSERT_TRUE(same_bits(some[i], all[column * kGroups * kGroupRows + row])) << table->name;
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, MatmulTest, testing::ValuesIn(matmul_types()),
                         [](const auto& test) { return std::string(dtype_info(test.param).name); });

TEST(MatmulTypesTest, TypesWithoutArithmeticHaveNoPackedForm) {
  for (DType type : {DType::kQ8_1, DType::kQ8_K, DType::kI8, DType::kI16, DType::kI32, DType::kI64, DType::kF64}) {
    for (const KernelTable* table : available_tables()) EXPECT_EQ(table->packed_bytes(type, 16, 256), 0u);
    EXPECT_FALSE(is_block_quantized(type));
  }
}

std::vector<ActivationBlock> quantize(const KernelTable& table, const std::vector<float>& x) {
  std::vector<ActivationBlock> blocks(x.size() / 32);
  table.quantize(x.data(), static_cast<uint32_t>(x.size()), blocks.data());
  return blocks;
}

void expect_same(const ActivationBlock& a, const ActivationBlock& b) {
  EXPECT_EQ(std::memcmp(a.quants, b.quants, sizeof a.quants), 0);
  EXPECT_TRUE(same_bits(a.scale, b.scale));
  EXPECT_TRUE(same_bits(a.scaled_sum, b.scaled_sum));
  EXPECT_EQ(a.sum, b.sum);
  for (int h = 0; h < 2; h++) {
    EXPECT_TRUE(same_bits(a.scaled_half_sum[h], b.scaled_half_sum[h]));
    EXPECT_EQ(a.half_sum[h], b.half_sum[h]);
  }
}

TEST(QuantizeTest, EveryTableGivesTheScalarBlocks) {
  std::mt19937 rng(5);
  std::vector<float> x = awkward_columns(32, 500, rng);
  for (uint32_t i = 0; i < 32 * 500; i++) x.push_back(std::bit_cast<float>(static_cast<uint32_t>(rng())));
  // Blocks of one magnitude: bits that are not finite are rare in them.
  for (uint32_t i = 0; i < 32 * 500; i++)
    x.push_back(std::ldexp(static_cast<float>(rng() % 4096), static_cast<int>(i / 32 % 276) - 149));
  const auto want = quantize(scalar(), x);
  for (const KernelTable* table : available_tables()) {
    const auto got = quantize(*table, x);
    for (size_t b = 0; b < got.size(); b++) expect_same(got[b], want[b]);
    EXPECT_FALSE(testing::Test::HasFailure()) << table->name;
  }
}

TEST(QuantizeTest, BlocksAreWithinHalfAStep) {
  std::mt19937 rng(6);
  const std::vector<float> x = random_columns(32, 1000, rng);
  const auto blocks = quantize(scalar(), x);
  for (size_t b = 0; b < blocks.size(); b++) {
    int half_sum[2] = {}, largest = 0;
    for (size_t i = 0; i < 32; i++) {
      const int q = blocks[b].quants[i];
      // Half a step, and a few ulp of 127 steps for the two divisions, the product and the rounding of the scale.
      EXPECT_LE(std::abs(double{x[b * 32 + i]} - double{blocks[b].scale} * q), blocks[b].scale * (0.5 + 127 * 0x1p-22));
      half_sum[i / 16] += q;
      largest = std::max(largest, std::abs(q));
    }
    EXPECT_EQ(largest, 127);
    EXPECT_EQ(blocks[b].half_sum[0], half_sum[0]);
    EXPECT_EQ(blocks[b].half_sum[1], half_sum[1]);
    EXPECT_EQ(blocks[b].sum, half_sum[0] + half_sum[1]);
    EXPECT_EQ(blocks[b].scaled_sum, blocks[b].scale * static_cast<float>(blocks[b].sum));
  }
}

TEST(QuantizeTest, TiesGoToEven) {
  std::vector<float> x(32, 0.0f);
  x[0] = 127;
  const float ties[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 126.5f, -126.5f};
  const int want[] = {0, 2, 2, 0, -2, 126, -126};
  std::copy(std::begin(ties), std::end(ties), x.begin() + 1);
  for (const KernelTable* table : available_tables()) {
    const ActivationBlock block = quantize(*table, x)[0];
    EXPECT_EQ(block.scale, 1);
    for (size_t i = 0; i < std::size(want); i++) EXPECT_EQ(block.quants[1 + i], want[i]) << table->name;
  }
}

TEST(QuantizeTest, ZerosTinyValuesAndNotFiniteOnes) {
  for (const KernelTable* table : available_tables()) {
    for (float v : {0.0f, -0.0f, 1e-45f, 1e-38f}) {
      const ActivationBlock block = quantize(*table, std::vector<float>(32, v))[0];
      EXPECT_EQ(block.scale, 0);
      EXPECT_EQ(block.scaled_sum, 0);
      for (int8_t q : block.quants) EXPECT_EQ(q, 0);
    }
    for (float v : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
      for (size_t at : {0, 13, 31}) {
        std::vector<float> x(32, 1.0f);
        x[at] = v;
        const ActivationBlock block = quantize(*table, x)[0];
        EXPECT_TRUE(std::isnan(block.scale) && std::isnan(block.scaled_sum));
        for (int8_t q : block.quants) EXPECT_EQ(q, 0);
      }
    }
    const ActivationBlock largest = quantize(*table, std::vector<float>(32, std::numeric_limits<float>::max()))[0];
    EXPECT_TRUE(std::isfinite(largest.scale));
    EXPECT_EQ(largest.quants[31], 127);
  }
}

TEST(DispatchTest, TablesAreBestFirstAndFoundByName) {
  const auto tables = available_tables();
  ASSERT_FALSE(tables.empty());
  EXPECT_EQ(tables.back()->name, "scalar");
  EXPECT_EQ(find_table(""), tables.front());
  for (const KernelTable* table : tables) EXPECT_EQ(find_table(table->name), table);
  EXPECT_EQ(find_table("mmx"), nullptr);
}

}  // namespace
}  // namespace ingle::cpu
