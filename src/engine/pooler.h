// Makes one vector of a text's final hidden states as they come, in the order of their positions. Loop thread only.
// The sums are in double and in that order, so that the bits depend on nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/request.h"

namespace ingle {

class Pooler {
 public:
  explicit Pooler(const EmbeddingOptions& options) : options_(options) {}

  // Of all positions, or of the one that counts.
  void add(std::span<const float> hidden);
  // Once all have been added. Error: kInternal if the model computed what is no number.
  Result<std::vector<float>> finish() const;

 private:
  const EmbeddingOptions options_;
  std::vector<double> sum_;
  uint32_t count_ = 0;
};

}  // namespace ingle
