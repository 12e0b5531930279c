// The logits of every tiny model against the official implementation's (tests/golden/README.md): normalised mean
// squared error at most 1e-8 with F32 weights and F32 KV, on every instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "backend/cpu/kernels/kernels.h"
#include "support/model_runner.h"

namespace ingle::test {
namespace {

namespace fs = std::filesystem;

constexpr double kMaxError = 1e-8;

struct Golden {
  std::vector<int32_t> tokens, positions;
  std::vector<float> logits;  // [positions, vocab]
};

// The integers of the array that follows "name" in the small JSON files beside the logits.
std::vector<int32_t> read_ints(const std::string& json, const std::string& name) {
  std::vector<int32_t> values;
  const size_t key = json.find('"' + name + '"');
  EXPECT_NE(key, std::string::npos) << name;
  size_t i = json.find('[', key) + 1;
  while (i < json.size() && json[i] != ']') {
    if (std::isdigit(static_cast<unsigned char>(json[i])) != 0) {
      size_t length = 0;
      values.push_back(std::stoi(json.substr(i, 12), &length));
      i += length;
    } else {
      i++;
    }
  }
  return values;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

Golden read_golden(const fs::path& json_path) {
  const std::string json = read_file(json_path);
  Golden golden{read_ints(json, "tokens"), read_ints(json, "positions"), {}};
  const std::string bytes = read_file(fs::path(json_path).replace_extension(".f32"));
  golden.logits.resize(bytes.size() / sizeof(float));
  std::copy_n(bytes.data(), golden.logits.size() * sizeof(float), reinterpret_cast<char*>(golden.logits.data()));
  return golden;
}

double normalised_error(const Golden& golden, const std::vector<float>& ours, uint32_t vocab) {
  double error = 0, variance = 0;
  for (size_t r = 0; r < golden.positions.size(); r++) {
    const float* want = golden.logits.data() + r * vocab;
    const float* have = ours.data() + static_cast<size_t>(golden.positions[r]) * vocab;
    double mean = 0;
    for (uint32_t i = 0; i < vocab; i++) mean += double{want[i]} / static_cast<double>(vocab);
    for (uint32_t i = 0; i < vocab; i++) {
      error += (have[i] - double{want[i]}) * (have[i] - double{want[i]});
      variance += (want[i] - mean) * (want[i] - mean);
    }
  }
  return error / variance;
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(fs::path(INGLE_TESTS) / "golden")) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class GoldenLogits : public testing::TestWithParam<std::string> {};

TEST_P(GoldenLogits, MatchOfficialImplementation) {
  const fs::path tests = INGLE_TESTS;
  const Golden golden = read_golden(tests / "golden" / (GetParam() + ".json"));
  ModelRunner model(tests / "models" / fs::path(GetParam()).replace_extension(".gguf"));
  ASSERT_FALSE(golden.positions.empty());
  ASSERT_EQ(golden.logits.size(), golden.positions.size() * model.output_width());
  for (const cpu::KernelTable* table : cpu::available_tables()) {
    RunSettings settings;
    settings.isa = table->name;
    settings.kv_type = KvType::kF32;
    const double error = normalised_error(golden, model.outputs(golden.tokens, settings), model.output_width());
    EXPECT_LE(error, kMaxError) << table->name;
    RecordProperty(std::string(table->name), std::to_string(error));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenLogits, testing::ValuesIn(cases()), [](const auto& model) {
  std::string name = model.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
});

}  // namespace
}  // namespace ingle::test
