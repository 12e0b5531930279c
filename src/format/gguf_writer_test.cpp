#include "format/gguf_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "format/gguf.h"

namespace ingle {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A folder of this test's own, removed at the end.
class GgufWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("ingle-") + test->name() + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path path(const char* name) const { return folder_ / name; }
  size_t files() const { return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {})); }

  fs::path folder_;
};

// Random metadata and tensors of every kind: what a file may say, not what models do.
struct RandomFile {
  std::mt19937_64 random;
  std::map<std::string, GgufValue> metadata;
  struct Tensor {
    DType type;
    std::vector<uint64_t> shape;
    std::vector<uint8_t> bytes;
  };
  std::map<std::string, Tensor> tensors;
  uint32_t alignment = kGgufDefaultAlignment;
  std::vector<std::string> texts;  // what string values view

  explicit RandomFile(uint64_t seed) : random(seed) {
    texts.resize(200);
    for (std::string& text : texts) text = string(below(40));
    if (below(2) == 0) {
      alignment = 8u << below(8);
      metadata["general.alignment"] = alignment;
    }
    for (uint64_t i = below(40); i > 0; --i) metadata[std::string("k").append(string(1 + below(20)))] = value();
    for (uint64_t i = below(12); i > 0; --i) add_tensor();
  }

  uint64_t below(uint64_t n) { return random() % n; }
  // Any bytes, zeros and invalid UTF-8 too.
  std::string string(uint64_t length) {
    std::string s(length, '\0');
    for (char& c : s) c = static_cast<char>(random());
    return s;
  }
  template <typename T>
  T scalar() {
    if constexpr (std::is_same_v<T, bool>) {
      return random() & 1;
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      return texts[below(texts.size())];
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<T>(static_cast<double>(random()) / 3.0 - 1e18);
    } else {
      return static_cast<T>(random());
    }
  }
  template <size_t kIndex = 0>
  GgufArray array(size_t index) {
    if constexpr (kIndex == std::variant_size_v<GgufArray>) {
      return {};
    } else {
      if (index != kIndex) return array<kIndex + 1>(index);
      std::variant_alternative_t<kIndex, GgufArray> values;
      for (uint64_t i = below(30); i > 0; --i) values.push_back(scalar<typename decltype(values)::value_type>());
      return values;
    }
  }
  template <size_t kIndex = 0>
  GgufValue value_of(size_t index) {
    if constexpr (kIndex == std::variant_size_v<GgufValue>) {
      return {};
    } else {
      if (index != kIndex) return value_of<kIndex + 1>(index);
      using T = std::variant_alternative_t<kIndex, GgufValue>;
      if constexpr (std::is_same_v<T, GgufArray>) {
        return array(below(std::variant_size_v<GgufArray>));
      } else {
        return GgufValue(std::in_place_index<kIndex>, scalar<T>());
      }
    }
  }
  GgufValue value() { return value_of(below(std::variant_size_v<GgufValue>)); }
  void add_tensor() {
    const DTypeInfo& info = all_dtypes()[below(all_dtypes().size())];
    Tensor t{info.type, {info.block_values * (1 + below(3))}, {}};
    for (uint64_t i = below(4); i > 0; --i) t.shape.push_back(1 + below(3));
    uint64_t values = 1;
    for (const uint64_t size : t.shape) values *= size;
    t.bytes.resize(*dtype_bytes(info.type, values));
    for (uint8_t& b : t.bytes) b = static_cast<uint8_t>(random());
    tensors[std::string("t").append(string(1 + below(30)))] = std::move(t);
  }
};

// Hands out the bytes in pieces of odd sizes.
GgufWriter::Source in_pieces(std::span<const uint8_t> bytes) {
  return [bytes](const GgufWriter::Sink& sink) -> Status {
    for (size_t at = 0; at < bytes.size(); at += 13) {
      RETURN_IF_ERROR(sink(bytes.subspan(at, std::min<size_t>(13, bytes.size() - at))));
    }
    return {};
  };
}

TEST_F(GgufWriterTest, WhatIsWrittenIsRead) {
  for (uint64_t seed = 0; seed < 150; ++seed) {
    const RandomFile file(seed);
    GgufWriter writer;
    for (const auto& [key, value] : file.metadata) ASSERT_TRUE(writer.set(key, value).ok());
    for (const auto& [name, t] : file.tensors) {
      const Status added = seed % 2 ? writer.add_tensor(name, t.type, t.shape, t.bytes)
                                    : writer.add_tensor(name, t.type, t.shape, in_pieces(t.bytes));
      ASSERT_TRUE(added.ok());
    }
    const Status written = writer.write(path("f.gguf"));
    ASSERT_TRUE(written.ok()) << written.error().to_string();

    const Result<GgufFile> read = GgufFile::open(path("f.gguf"));
    ASSERT_TRUE(read.ok()) << "seed " << seed << ": " << read.error().to_string();
    EXPECT_EQ(read->version(), 3u);
    EXPECT_EQ(read->alignment(), file.alignment);
    ASSERT_EQ(read->metadata().size(), file.metadata.size());
    for (const auto& [key, value] : file.metadata) {
      ASSERT_NE(read->find(key), nullptr) << "seed " << seed;
      EXPECT_EQ(*read->find(key), value) << "seed " << seed;
    }
    ASSERT_EQ(read->tensors().size(), file.tensors.size());
    for (const auto& [name, t] : file.tensors) {
      const GgufTensor* tensor = read->find_tensor(name);
      ASSERT_NE(tensor, nullptr) << "seed " << seed;
      EXPECT_EQ(tensor->type, t.type);
      EXPECT_EQ(tensor->shape, t.shape);
      const auto bytes = read->bytes(*tensor);
      EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), t.bytes.begin(), t.bytes.end())) << "seed " << seed;
    }
  }
}

