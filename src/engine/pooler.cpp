#include "engine/pooler.h"

#include <cmath>

#include "base/check.h"

namespace ingle {

void Pooler::add(std::span<const float> hidden) {
  sum_.resize(hidden.size());
  for (size_t i = 0; i < hidden.size(); i++) sum_[i] += double{hidden[i]};
  count_++;
}

Result<std::vector<float>> Pooler::finish() const {
  CHECK(count_ > 0 && options_.dimensions <= sum_.size());
  std::vector<float> out(options_.dimensions > 0 ? options_.dimensions : sum_.size());
  double squares = 0;
  for (size_t i = 0; i < out.size(); i++) {
    const double mean = sum_[i] / count_;
    squares += mean * mean;
  }
  if (!std::isfinite(squares)) {
    return Error{ErrorCode::kInternal, "the model's hidden state has a value that is not finite",
                 "the file may be damaged, or its weights too large for their type"};
  }
  const double length = options_.normalize && squares > 0 ? std::sqrt(squares) : 1;
  for (size_t i = 0; i < out.size(); i++) out[i] = static_cast<float>(sum_[i] / count_ / length);
  return out;
}

}  // namespace ingle
