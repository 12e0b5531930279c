#include "backend/cpu/tiling.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <iterator>
#include <vector>

#include "backend/cpu/kernels/activation_block.h"
#include "backend/cpu/kernels/block_format.h"
#include "backend/cpu/kernels/packed.h"

namespace ingle::cpu {
namespace {

constexpr FetchAhead kFetches[] = {FetchAhead::kNever, FetchAhead::kIntoL2, FetchAhead::kIntoL1};
// What is measured, and the widths of tiles that each stands for. Up to kFew columns memory is the limit, and fetching
// ahead makes a difference. Of many, all tiles but the first find their weights in a cache, as in prefill.
constexpr uint32_t kColumns[] = {1, 4, 32}, kWidths[] = {1 | 2, 4, 8};
constexpr size_t kFew = 2;  // of kColumns
constexpr uint32_t kAllWidths = 1 | 2 | 4 | 8;
constexpr uint32_t kWays = 2 * (kFew * std::size(kFetches) + std::size(kColumns) - kFew);
constexpr uint32_t kRounds = 5;   // of all ways in turn; the median of each counts: some may find weights in a cache
constexpr uint32_t kGroups = 16;  // a call
constexpr size_t kLeastBytes = size_t{256} << 10,
                 kMostBytes = size_t{4} << 20;  // that a way reads each time; of large rows more
constexpr double kGain = 1.03;                  // that is no accident

using Lines = std::vector<ActivationBlock>;  // 64-byte aligned memory

// Calls of the kernel, one after the other through all the matrices and around again.
class Calls {
 public:
  Calls(const KernelTable& table, std::span<const PackedMatrix> alike, ThreadPool& pool)
      : table_(table), alike_(alike), pool_(pool), scratch_(pool.size()) {
    const PackedMatrix& one = alike.front();
    per_matrix_ = one.groups() / kGroups;
    if (per_matrix_ == 0) return;
    const size_t call_bytes = table.packed_bytes(one.type, one.rows, one.cols) / per_matrix_;
    if (call_bytes == 0) return;
    // All threads have work, and within a round no part comes twice.
    const size_t enough = std::max<size_t>(kMostBytes / call_bytes, pool.size());
    count_ = static_cast<uint32_t>(std::min<size_t>(total() / kWays, enough));
    if (count_ * call_bytes < kLeastBytes || count_ < pool.size()) count_ = 0;
    for (Lines& lines : scratch_) lines.resize(table.matmul_scratch_bytes / sizeof(ActivationBlock));
    x_bytes_ = activation_bytes(one.type, one.cols);
    x_.resize(*std::ranges::max_element(kColumns) * x_bytes_ / sizeof(ActivationBlock));
  }
  bool too_small() const { return count_ == 0; }

  double seconds(uint32_t columns, Tiling tiling) {
    std::atomic<uint32_t> next{0};
    const auto start = std::chrono::steady_clock::now();
    pool_.run([&](uint32_t thread) {
      float out[*std::ranges::max_element(kColumns) * kGroups * kGroupRows];
      for (uint32_t i = next++; i < count_; i = next++) {
        const uint32_t call = (first_ + i) % total();
        PackedMatrix matrix = alike_[call / per_matrix_];
        matrix.tiling = tiling;
        table_.matmul(matrix, call % per_matrix_ * kGroups, kGroups, x_.data(), x_bytes_, columns, out,
                      kGroups * kGroupRows, scratch_[thread].data());
      }
    });
    first_ = (first_ + count_) % total();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  uint32_t total() const { return per_matrix_ * static_cast<uint32_t>(alike_.size()); }

  const KernelTable& table_;
  const std::span<const PackedMatrix> alike_;
  ThreadPool& pool_;
  std::vector<Lines> scratch_;
  Lines x_;
  size_t x_bytes_ = 0;
  uint32_t per_matrix_ = 0, count_ = 0, first_ = 0;
};

// How many of kFetches make a difference. Tiles of what is decoded first read a cache; decoding asks ahead by itself.
size_t fetches_of(size_t column, DType type) {
  const bool streams = is_float_type(type) || block_format(type) != nullptr;
  return column < kFew && streams ? std::size(kFetches) : 1;
}

// Of each way, by the places in kColumns and kFetches, with one strip at a time and with several.
using Seconds = std::array<std::array<std::array<double, 2>, std::size(kFetches)>, std::size(kColumns)>;

template <class Visit>
void for_each_way(DType type, const Visit& visit) {
  for (size_t c = 0; c < std::size(kColumns); c++) {
    for (size_t f = 0; f < fetches_of(c, type); f++) {
      for (const bool several : {false, true}) visit(c, f, several);
    }
  }
}

Seconds measure(Calls& calls, DType type) {
  std::array<Seconds, kRounds> rounds;
  for (Seconds& seconds : rounds) {
    for_each_way(type, [&](size_t c, size_t f, bool several) {
      const Tiling tiling{.fetch_ahead = kFetches[f], .several_strips = several ? kAllWidths : 0};
      seconds[c][f][several] = calls.seconds(kColumns[c], tiling);
    });
  }
  Seconds medians = {};
  for_each_way(type, [&](size_t c, size_t f, bool several) {
    std::array<double, kRounds> samples;
    for (uint32_t round = 0; round < kRounds; round++) samples[round] = rounds[round][c][f][several];
    std::ranges::nth_element(samples, samples.begin() + kRounds / 2);
    medians[c][f][several] = samples[kRounds / 2];
  });
  return medians;
}

}  // namespace

Tiling best_tiling(const KernelTable& table, std::span<const PackedMatrix> alike, ThreadPool& pool) {
  if (alike.empty() || table.name == "scalar") return {};  // which has one way, and takes long
  Calls calls(table, alike, pool);
  if (calls.too_small()) return {};
  const DType type = alike.front().type;
  const Seconds seconds = measure(calls, type);
  const auto with_few_columns = [&](size_t f) {
    double sum = 0;
    for (size_t c = 0; c < kFew; c++) sum += std::ranges::min(seconds[c][f]);
    return sum;
  };
  size_t best = 0;
  for (size_t f = 1; f < fetches_of(0, type); f++) {
    if (with_few_columns(f) * (best == 0 ? kGain : 1) < with_few_columns(best)) best = f;
  }
  Tiling tiling{.fetch_ahead = kFetches[best], .several_strips = 0};
  for (size_t c = 0; c < std::size(kColumns); c++) {
    const auto& [one, several] = seconds[c][c < kFew ? best : 0];
    if (several * kGain <= one) tiling.several_strips |= kWidths[c];
  }
  return tiling;
}

}  // namespace ingle::cpu
