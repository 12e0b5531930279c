#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "format/gguf.h"
#include "format/gguf_bytes_test.h"
#include "format/gguf_writer.h"

namespace ingle {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

GgufFile parse(const GgufBytes& file) {
  Result<GgufFile> result = GgufFile::parse(file.bytes());
  EXPECT_TRUE(result.ok()) << result.error().to_string();
  return std::move(result).value();
}

TEST(GgufReader, ReadsVersions2And3Alike) {
  for (const uint32_t version : {2u, 3u}) {
    GgufBytes bytes(1, 2, version);
    bytes.u32("a", 7).key("s", 8).string("text").tensor("t", {2, 3}, 0, 32).data(32 + 24);
    const GgufFile file = parse(bytes);
    EXPECT_EQ(file.version(), version);
    EXPECT_EQ(file.size_bytes(), bytes.size());
    EXPECT_EQ(file.parts(), 1u);
    ASSERT_EQ(file.metadata().size(), 2u);
    EXPECT_EQ(file.metadata()[1].key, "s");
    EXPECT_EQ(*file.get<uint32_t>("a"), 7u);
    ASSERT_EQ(file.tensors().size(), 1u);
    const GgufTensor& t = file.tensors()[0];
    EXPECT_EQ(t.name, "t");
    EXPECT_THAT(t.shape, ElementsAre(2, 3));
    EXPECT_EQ(t.values(), 6u);
    EXPECT_EQ(t.size_bytes, 24u);
    EXPECT_EQ(t.data + 24, bytes.bytes().data() + bytes.size());
    EXPECT_EQ(file.find_tensor("t"), &t);
    EXPECT_EQ(file.find_tensor("u"), nullptr);
  }
}

TEST(GgufReader, AlignmentPlacesTheData) {
  for (const uint32_t alignment : {8u, 64u, 4096u}) {
    GgufBytes bytes(1, 1);
    bytes.u32("general.alignment", alignment).tensor("t", {4}, 24, alignment).data(alignment, alignment).raw("abcd");
    const GgufFile file = parse(bytes);
    EXPECT_EQ(file.alignment(), alignment);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(file.tensors()[0].data), 4), "abcd") << alignment;
  }
}

TEST(GgufReader, AVocabularyOnlyFileOpens) {
  GgufBytes bytes(0, 1);
  bytes.array("tokenizer.ggml.tokens", 8, 3).string("a").string("").string("\xff");
  const GgufFile file = parse(bytes);
  EXPECT_TRUE(file.tensors().empty());
  EXPECT_THAT(**file.strings("tokenizer.ggml.tokens"), ElementsAre("a", "", "\xff"));
}

TEST(GgufReader, TensorsMayLieInAnyOrderWithGaps) {
  GgufBytes bytes(2, 0);
  bytes.tensor("b", {1}, 24, 96).tensor("a", {2}, 24, 0).data(97);
  const GgufFile file = parse(bytes);
  EXPECT_EQ(file.tensors()[0].name, "b");
  EXPECT_EQ(file.find_tensor("b")->data, file.find_tensor("a")->data + 96);
}

// One value of each kind under the name of its kind, and arrays.
GgufBytes kinds() {
  GgufBytes b(0, 18);
  b.key("u8", 0).put(uint8_t{200}).key("i8", 1).put(int8_t{-3}).key("u16", 2).put(uint16_t{60000});
  b.key("i16", 3).put(int16_t{-300}).u32("u32", 4000000000u).key("i32", 5).put(int32_t{-70000});
  b.key("f32", 6).put(1.5f).key("bool", 7).put(uint8_t{1}).key("string", 8).string("text");
  b.key("u64", 10).put(~uint64_t{0}).key("i64", 11).put(int64_t{-5000000000}).key("f64", 12).put(1e300);
  b.array("floats", 6, 2).put(0.5f).put(-1.0f).array("doubles", 12, 1).put(0.25);
  b.array("ints", 5, 3).put(-1).put(0).put(5).array("bools", 7, 2).raw(std::string_view("\1\0", 2));
  b.array("empty", 4, 0).array("large", 10, 1).put(~uint64_t{0});
  return b;
}

