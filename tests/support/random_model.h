// Small models with random weights of chosen tensor types, written as GGUF files: for tests of what no published tiny
// model has. The same bytes on every machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace ingle::test {

struct RandomModelSpec {
  std::string architecture = "llama";
  uint32_t layers = 3, dim = 256, heads = 4, kv_heads = 2, head_dim = 64, mlp_dim = 512, vocab = 300;
  uint32_t context_length = 4096;
  std::vector<DType> types = {DType::kF32};  // of the matrices, in turn
  uint32_t seed = 1;
};

// Throws std::runtime_error where the file can't be written.
void write_random_model(const RandomModelSpec& spec, const std::filesystem::path& path);

}  // namespace ingle::test
