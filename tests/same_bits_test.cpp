// One request, one output: the logits have the same bits on every instruction set, with any number of threads, in any
// chunks, alone or among others, with the prefix computed or shared. The digests are committed
// (tests/golden/digests.txt), so builds by other compilers and for other machines are held to them too.
//
// After a deliberate change of the numerics (docs/numerics.md): INGLE_UPDATE_DIGESTS=1 same_bits_test writes them anew.
// INGLE_SMOLLM2=FILE adds the default model, pairwise.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "backend/cpu/kernels/kernels.h"
#include "support/model_runner.h"
#include "support/random_model.h"

namespace ingle::test {
namespace {

constexpr uint32_t kPrefix = kPageTokens;

// CI runs the Arm build under an emulator; the scalar table is the reference alone there: its settings are the
// native builds'.
#if defined(__x86_64__)
constexpr bool kEmulated = false;
#else
constexpr bool kEmulated = true;
#endif

const std::filesystem::path kDigests = std::filesystem::path(INGLE_TESTS) / "golden" / "digests.txt";

const char* kv_name(KvType type) { return type == KvType::kF16 ? "f16" : type == KvType::kQ8_0 ? "q8_0" : "f32"; }

std::map<std::string, std::string> read_digests() {
  std::map<std::string, std::string> digests;
  std::ifstream in(kDigests);
  std::string model, kv, digest;
  while (in >> model >> kv >> digest) digests[model + " " + kv] = digest;
  return digests;
}

void write_digest(const std::string& key, const std::string& value) {
  auto digests = read_digests();
  digests[key] = value;
  std::ofstream out(kDigests);
  for (const auto& [name, digest] : digests) out << name << " " << digest << "\n";
}

std::string hex(uint64_t value) {
  std::ostringstream out;
  out << std::hex << value;
  return out.str();
}

std::string describe(const RunSettings& s) {
  std::ostringstream out;
  out << s.isa << ", " << s.threads << " threads, chunk " << s.chunk << ", " << s.companions << " companions, prefix "
      << s.shared_prefix << (s.fuse ? "" : ", not fused");
  return out.str();
}

// The digest of the positions after the prefix, which every setting computes.
std::string run(ModelRunner& model, const std::vector<int32_t>& tokens, const RunSettings& settings) {
  std::vector<float> logits = model.outputs(tokens, settings);
  const size_t tail = (tokens.size() - kPrefix) * model.output_width();
  logits.erase(logits.begin(), logits.end() - static_cast<std::ptrdiff_t>(tail));
  return hex(digest(logits));
}

void check(const std::string& name, KvType kv, const std::string& digest, const std::string& how) {
  const std::string key = name + " " + kv_name(kv);
  if (std::getenv("INGLE_UPDATE_DIGESTS") != nullptr) write_digest(key, digest);
  const auto digests = read_digests();
  const auto known = digests.find(key);
  ASSERT_NE(known, digests.end()) << "no digest of " << key;
  EXPECT_EQ(known->second, digest) << key << ": " << how;
}

// Those that the settings go through.
std::vector<std::string> table_names() {
  std::vector<std::string> names;
  for (const cpu::KernelTable* table : cpu::available_tables()) {
    if (!kEmulated || table->name != "scalar") names.emplace_back(table->name);
  }
  return names;
}

std::vector<std::string> tiny_models() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(INGLE_TESTS) / "models")) {
    if (entry.path().extension() == ".gguf") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Those that the engine runs the model with: an encoder's pages are F32.
std::vector<KvType> kv_types(const ModelRunner& model) {
  return model.is_encoder() ? std::vector{KvType::kF32} : std::vector{KvType::kF16, KvType::kQ8_0};
}

void expect_one_digest(ModelRunner& model, const std::string& name) {
  const std::vector<int32_t> tokens = random_tokens(kPrefix + 13, model.vocab(), 7);
  const std::vector<uint32_t> chunks = model.is_encoder() ? std::vector{512u} : std::vector{1u, 7u, 32u, 512u};
  const std::vector<uint32_t> prefixes = model.is_encoder() ? std::vector{0u} : std::vector{0u, kPrefix};
  for (const KvType kv : kv_types(model)) {
    const std::string reference = run(model, tokens, {.isa = "scalar", .kv_type = kv});
    check(name, kv, reference, "scalar, alone, whole");
    EXPECT_EQ(reference, run(model, tokens, {.isa = "scalar", .chunk = 32, .kv_type = kv, .fuse = false}));
    for (const std::string& isa : table_names()) {
      for (const uint32_t threads : {1u, 2u, 3u}) {
        for (const uint32_t chunk : chunks) {
          for (const uint32_t companions : {0u, 3u}) {
            for (const uint32_t prefix : prefixes) {
              const RunSettings settings{.isa = isa,
                                         .threads = threads,
                                         .chunk = chunk,
                                         .kv_type = kv,
                                         .companions = companions,
                                         .shared_prefix = prefix};
              ASSERT_EQ(reference, run(model, tokens, settings)) << kv_name(kv) << ": " << describe(settings);
            }
          }
        }
      }
    }
  }
}

class SameBits : public testing::TestWithParam<std::string> {};

TEST_P(SameBits, FullProductOnTinyModel) {
  ModelRunner model(std::filesystem::path(INGLE_TESTS) / "models" / (GetParam() + ".gguf"));
  expect_one_digest(model, GetParam());
}

// The tiny models have float weights; these have one matrix after the other in each type there is.
TEST(SameBitsTypes, FullProductOnEveryTensorType) {
  RandomModelSpec spec;
  spec.types.clear();
  for (const DTypeInfo& info : all_dtypes()) {
    if (info.dequantizable) spec.types.push_back(info.type);
  }
  const auto path = std::filesystem::temp_directory_path() / ("ingle-every-type-" + std::to_string(::getpid()));
  write_random_model(spec, path);
  ModelRunner model(path);
  std::filesystem::remove(path);
  expect_one_digest(model, "every-type");
}

INSTANTIATE_TEST_SUITE_P(Models, SameBits, testing::ValuesIn(tiny_models()), [](const auto& model) {
  std::string name = model.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
});

// Each setting against the others in pairs, where the full product would take too long; the slow tables take one row
// each, a different one.
void expect_one_digest_pairwise(ModelRunner& model, const std::string& name, uint32_t tail_tokens) {
  const std::vector<int32_t> tokens = random_tokens(kPrefix + tail_tokens, model.vocab(), 7);
  const uint32_t prefix = model.is_encoder() ? 0 : kPrefix;
  for (const KvType kv : kv_types(model)) {
    size_t slow_tables = 0;
    for (const std::string& isa : table_names()) {
      const std::vector<RunSettings> rows = {
          {.isa = isa, .threads = 1, .chunk = 512, .kv_type = kv},
          {.isa = isa, .threads = 2, .chunk = 7, .kv_type = kv, .companions = 2, .shared_prefix = prefix},
          {.isa = isa, .threads = 3, .chunk = 32, .kv_type = kv, .companions = 3},
          {.isa = isa, .threads = 2, .chunk = 1, .kv_type = kv, .shared_prefix = prefix},
      };
      const bool slow = kEmulated || isa == "scalar";
      for (size_t r = 0; r < rows.size(); r++) {
        if (slow && r != slow_tables % rows.size()) continue;
        check(name, kv, run(model, tokens, rows[r]), describe(rows[r]));
      }
      slow_tables += slow ? 1 : 0;
    }
  }
}

// Long enough for attention to cut its keys into pieces, and for sliding windows to leave pieces behind.
TEST_P(SameBits, AcrossAttentionPieces) {
  ModelRunner model(std::filesystem::path(INGLE_TESTS) / "models" / (GetParam() + ".gguf"));
  expect_one_digest_pairwise(model, GetParam() + "-long", 560);
}

TEST(SameBitsReal, PairwiseOnSmolLM2) {
  const char* path = std::getenv("INGLE_SMOLLM2");
  if (path == nullptr) GTEST_SKIP() << "set INGLE_SMOLLM2 to the default model's file";
  ModelRunner model(path);
  expect_one_digest_pairwise(model, "smollm2-135m-instruct-q4_1", 64);
}

}  // namespace
}  // namespace ingle::test