TEST(GgufGetters, IntegersOfAnyWidthThatFit) {
  const GgufBytes bytes = kinds();
  const GgufFile file = parse(bytes);
  EXPECT_EQ(*file.get<uint8_t>("u8"), 200);
  EXPECT_EQ(*file.get<int64_t>("u8"), 200);
  EXPECT_EQ(*file.get<int32_t>("i8"), -3);
  EXPECT_EQ(*file.get<uint32_t>("u16"), 60000u);
  EXPECT_EQ(*file.get<int16_t>("i16"), -300);
  EXPECT_EQ(*file.get<uint64_t>("u32"), 4000000000u);
  EXPECT_EQ(*file.get<int64_t>("i64"), -5000000000);
  EXPECT_EQ(*file.get<uint64_t>("u64"), ~uint64_t{0});
  EXPECT_THAT(file.get<int8_t>("u8").error().message, HasSubstr("'u8' at byte 24 is 200, expected -128 to 127"));
  EXPECT_THAT(file.get<uint32_t>("i8").error().message, HasSubstr("is -3, expected 0 to 4294967295"));
  EXPECT_THAT(file.get<int32_t>("u32").error().message, HasSubstr("is 4000000000, expected"));
  EXPECT_THAT(file.get<int64_t>("u64").error().message, HasSubstr("is 18446744073709551615, expected"));
  EXPECT_THAT(file.get<uint32_t>("u64").error().message, HasSubstr("is 18446744073709551615, expected"));
  EXPECT_THAT(file.get<uint32_t>("f32").error().message, HasSubstr("is f32, expected an integer"));
  EXPECT_THAT(file.get<int32_t>("bool").error().message, HasSubstr("is bool, expected an integer"));
  EXPECT_THAT(file.get<int32_t>("none").error().message, HasSubstr("'none' is missing"));
}

TEST(GgufGetters, FloatsBoolsAndStringsOnlyAsThemselves) {
  const GgufBytes bytes = kinds();
  const GgufFile file = parse(bytes);
  EXPECT_EQ(*file.get<float>("f32"), 1.5f);
  EXPECT_EQ(*file.get<double>("f32"), 1.5);
  EXPECT_EQ(*file.get<double>("f64"), 1e300);
  EXPECT_THAT(file.get<float>("f64").error().message, HasSubstr("'f64'"));
  EXPECT_THAT(file.get<float>("u8").error().message, HasSubstr("is u8, expected f32 or f64"));
  EXPECT_EQ(*file.get<bool>("bool"), true);
  EXPECT_THAT(file.get<bool>("u8").error().message, HasSubstr("is u8, expected bool"));
  EXPECT_EQ(*file.get<std::string>("string"), "text");
  EXPECT_EQ(*file.get<std::string_view>("string"), "text");
  EXPECT_THAT(file.get<std::string>("ints").error().message, HasSubstr("is array of i32, expected string"));
}

TEST(GgufGetters, AbsentKeysHaveADefaultAndWrongTypesHaveNot) {
  const GgufBytes bytes = kinds();
  const GgufFile file = parse(bytes);
  EXPECT_EQ(*file.get_or<uint32_t>("none", 5), 5u);
  EXPECT_EQ(*file.get_or<uint32_t>("u8", 5), 200u);
  EXPECT_EQ(*file.get_or<std::string>("none", "x"), "x");
  EXPECT_EQ(*file.get_or<bool>("none", true), true);
  EXPECT_FALSE(file.get_or<bool>("u8", true).ok());
  EXPECT_FALSE(file.get_or<uint32_t>("i8", 5).ok());
}

TEST(GgufGetters, Arrays) {
  const GgufBytes bytes = kinds();
  const GgufFile file = parse(bytes);
  EXPECT_THAT(*file.floats("floats"), ElementsAre(0.5f, -1.0f));
  EXPECT_THAT(*file.floats("doubles"), ElementsAre(0.25f));
  EXPECT_THAT(*file.ints("ints"), ElementsAre(-1, 0, 5));
  EXPECT_THAT(**file.bools("bools"), ElementsAre(true, false));
  EXPECT_THAT(*file.floats("empty"), ElementsAre());
  EXPECT_THAT(*file.ints("empty"), ElementsAre());
  EXPECT_THAT(file.ints("large").error().message, HasSubstr("18446744073709551615"));
  EXPECT_THAT(file.ints("floats").error().message, HasSubstr("is array of f32, expected array of integers"));
  EXPECT_THAT(file.floats("ints").error().message, HasSubstr("is array of i32, expected array of f32 or f64"));
  EXPECT_THAT(file.floats("f32").error().message, HasSubstr("is f32, expected array of f32 or f64"));
  EXPECT_THAT(file.strings("ints").error().message, HasSubstr("is array of i32, expected array of string"));
  EXPECT_THAT(file.bools("u8").error().message, HasSubstr("is u8, expected array of bool"));
  EXPECT_THAT(file.strings("none").error().message, HasSubstr("missing"));
}

class GgufSplitTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("ingle-") + test->name() + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  struct Part {
    std::vector<std::string> tensors;
    uint16_t number, count = 3;
    int32_t all_tensors = 4;
  };
  // Each tensor is 3 bytes, the first of which is the first letter of its name.
  fs::path write(const char* name, const Part& part) const {
    GgufWriter writer;
    std::vector<std::vector<uint8_t>> bytes;
    bytes.reserve(part.tensors.size());
    EXPECT_TRUE(writer.set("split.no", part.number).ok());
    EXPECT_TRUE(writer.set("split.count", part.count).ok());
    EXPECT_TRUE(writer.set("split.tensors.count", part.all_tensors).ok());
    if (part.number == 0) {
      EXPECT_TRUE(writer.set("general.architecture", "llama").ok());
    }
    for (const std::string& tensor : part.tensors) {
      bytes.push_back({static_cast<uint8_t>(tensor[0]), 1, 2});
      EXPECT_TRUE(writer.add_tensor(tensor, DType::kI8, {3}, bytes.back()).ok());
    }
    EXPECT_TRUE(writer.write(folder_ / name).ok());
    return folder_ / name;
  }
  std::string error_of(const fs::path& path) const {
    const Result<GgufFile> file = GgufFile::open(path);
    return file.ok() ? "opened" : file.error().to_string();
  }

  fs::path folder_;
};

