#include "backend/cpu/packed_weights.h"

#include <algorithm>
#include <atomic>

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

void pack_matrix(const Tensor& tensor, const PackedMatrix& matrix, const KernelTable& table, ThreadPool& pool) {
  constexpr uint32_t kGroupsPerTask = 16;
  std::atomic<uint32_t> next{0};
  const size_t row_bytes = tensor.row_bytes();
  pool.run([&](uint32_t) {
    for (uint32_t first = next.fetch_add(kGroupsPerTask); first < matrix.groups();
         first = next.fetch_add(kGroupsPerTask)) {
      for (uint32_t g = first; g < std::min(first + kGroupsPerTask, matrix.groups()); g++) {
        table.pack_group(matrix, g, tensor.data, row_bytes);
      }
    }
  });
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
    } else if (op.kind == OpKind::kRmsNorm) {
      packed.vectors_.emplace(op.weight.data, to_floats(op.weight));
    }
    if (!op.bias.empty()) packed.vectors_.emplace(op.bias.data, to_floats(op.bias));
  }
  ASSIGN_OR_RETURN(packed.arena_, AnonymousMemory::allocate(total_bytes, true));
  std::byte* next = packed.arena_.data();
  for (const Tensor* tensor : order) {
    PackedMatrix& matrix = packed.matrices_.at(tensor->data);
    matrix.data = next;
    next += packed_bytes(matrix, table);
    pack_matrix(*tensor, matrix, table, pool);
    if (tensor->release) tensor->release();
    if (progress) progress(static_cast<double>(next - packed.arena_.data()) / static_cast<double>(total_bytes));
  }
  return packed;
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
