#include "format/summary.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace ingle {
namespace {

// general.file_type, by its number. Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
constexpr std::array<std::pair<uint32_t, std::string_view>, 33> kFileTypes = {{
    {0, "F32"},     {1, "F16"},     {2, "Q4_0"},     {3, "Q4_1"},    {7, "Q8_0"},    {8, "Q5_0"},    {9, "Q5_1"},
    {10, "Q2_K"},   {11, "Q3_K_S"}, {12, "Q3_K_M"},  {13, "Q3_K_L"}, {14, "Q4_K_S"}, {15, "Q4_K_M"}, {16, "Q5_K_S"},
    {17, "Q5_K_M"}, {18, "Q6_K"},   {19, "IQ2_XXS"}, {20, "IQ2_XS"}, {21, "Q2_K_S"}, {22, "IQ3_XS"}, {23, "IQ3_XXS"},
    {24, "IQ1_S"},  {25, "IQ4_NL"}, {26, "IQ3_S"},   {27, "IQ3_M"},  {28, "IQ2_S"},  {29, "IQ2_M"},  {30, "IQ4_XS"},
    {31, "IQ1_M"},  {32, "BF16"},   {36, "TQ1_0"},   {37, "TQ2_0"},  {38, "MXFP4"},
}};

std::string quantization_name(const GgufFile& file) {
  if (file.tensors().empty()) return "none";
  if (const Result<uint32_t> number = file.get<uint32_t>("general.file_type"); number.ok()) {
    for (const auto& [known, name] : kFileTypes) {
      if (known == *number) return std::string(name);
    }
  }
  std::map<DType, uint64_t> values;
  for (const GgufTensor& tensor : file.tensors()) values[tensor.type] += tensor.values();
  const auto most =
      std::max_element(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return std::string(dtype_info(most->first).name);
}

}  // namespace

ModelSummary summarize(const GgufFile& file) {
  ModelSummary summary;
  const auto text = [&](std::string_view key) {
    Result<std::string> value = file.get<std::string>(key);
    return value.ok() ? std::move(value).value() : std::string();
  };
  summary.name = text("general.name");
  summary.architecture = text("general.architecture");
  if (summary.architecture.empty()) summary.architecture = "unknown";
  summary.quantization = quantization_name(file);
  summary.file_bytes = file.size_bytes();
  const Result<uint64_t> context = file.get<uint64_t>(summary.architecture + ".context_length");
  if (context.ok()) summary.trained_context = *context;
  for (const GgufTensor& tensor : file.tensors()) {
    summary.parameters += tensor.values();
    summary.type_bytes[std::string(dtype_info(tensor.type).name)] += tensor.size_bytes;
  }
  return summary;
}

}  // namespace ingle