TEST_F(GgufSplitTest, TheFirstPartOpensAll) {
  const fs::path first = write("m-00001-of-00003.gguf", {{}, 0});
  const fs::path second = write("m-00002-of-00003.gguf", {{"a", "b"}, 1});
  const fs::path third = write("m-00003-of-00003.gguf", {{"c", "d"}, 2});
  Result<GgufFile> opened = GgufFile::open(first);
  ASSERT_TRUE(opened.ok()) << opened.error().to_string();
  const GgufFile file = std::move(opened).value();
  EXPECT_EQ(file.parts(), 3u);
  EXPECT_EQ(file.size_bytes(), fs::file_size(first) + fs::file_size(second) + fs::file_size(third));
  EXPECT_EQ(*file.get<std::string>("general.architecture"), "llama");
  ASSERT_EQ(file.tensors().size(), 4u);
  for (const GgufTensor& t : file.tensors()) {
    EXPECT_EQ(t.part, t.name < "c" ? 1u : 2u);
    EXPECT_EQ(t.data[0], t.name[0]);
    file.release(t, 0, t.size_bytes);
    EXPECT_EQ(t.data[0], t.name[0]);
  }
  const std::vector<fs::path> paths = {first, second, third};
  EXPECT_TRUE(GgufFile::open_parts(paths).ok());
  EXPECT_FALSE(GgufFile::open_parts(std::span(paths).first(2)).ok());
  EXPECT_FALSE(GgufFile::open_parts({}).ok());
}

TEST_F(GgufSplitTest, ALaterPartNamesTheFirst) {
  const fs::path second = write("m-00002-of-00003.gguf", {{"a"}, 1});
  EXPECT_THAT(error_of(second), HasSubstr("'split.no' at byte 24 is 1: this is part 2 of 3"));
  EXPECT_THAT(error_of(second), HasSubstr("open " + (folder_ / "m-00001-of-00003.gguf").string()));
  fs::rename(second, folder_ / "renamed.gguf");
  EXPECT_THAT(error_of(folder_ / "renamed.gguf"), HasSubstr("-00001-of-00003.gguf"));
}

TEST_F(GgufSplitTest, AMissingPartIsNamed) {
  const fs::path first = write("m-00001-of-00003.gguf", {{}, 0});
  write("m-00002-of-00003.gguf", {{"a", "b"}, 1});
  const Result<GgufFile> file = GgufFile::open(first);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(file.error().message, HasSubstr("part 3 of 3"));
  EXPECT_THAT(file.error().message, HasSubstr("m-00003-of-00003.gguf"));
}

TEST_F(GgufSplitTest, PartsThatDoNotBelongTogetherAreRefused) {
  const fs::path first = write("m-00001-of-00003.gguf", {{}, 0});
  write("m-00003-of-00003.gguf", {{"c", "d"}, 2});
  write("m-00002-of-00003.gguf", {{"a", "b"}, 2});
  EXPECT_THAT(error_of(first), HasSubstr("says part 3 of 3, expected part 2 of 3"));
  write("m-00002-of-00003.gguf", {{"a", "b"}, 1, 4});
  EXPECT_THAT(error_of(first), HasSubstr("says part 2 of 4, expected part 2 of 3"));
  write("m-00002-of-00003.gguf", {{"a"}, 1});
  EXPECT_THAT(error_of(first), HasSubstr("'split.tensors.count' at byte "));
  write("m-00002-of-00003.gguf", {{"a", "d"}, 1});
  EXPECT_THAT(error_of(first), HasSubstr("name of tensor 'd' at byte "));
}

TEST_F(GgufSplitTest, NamesAndCountsMustAgree) {
  EXPECT_THAT(error_of(write("model.gguf", {{}, 0})), HasSubstr("'split.count' at byte 46 is 3"));
  EXPECT_THAT(error_of(write("m-00001-of-00002.gguf", {{}, 0})), HasSubstr("'split.count' at byte 46 is 3"));
  EXPECT_EQ(error_of(write("one.gguf", {{"a"}, 0, 1, 1})), "opened");
}

TEST_F(GgufSplitTest, ErrorsNameTheFile) {
  EXPECT_EQ(GgufFile::open(folder_ / "none.gguf").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(GgufFile::open(folder_).error().code, ErrorCode::kIo);
  std::ofstream(folder_ / "empty.gguf").close();
  EXPECT_THAT(error_of(folder_ / "empty.gguf"), HasSubstr("empty.gguf: magic at byte 0"));
}

}  // namespace
}  // namespace ingle
