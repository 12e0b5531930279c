#include "format/weights.h"

#include <fmt/format.h>

#include <utility>

namespace ingle {
namespace {

std::string shape_text(const std::vector<uint64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace

Weights::Weights(const GgufFile& file) : state_(std::make_shared<State>(State{&file, {}})) {}

Weights::Weights(std::shared_ptr<State> state, std::string prefix)
    : state_(std::move(state)), prefix_(std::move(prefix)) {}

Weights Weights::operator[](std::string_view name) const { return {state_, prefix_ + std::string(name) + "."}; }

Tensor Weights::matrix(std::string_view name, uint32_t rows, uint32_t cols) const {
  return bind(name, rows, cols, false);
}
Tensor Weights::vector(std::string_view name, uint32_t n) const { return bind(name, 1, n, false); }
Tensor Weights::optional_vector(std::string_view name, uint32_t n) const { return bind(name, 1, n, true); }

bool Weights::has(std::string_view name) const {
  return state_->file->find_tensor(prefix_ + std::string(name)) != nullptr;
}

void Weights::fail(Error error) const {
  if (state_->status.ok()) state_->status = std::move(error);
}

Tensor Weights::bind(std::string_view name, uint32_t rows, uint32_t cols, bool optional) const {
  Tensor tensor;
  tensor.name = prefix_ + std::string(name);
  tensor.rows = rows;
  tensor.cols = cols;
  const GgufFile& file = *state_->file;
  const GgufTensor* found = file.find_tensor(tensor.name);
  if (found == nullptr) {
    if (!optional) {
      fail({ErrorCode::kInvalidData, fmt::format("tensor {} is missing", gguf_quote(tensor.name)),
            "the file is incomplete or was converted for another model family"});
    }
    return tensor;
  }
  const std::vector<uint64_t> want =
      rows == 1 ? std::vector<uint64_t>{cols} : std::vector<uint64_t>{uint64_t{cols}, uint64_t{rows}};
  std::vector<uint64_t> have = found->shape;
  while (have.size() > want.size() && have.back() == 1) have.pop_back();
  if (have != want) {
    fail({ErrorCode::kInvalidData,
          fmt::format("tensor {} has shape {} where the metadata asks for {}", gguf_quote(tensor.name),
                      shape_text(found->shape), shape_text(want)),
          "the file is damaged or was converted for another model"});
    return tensor;
  }
  if (!dtype_info(found->type).dequantizable) {
    fail({ErrorCode::kUnsupported,
          fmt::format("tensor {} has type {}, which holds no weights this engine can run", gguf_quote(tensor.name),
                      dtype_info(found->type).name),
          "use a file quantised to one of the usual types, such as Q4_K_M or Q8_0"});
    return tensor;
  }
  tensor.type = found->type;
  tensor.data = found->data;
  tensor.release = [&file, found](uint64_t offset_bytes, uint64_t size_bytes) {
    file.release(*found, offset_bytes, size_bytes);
  };
  return tensor;
}

}  // namespace ingle
