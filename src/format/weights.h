// Weights: a model file's tensors scoped by name, each bound and checked once. Used by the constructors of src/nn and
// src/models on the loading thread. Constructors can't fail, so the first error is kept for the caller to read at the
// end (status()); a tensor that is missing or has the wrong shape is bound to a view of the right shape without bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "format/gguf.h"
#include "tensor/tensor.h"

namespace ingle {

class Weights {
 public:
  // The file must outlive the tensors bound from it.
  explicit Weights(const GgufFile& file);

  // The weights whose names begin with this scope's prefix and `name.`.
  Weights operator[](std::string_view name) const;
  Weights operator[](uint32_t index) const { return (*this)[std::to_string(index)]; }

  // A required matrix [rows, cols] or vector [n].
  Tensor matrix(std::string_view name, uint32_t rows, uint32_t cols) const;
  Tensor vector(std::string_view name, uint32_t n) const;
  // An empty tensor if the file has none of this name; still checked if it does.
  Tensor optional_vector(std::string_view name, uint32_t n) const;
  bool has(std::string_view name) const;

  // Records an error of the model's own checks; the first one stays.
  void fail(Error error) const;
  const Status& status() const { return state_->status; }

 private:
  struct State {
    const GgufFile* file;
    Status status;
  };
  Weights(std::shared_ptr<State> state, std::string prefix);
  Tensor bind(std::string_view name, uint32_t rows, uint32_t cols, bool optional) const;

  std::shared_ptr<State> state_;
  std::string prefix_;
};

}  // namespace ingle
