#include "support/random_model.h"

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>

#include "base/check.h"
#include "format/gguf_writer.h"

namespace ingle::test {
namespace {

// SplitMix64 (Steele et al., 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  float uniform() { return static_cast<float>(static_cast<int64_t>(next() >> 40)) * 0x1p-24f; }

 private:
  uint64_t state_;
};

// Where the f16 scales of a block of each type lie.
const std::map<DType, std::vector<size_t>>& scale_offsets() {
  static const std::map<DType, std::vector<size_t>> offsets = {
      {DType::kQ4_0, {0}},    {DType::kQ4_1, {0, 2}},   {DType::kQ5_0, {0}},    {DType::kQ5_1, {0, 2}},
      {DType::kQ8_0, {0}},    {DType::kQ2_K, {80, 82}}, {DType::kQ3_K, {108}},  {DType::kQ4_K, {0, 2}},
      {DType::kQ5_K, {0, 2}}, {DType::kQ6_K, {208}},    {DType::kIQ2_XXS, {0}}, {DType::kIQ2_XS, {0}},
      {DType::kIQ2_S, {0}},   {DType::kIQ3_XXS, {0}},   {DType::kIQ3_S, {0}},   {DType::kIQ1_S, {0}},
      {DType::kIQ4_NL, {0}},  {DType::kIQ4_XS, {0}},    {DType::kTQ1_0, {52}},  {DType::kTQ2_0, {64}},
  };
  return offsets;
}

void set_scale(DType type, uint8_t* block, float scale) {
  const uint16_t half = float_to_half(scale);
  if (type == DType::kMXFP4) {
    block[0] = static_cast<uint8_t>(128 + std::lround(std::log2(scale)));
  } else if (type == DType::kIQ1_M) {  // four nibbles, each the top of a 16-bit word of sub-scales
    for (int i = 0; i < 4; i++) {
      uint8_t& top = block[48 + 2 * i + 1];
      top = static_cast<uint8_t>((top & 15) | (half >> 4 * i & 15) << 4);
    }
  } else {
    for (const size_t offset : scale_offsets().at(type)) std::memcpy(block + offset, &half, sizeof(half));
  }
}

void set_scales(DType type, std::vector<uint8_t>& bytes, float scale) {
  const size_t step = dtype_info(type).block_bytes;
  for (size_t i = 0; i < bytes.size(); i += step) set_scale(type, bytes.data() + i, scale);
}

double root_mean_square(DType type, const std::vector<uint8_t>& bytes, size_t values) {
  std::vector<float> floats(values);
  dequantize(type, bytes.data(), floats.data(), values);
  double sum = 0;
  for (const float value : floats) sum += double{value} * value;
  return std::sqrt(sum / static_cast<double>(values));
}

std::vector<uint8_t> random_matrix(DType type, uint32_t rows, uint32_t cols, Random& random) {
  const size_t values = size_t{rows} * cols;
  std::vector<uint8_t> bytes(dtype_bytes(type, values).value());
  const float target = 1.0f / std::sqrt(static_cast<float>(cols));
  if (dtype_info(type).block_values == 1) {
    for (size_t i = 0; i < values; i++) {
      const float value = (2 * random.uniform() - 1) * 1.7f * target;
      const uint16_t narrow = type == DType::kF16 ? float_to_half(value) : float_to_bfloat16(value);
      if (type == DType::kF32) {
        std::memcpy(bytes.data() + 4 * i, &value, 4);
      } else {
        std::memcpy(bytes.data() + 2 * i, &narrow, 2);
      }
    }
    return bytes;
  }
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.next() >> 56);
  set_scales(type, bytes, 1.0f);
  set_scales(type, bytes, static_cast<float>(target / root_mean_square(type, bytes, values)));
  return bytes;
}

class ModelWriter {
 public:
  explicit ModelWriter(const RandomModelSpec& spec) : spec_(spec), random_(spec.seed) {}

  void matrix(const std::string& name, uint32_t rows, uint32_t cols) {
    const DType type = spec_.types[next_type_++ % spec_.types.size()];
    add(name + ".weight", type, {cols, rows}, random_matrix(type, rows, cols, random_));
  }
  void norm(const std::string& name, uint32_t width) {
    std::vector<uint8_t> bytes(width * sizeof(float));
    for (uint32_t i = 0; i < width; i++) {
      const float value = 0.5f + random_.uniform();
      std::memcpy(bytes.data() + i * sizeof(float), &value, sizeof(float));
    }
    add(name + ".weight", DType::kF32, {width}, std::move(bytes));
  }
  void set(const std::string& key, const GgufValue& value) { check(writer_.set(key, value)); }
  void write(const std::filesystem::path& path) { check(writer_.write(path)); }

 private:
  static void check(const Status& status) {
    if (!status.ok()) throw std::runtime_error(status.error().to_string());
  }
  void add(const std::string& name, DType type, std::vector<uint64_t> shape, std::vector<uint8_t> bytes) {
    kept_.push_back(std::make_unique<std::vector<uint8_t>>(std::move(bytes)));
    check(writer_.add_tensor(name, type, std::move(shape), *kept_.back()));
  }

  const RandomModelSpec& spec_;
  Random random_;
  GgufWriter writer_;
  size_t next_type_ = 0;
  std::vector<std::unique_ptr<std::vector<uint8_t>>> kept_;  // the writer reads them at the end
};

}  // namespace

void write_random_model(const RandomModelSpec& spec, const std::filesystem::path& path) {
  ModelWriter model(spec);
  const std::string prefix = spec.architecture + ".";
  model.set("general.architecture", std::string_view(spec.architecture));
  model.set(prefix + "block_count", spec.layers);
  model.set(prefix + "context_length", spec.context_length);
  model.set(prefix + "embedding_length", spec.dim);
  model.set(prefix + "feed_forward_length", spec.mlp_dim);
  model.set(prefix + "attention.head_count", spec.heads);
  model.set(prefix + "attention.head_count_kv", spec.kv_heads);
  model.set(prefix + "attention.key_length", spec.head_dim);
  model.set(prefix + "attention.value_length", spec.head_dim);
  model.set(prefix + "attention.layer_norm_rms_epsilon", 1e-5f);
  model.matrix("token_embd", spec.vocab, spec.dim);
  model.norm("output_norm", spec.dim);
  model.matrix("output", spec.vocab, spec.dim);
  for (uint32_t i = 0; i < spec.layers; i++) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    model.norm(layer + "attn_norm", spec.dim);
    model.matrix(layer + "attn_q", spec.heads * spec.head_dim, spec.dim);
    model.matrix(layer + "attn_k", spec.kv_heads * spec.head_dim, spec.dim);
    model.matrix(layer + "attn_v", spec.kv_heads * spec.head_dim, spec.dim);
    model.matrix(layer + "attn_output", spec.dim, spec.heads * spec.head_dim);
    model.norm(layer + "ffn_norm", spec.dim);
    model.matrix(layer + "ffn_gate", spec.mlp_dim, spec.dim);
    model.matrix(layer + "ffn_up", spec.mlp_dim, spec.dim);
    model.matrix(layer + "ffn_down", spec.dim, spec.mlp_dim);
  }
  model.write(path);
}

}  // namespace ingle::test