TEST_F(GgufWriterTest, SetReplacesInPlace) {
  GgufWriter writer;
  ASSERT_TRUE(writer.set("a", uint32_t{1}).ok());
  ASSERT_TRUE(writer.set("b", "old").ok());
  ASSERT_TRUE(writer.set("a", true).ok());
  ASSERT_TRUE(writer.set_strings("b", std::vector<std::string>{"x", ""}).ok());
  ASSERT_TRUE(writer.write(path("f.gguf")).ok());
  const Result<GgufFile> read = GgufFile::open(path("f.gguf"));
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  ASSERT_EQ(read->metadata().size(), 2u);
  EXPECT_EQ(read->metadata()[0].key, "a");
  EXPECT_EQ(read->metadata()[0].value, GgufValue(true));
  EXPECT_EQ(**read->strings("b"), (std::vector<std::string_view>{"x", ""}));
}

TEST_F(GgufWriterTest, RefusesWhatAReaderWould) {
  GgufWriter writer;
  const std::vector<uint8_t> bytes(64);
  EXPECT_THAT(writer.set("", true).error().message, HasSubstr("key of 0 bytes"));
  EXPECT_THAT(writer.set(std::string(65536, 'k'), true).error().message, HasSubstr("65536"));
  for (const GgufValue& v : {GgufValue(uint32_t{0}), GgufValue(uint32_t{4}), GgufValue(uint32_t{48}),
                             GgufValue(uint32_t{1} << 31), GgufValue(uint64_t{32})}) {
    EXPECT_THAT(writer.set("general.alignment", v).error().message, HasSubstr("general.alignment"));
  }
  ASSERT_TRUE(writer.add_tensor("t", DType::kF32, {16}, bytes).ok());
  EXPECT_THAT(writer.add_tensor("t", DType::kF32, {16}, bytes).error().message, HasSubstr("already"));
  EXPECT_THAT(writer.add_tensor("", DType::kF32, {16}, bytes).error().message, HasSubstr("name of 0 bytes"));
  EXPECT_THAT(writer.add_tensor("u", DType::kF32, {15}, bytes).error().message, HasSubstr("60 bytes"));
  EXPECT_THAT(writer.add_tensor("u", DType::kF32, {}, bytes).error().message, HasSubstr("0 dimensions"));
  EXPECT_THAT(writer.add_tensor("u", DType::kF32, {1, 1, 1, 1, 16}, bytes).error().message, HasSubstr("5 dimensions"));
  EXPECT_THAT(writer.add_tensor("u", DType::kF32, {16, 0}, bytes).error().message, HasSubstr("dimension of 0"));
  EXPECT_THAT(writer.add_tensor("u", DType::kQ8_0, {16, 2}, bytes).error().message, HasSubstr("no multiple of 32"));
  EXPECT_THAT(writer.add_tensor("u", DType::kF32, {1ull << 62}, bytes).error().message, HasSubstr("wraps"));
  EXPECT_THAT(writer.add_tensor("u", DType::kI8, {1ull << 32, 1ull << 32}, bytes).error().message, HasSubstr("wraps"));
}

TEST_F(GgufWriterTest, ASourceThatFailsLeavesNoFile) {
  const std::vector<uint8_t> bytes(8);
  const auto gives = [&](size_t count) {
    return [&bytes, count](const GgufWriter::Sink& sink) { return sink(std::span(bytes).first(count)); };
  };
  GgufWriter little, much, failing;
  ASSERT_TRUE(little.add_tensor("t", DType::kF32, {1}, gives(3)).ok());
  EXPECT_THAT(little.write(path("f.gguf")).error().message, HasSubstr("3 bytes of 4"));
  ASSERT_TRUE(much.add_tensor("t", DType::kF32, {1}, gives(5)).ok());
  EXPECT_THAT(much.write(path("f.gguf")).error().message, HasSubstr("more than the bytes of 4"));
  ASSERT_TRUE(failing
                  .add_tensor("t", DType::kF32, {1},
                              [](const GgufWriter::Sink&) -> Status {
                                return Error{ErrorCode::kCancelled, "stopped", ""};
                              })
                  .ok());
  EXPECT_EQ(failing.write(path("f.gguf")).error().message, "stopped");
  EXPECT_EQ(files(), 0u);
}

TEST_F(GgufWriterTest, AFullDiskIsReportedAndTheOldFileStays) {
  std::ofstream(path("f.gguf")) << "old";
  const std::vector<uint8_t> bytes(1 << 20);
  GgufWriter writer;
  ASSERT_TRUE(writer.add_tensor("t", DType::kI8, {bytes.size()}, bytes).ok());
  // A limit on the size of files stands in for a full disk: the same error path, without a disk to fill.
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100000, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status written = writer.write(path("f.gguf"));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(written.error().message, HasSubstr("f.gguf"));
  EXPECT_EQ(files(), 1u);
  std::string text;
  std::getline(std::ifstream(path("f.gguf")), text);
  EXPECT_EQ(text, "old");
}

TEST_F(GgufWriterTest, BadPlacesAreErrors) {
  const GgufWriter writer;
  EXPECT_EQ(writer.write(path("none") / "f.gguf").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(writer.write(folder_).error().code, ErrorCode::kIo);
  EXPECT_EQ(files(), 0u);
}

}  // namespace
}  // namespace ingle
