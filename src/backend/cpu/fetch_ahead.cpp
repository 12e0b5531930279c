#include "backend/cpu/fetch_ahead.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <vector>

#include "backend/cpu/kernels/activation_block.h"

namespace ingle::cpu {
namespace {

constexpr uint32_t kTries = 6;  // in turn without and with; the fastest of each counts
constexpr size_t kLeastBytes = size_t{4} << 20, kMostBytes = size_t{16} << 20;  // of a try
constexpr double kGain = 1.05;                                                  // that is no accident

using Lines = std::vector<ActivationBlock>;  // 64-byte aligned memory

// Of the product of `count` groups with one column.
double seconds_of(const KernelTable& table, const PackedMatrix& matrix, uint32_t first, uint32_t count,
                  ThreadPool& pool, std::vector<Lines>& scratch) {
  constexpr uint32_t kGroups = 16;  // a call
  const Lines x(activation_bytes(matrix.type, matrix.cols) / sizeof(ActivationBlock));
  std::atomic<uint32_t> next{0};
  const auto start = std::chrono::steady_clock::now();
  pool.run([&](uint32_t thread) {
    float out[kGroups * kGroupRows];
    for (uint32_t g = next.fetch_add(kGroups); g < count; g = next.fetch_add(kGroups)) {
      table.matmul(matrix, first + g, std::min(kGroups, count - g), x.data(), x.size() * sizeof(ActivationBlock), 1,
                   out, std::size(out), scratch[thread].data());
    }
  });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

bool fetching_ahead_pays(const KernelTable& table, PackedMatrix matrix, ThreadPool& pool) {
  const size_t group_bytes = table.packed_bytes(matrix.type, matrix.rows, matrix.cols) / std::max(matrix.groups(), 1u);
  if (group_bytes == 0) return false;
  const auto count = static_cast<uint32_t>(std::min<size_t>(matrix.groups() / kTries, kMostBytes / group_bytes));
  if (count * group_bytes < kLeastBytes) return false;
  std::vector<Lines> scratch(pool.size());
  for (Lines& lines : scratch) lines.resize(table.matmul_scratch_bytes / sizeof(ActivationBlock));
  double best[2] = {std::numeric_limits<double>::max(), std::numeric_limits<double>::max()};
  for (uint32_t i = 0; i < kTries; i++) {
    matrix.fetch_ahead = i % 2 == 1;
    double& fastest = best[i % 2];
    fastest = std::min(fastest, seconds_of(table, matrix, i * count, count, pool, scratch));
  }
  return best[1] * kGain < best[0];
}

}  // namespace ingle::cpu
