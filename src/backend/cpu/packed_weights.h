// A graph's weights as the CPU kernels read them: matrices interleaved by row for one kernel table, vectors as floats.
// Packed once at load, in parallel; a source tensor's pages are released as soon as it is packed, so that a load peaks
// at about the file's size and the file may vanish afterwards. Constant afterwards.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "backend/cpu/kernels/kernels.h"
#include "base/anonymous_memory.h"
#include "base/huge_page_collapser.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "graph/graph.h"

namespace ingle::cpu {

class PackedWeights {
 public:
  // Errors: kResourceExhausted. progress gets the fraction packed so far, on the calling thread.
  static Result<PackedWeights> pack(const Graph& graph, const KernelTable& table, ThreadPool& pool,
                                    const std::function<void(double)>& progress);

  const PackedMatrix& matrix(const Tensor& tensor) const;  // weight of an embed or linear op
  const float* vector(const Tensor& tensor) const;         // weight of a norm, or a bias
  size_t size_bytes() const { return arena_.size_bytes(); }
  // Waits until the weights lie as they will stay: see HugePageCollapser.
  void settle() {
    if (collapser_ != nullptr) collapser_->wait();
  }

 private:
  std::vector<PackedMatrix> commonest(const KernelTable& table, std::span<const Tensor* const> order) const;

  // Tensors are told apart by their bytes, so that tied weights are packed once.
  std::unordered_map<const uint8_t*, PackedMatrix> matrices_;
  std::unordered_map<const uint8_t*, std::vector<float>> vectors_;
  AnonymousMemory arena_;
  std::unique_ptr<HugePageCollapser> collapser_;  // of the arena; goes first
};

}  // namespace ingle::cpu
