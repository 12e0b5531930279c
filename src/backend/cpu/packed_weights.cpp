#include "backend/cpu/packed_weights.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <tuple>
#include <utility>

#include "backend/cpu/tiling.h"
#include "base/check.h"
#include "base/checked.h"

namespace ingle::cpu {
namespace {

bool has_matrix(const Op& op) { return op.kind == OpKind::kEmbed || op.kind == OpKind::kLinear; }

std::vector<float> to_floats(const Tensor& tensor) {
  std::vector<float> values(tensor.cols);
  dequantize(tensor.type, tensor.data, values.data(), values.size());
  return values;
}

size_t packed_bytes(const PackedMatrix& matrix, const KernelTable& table) {
  return table.packed_bytes(matrix.type, matrix.rows, matrix.cols);
}

// Groups [first, last).
void pack_groups(const Tensor& tensor, const PackedMatrix& matrix, uint32_t first, uint32_t last,
                 const KernelTable& table, ThreadPool& pool) {
  constexpr uint32_t kGroupsPerTask = 16;
  std::atomic<uint32_t> next{first};
  const size_t row_bytes = tensor.row_bytes();
  pool.run([&](uint32_t) {
    for (uint32_t begin = next.fetch_add(kGroupsPerTask); begin < last; begin = next.fetch_add(kGroupsPerTask)) {
      for (uint32_t g = begin; g < std::min(begin + kGroupsPerTask, last); g++) {
        table.pack_group(matrix, g, tensor.data, row_bytes);
      }
    }
  });
}

// In stretches whose source pages are given back before the next is read: of a tensor of hundreds of MiB, such as an
// output matrix, source and packed form never lie in memory together.
void pack_matrix(const Tensor& tensor, const PackedMatrix& matrix, const KernelTable& table, ThreadPool& pool) {
  constexpr size_t kStretchBytes = size_t{16} << 20;
  const size_t row_bytes = tensor.row_bytes(), group_bytes = row_bytes * kGroupRows;
  const auto stretch = static_cast<uint32_t>(std::clamp<size_t>(kStretchBytes / group_bytes, 1, matrix.groups()));
  for (uint32_t first = 0; first < matrix.groups(); first += stretch) {
    const uint32_t last = std::min(first + stretch, matrix.groups());
    pack_groups(tensor, matrix, first, last, table, pool);
    const uint64_t begin = first * group_bytes, end = std::min<uint64_t>(last * group_bytes, tensor.bytes());
    if (tensor.release) tensor.release(begin, end - begin);
  }
}

}  // namespace

Result<PackedWeights> PackedWeights::pack(const Graph& graph, const KernelTable& table, ThreadPool& pool,
                                          const std::function<void(double)>& progress) {
  PackedWeights packed;
  std::vector<const Tensor*> order;
  size_t total_bytes = 0;
  for (const Op& op : graph.ops()) {
    if (has_matrix(op)) {
      const auto [it, added] = packed.matrices_.emplace(
          op.weight.data, PackedMatrix{.type = op.weight.type, .rows = op.weight.rows, .cols = op.weight.cols});
      if (!added) continue;
      total_bytes += packed_bytes(it->second, table);
      order.push_back(&op.weight);
    } else if (op.kind == OpKind::kRmsNorm || op.kind == OpKind::kLayerNorm) {
      packed.vectors_.emplace(op.weight.data, to_floats(op.weight));
    }
    if (!op.bias.empty()) packed.vectors_.emplace(op.bias.data, to_floats(op.bias));
  }
  const bool collapse_later = HugePageCollapser::available();
  ASSIGN_OR_RETURN(packed.arena_, AnonymousMemory::allocate(total_bytes, !collapse_later));
  std::byte* next = packed.arena_.data();
  for (const Tensor* tensor : order) {
    PackedMatrix& matrix = packed.matrices_.at(tensor->data);
    matrix.data = next;
    next += packed_bytes(matrix, table);
    pack_matrix(*tensor, matrix, table, pool);
    if (progress) progress(static_cast<double>(next - packed.arena_.data()) / static_cast<double>(total_bytes));
  }
  const Tiling tiling = best_tiling(table, packed.commonest(table, order), pool);
  for (auto& [source, matrix] : packed.matrices_) matrix.tiling = tiling;
  if (collapse_later) packed.collapser_ = std::make_unique<HugePageCollapser>(packed.arena_.data(), total_bytes);
  return packed;
}

// The matrices of the type and shape that most bytes have, in order.
std::vector<PackedMatrix> PackedWeights::commonest(const KernelTable& table,
                                                   std::span<const Tensor* const> order) const {
  std::map<std::tuple<DType, uint32_t, uint32_t>, std::vector<PackedMatrix>> alike;
  for (const Tensor* tensor : order) {
    alike[{tensor->type, tensor->rows, tensor->cols}].push_back(matrix(*tensor));
  }
  std::vector<PackedMatrix> most;
  size_t most_bytes = 0;
  for (auto& [shape, matrices] : alike) {
    const size_t bytes = matrices.size() * packed_bytes(matrices.front(), table);
    if (bytes <= most_bytes) continue;
    most = std::move(matrices);
    most_bytes = bytes;
  }
  return most;
}

const PackedMatrix& PackedWeights::matrix(const Tensor& tensor) const {
  const auto it = matrices_.find(tensor.data);
  CHECK(it != matrices_.end());
  return it->second;
}

const float* PackedWeights::vector(const Tensor& tensor) const {
  const auto it = vectors_.find(tensor.data);
  CHECK(it != vectors_.end());
  return it->second.data();
}

}  // namespace ingle::cpu
