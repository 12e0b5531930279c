#include "backend/cpu/fetch_ahead.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>
#include <limits>
#include <numeric>
#include <vector>

#include "backend/cpu/kernels/activation_block.h"

namespace ingle::cpu {
namespace {

constexpr FetchAhead kWays[] = {FetchAhead::kNever, FetchAhead::kIntoL2, FetchAhead::kIntoL1};
constexpr uint32_t kColumns[] = {1, 4};
constexpr uint32_t kRounds = 2;  // of all ways in turn; the fastest of each counts
constexpr uint32_t kParts = std::size(kWays) * std::size(kColumns) * kRounds;   // of the matrix: none comes twice
constexpr size_t kLeastBytes = size_t{2} << 20, kMostBytes = size_t{12} << 20;  // of a part
constexpr double kGain = 1.03;                                                  // that is no accident

using Lines = std::vector<ActivationBlock>;  // 64-byte aligned memory

struct Part {
  uint32_t first_group, group_count;
};

double seconds_of(const KernelTable& table, const PackedMatrix& matrix, Part part, uint32_t columns, ThreadPool& pool,
                  std::vector<Lines>& scratch) {
  constexpr uint32_t kGroups = 16;  // a call
  const size_t x_bytes = activation_bytes(matrix.type, matrix.cols);
  const Lines x(columns * x_bytes / sizeof(ActivationBlock));
  std::atomic<uint32_t> next{0};
  const auto start = std::chrono::steady_clock::now();
  pool.run([&](uint32_t thread) {
    float out[*std::ranges::max_element(kColumns) * kGroups * kGroupRows];
    for (uint32_t g = next.fetch_add(kGroups); g < part.group_count; g = next.fetch_add(kGroups)) {
      table.matmul(matrix, part.first_group + g, std::min(kGroups, part.group_count - g), x.data(), x_bytes, columns,
                   out, kGroups * kGroupRows, scratch[thread].data());
    }
  });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

FetchAhead best_fetch_ahead(const KernelTable& table, PackedMatrix matrix, ThreadPool& pool) {
  const size_t group_bytes = table.packed_bytes(matrix.type, matrix.rows, matrix.cols) / std::max(matrix.groups(), 1u);
  if (group_bytes == 0) return FetchAhead::kNever;
  const auto count = static_cast<uint32_t>(std::min<size_t>(matrix.groups() / kParts, kMostBytes / group_bytes));
  if (count * group_bytes < kLeastBytes) return FetchAhead::kNever;
  std::vector<Lines> scratch(pool.size());
  for (Lines& lines : scratch) lines.resize(table.matmul_scratch_bytes / sizeof(ActivationBlock));
  double fastest[std::size(kWays)][std::size(kColumns)];
  for (auto& of_way : fastest) std::ranges::fill(of_way, std::numeric_limits<double>::max());
  Part part = {0, count};
  for (uint32_t round = 0; round < kRounds; round++) {
    for (size_t c = 0; c < std::size(kColumns); c++) {
      for (size_t way = 0; way < std::size(kWays); way++, part.first_group += count) {
        matrix.fetch_ahead = kWays[way];
        fastest[way][c] = std::min(fastest[way][c], seconds_of(table, matrix, part, kColumns[c], pool, scratch));
      }
    }
  }
  size_t best = 0;
  double seconds[std::size(kWays)];
  for (size_t way = 0; way < std::size(kWays); way++) {
    seconds[way] = std::accumulate(std::begin(fastest[way]), std::end(fastest[way]), 0.0);
    if (seconds[way] * (best == 0 ? kGain : 1) < seconds[best]) best = way;
  }
  return kWays[best];
}

}  // namespace ingle::cpu
