// Files that break the format: each gives an error that names the field and its offset, soon and in little memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>

#include "base/thread_time.h"
#include "format/allocation_meter_test.h"
#include "format/gguf.h"
#include "format/gguf_bytes_test.h"

namespace ingle {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr uint64_t kMaxMemoryBytes = uint64_t{64} << 20;

// Parses, and holds the promise about time and memory whatever the outcome.
Result<GgufFile> parse_metered(const GgufBytes& file) {
  const AllocationMeter meter;
  const ThreadTime time;
  Result<GgufFile> result = GgufFile::parse(file.bytes());
  const double seconds = std::chrono::duration<double>(time.used()).count();
  EXPECT_LT(seconds, 1.0);
  testing::Test::RecordProperty("parse_ms", static_cast<int>(seconds * 1000));
  EXPECT_LT(meter.peak_bytes(), kMaxMemoryBytes);
  return result;
}

struct Hostile {
  const char* name;
  GgufBytes file;
  std::string message;  // how it starts: field and offset
  std::string problem;  // what it says of it
  ErrorCode code = ErrorCode::kInvalidData;
};

std::string at(const char* field, uint64_t offset) {
  return std::string(field) + " at byte " + std::to_string(offset) + ": ";
}

std::vector<Hostile> bad_headers() {
  std::vector<Hostile> cases = {
      {"Empty", GgufBytes(), at("magic", 0), "4 bytes are needed, 0 are left"},
      {"WrongMagic", GgufBytes().raw("GGML").put(3u), at("magic", 0), "is not \"GGUF\""},
      {"NoVersion", GgufBytes().raw("GGUF").raw("xy"), at("version", 4), "4 bytes are needed, 2 are left"},
      {"Version0", GgufBytes(0, 0, 0), at("version", 4), "0 is not supported", ErrorCode::kUnsupported},
      {"Version1", GgufBytes(0, 0, 1), at("version", 4), "1 is not supported", ErrorCode::kUnsupported},
      {"Version4", GgufBytes(0, 0, 4), at("version", 4), "4 is not supported", ErrorCode::kUnsupported},
      {"BigEndian", GgufBytes(0, 0, 0x03000000), at("version", 4), "big-endian", ErrorCode::kUnsupported},
      {"NoTensorCount", GgufBytes().raw("GGUF").put(3u).put(7u), at("tensor count", 8),
       "8 bytes are needed, 4 are left"},
      {"NoMetadataCount", GgufBytes().raw("GGUF").put(3u).put(uint64_t{0}), at("metadata count", 16), "0 are left"},
      {"HugeTensorCount", GgufBytes(~0ull, 0), at("tensor count", 8), "do not fit"},
      {"WrappingTensorCount", GgufBytes(1ull << 59, 0), at("tensor count", 8), "do not fit"},
      {"HugeMetadataCount", GgufBytes(0, ~0ull), at("metadata count", 16), "do not fit"},
      {"OneEntryTooMany", GgufBytes(0, 2).u32("a", 1), at("metadata count", 16), "2 do not fit"},
      {"NegativeMetadataCount", GgufBytes(0, 1ull << 63).data(4096), at("metadata count", 16), "do not fit"},
  };
  return cases;
}

std::vector<Hostile> bad_metadata() {
  constexpr uint64_t kFirst = 24;  // where the first entry begins
  const auto one = [] { return GgufBytes(0, 1); };
  return {
      {"KeyPastEnd", one().put(uint64_t{100}).raw("abcdefghij"), at("key of metadata entry [0]", kFirst),
       "100 bytes long"},
      {"KeyLengthWraps", one().put(~0ull).raw("abcdefghij"), at("key of metadata entry [0]", kFirst),
       "are left in the file"},
      {"EmptyKey", one().u32("", 1).data(8), at("key of metadata entry [0]", kFirst), "empty"},
      {"LongKey", one().u32(std::string(65536, 'k'), 1), at("key of metadata entry [0]", kFirst), "at most 65535"},
      {"UnknownType", one().key("k", 13).data(8), at("type of metadata key 'k'", kFirst + 9), "13 is not a type"},
      {"CutType", one().string("key").raw("xyz"), at("type of metadata key 'key'", kFirst + 11), "4 bytes are needed"},
      {"CutValue", one().key("k", 10).raw("1234567"), at("value of metadata key 'k'", kFirst + 13),
       "8 bytes are needed"},
      {"StringPastEnd", one().key("k", 8).put(uint64_t{9}).raw("12345678"),
       at("value of metadata key 'k'", kFirst + 13), "9 bytes long, 8 are left"},
      {"StringWraps", one().key("k", 8).put(~0ull - 7).data(64), at("value of metadata key 'k'", kFirst + 13),
       "bytes long"},
      {"BoolOfTwo", one().key("k", 7).put(uint8_t{2}), at("value of metadata key 'k'", kFirst + 13), "0 or 1, not 2"},
      {"BoolOfTwoInArray", one().array("k", 7, 3).raw(std::string_view("\0\1\2", 3)),
       at("array of metadata key 'k' [2]", kFirst + 13 + 12 + 2), "0 or 1, not 2"},
      {"NestedArray", one().array("k", 9, 1).put(4u).put(uint64_t{1}).put(1u),
       at("array type of metadata key 'k'", kFirst + 13), "arrays of arrays"},
      {"UnknownArrayType", one().array("k", 99, 1).data(8), at("array type of metadata key 'k'", kFirst + 13),
       "99 is not"},
      {"CutArrayLength", one().key("k", 9).put(4u).put(1u), at("array length of metadata key 'k'", kFirst + 17),
       "4 are left"},
      {"ArrayPastEnd", one().array("k", 4, 3).put(1u).put(2u), at("array of metadata key 'k'", kFirst + 17),
       "3 do not fit"},
      {"ArraySizeWraps", one().array("k", 10, 1ull << 61).data(64), at("array of metadata key 'k'", kFirst + 17),
       "do not fit"},
      {"StringArrayPastEnd", one().array("k", 8, 1ull << 60).data(64), at("array of metadata key 'k'", kFirst + 17),
       "do not fit"},
      {"StringInArrayPastEnd", one().array("k", 8, 2).string("ab").put(uint64_t{50}).raw("cd"),
       at("array of metadata key 'k' [1]", kFirst + 25 + 10), "50 bytes long, 2 are left"},
      {"DuplicateKey", GgufBytes(0, 3).u32("a", 1).u32("b", 2).u32("a", 1), at("metadata key 'a'", kFirst + 2 * 17),
       "there already, at byte 24"},
      {"Alignment0", one().u32("general.alignment", 0), at("metadata key 'general.alignment'", kFirst),
       "0 is not a power"},
      {"Alignment48", one().u32("general.alignment", 48), at("metadata key 'general.alignment'", kFirst),
       "48 is not a power"},
      {"Alignment4", one().u32("general.alignment", 4), at("metadata key 'general.alignment'", kFirst),
       "4 is not a power"},
      {"AlignmentHuge", one().u32("general.alignment", 1u << 31), at("metadata key 'general.alignment'", kFirst),
       "power"},
      {"AlignmentString", one().key("general.alignment", 8).string("32"),
       "metadata key 'general.alignment' at byte 24 is ", "string, expected an integer"},
      {"ControlBytesInKey", one().key("a\n\x1b[31m\xff", 77).data(8),
       at("type of metadata key 'a\\x0a\\x1b[31m\\xff'", kFirst + 8 + 8), "77 is not"},
  };
}

std::vector<Hostile> bad_tensors() {
  constexpr uint64_t kFirst = 24;  // where the first table entry begins
  constexpr uint64_t kName = 9;    // bytes of the name "t"
  const auto one = [] { return GgufBytes(1, 0); };
  return {
      {"NamePastEnd", one().put(uint64_t{99}).data(64), at("name of tensor [0]", kFirst), "99 bytes long"},
      {"EmptyName", one().tensor("", {1}, 0, 0).data(64), at("name of tensor [0]", kFirst), "empty"},
      {"NoDimensions", one().tensor("t", {}, 0, 0).data(64), at("dimensions of tensor 't'", kFirst + kName),
       "0 is not 1 to 4"},
      {"FiveDimensions", one().tensor("t", {1, 1, 1, 1, 1}, 0, 0).data(64),
       at("dimensions of tensor 't'", kFirst + kName), "5 is not 1 to 4"},
      {"HugeDimensions", one().string("t").put(~0u).data(64), at("dimensions of tensor 't'", kFirst + kName),
       "4294967295"},
      {"ZeroDimension", one().tensor("t", {4, 0}, 0, 0).data(64),
       at("dimension of tensor 't' [1]", kFirst + kName + 4 + 8), "it is 0"},
      {"ValuesWrap", one().tensor("t", {1ull << 32, 1ull << 32}, 0, 0).data(64),
       at("dimension of tensor 't' [1]", kFirst + kName + 4 + 8), "wrap"},
      {"ValuesWrapToOne", one().tensor("t", {~0ull, ~0ull}, 24, 0).data(64),
       at("dimension of tensor 't' [1]", kFirst + kName + 4 + 8), "wrap"},
      {"TwoToThe63", one().tensor("t", {1ull << 63}, 0, 0).data(64), at("shape of tensor 't'", kFirst + kName),
       "wraps"},
      {"TwoToThe63Bytes", one().tensor("t", {1ull << 63}, 24, 0).data(64), at("data of tensor 't'", kFirst),
       "past the end"},
      {"UnknownType", one().tensor("t", {4}, 4, 0).data(64), at("type of tensor 't'", kFirst + kName + 12), "4 is not"},
      {"HugeType", one().tensor("t", {4}, ~0u, 0).data(64), at("type of tensor 't'", kFirst + kName + 12),
       "not a type"},
      {"PartOfABlock", one().tensor("t", {48, 2}, 8, 0).data(640),
       at("dimension of tensor 't' [0]", kFirst + kName + 4), "48 is no multiple of 32, the block size of Q8_0"},
      {"CutTable", GgufBytes(1, 0).string("tttttttttttt").put(2u).put(uint64_t{1}).raw("xxxx"),
       at("dimension of tensor 'tttttttttttt' [1]", kFirst + 20 + 4 + 8), "8 bytes are needed"},
      {"UnalignedOffset", one().tensor("t", {4}, 0, 16).data(64), at("offset of tensor 't'", kFirst + kName + 16),
       "16 is no multiple of the alignment, 32"},
      {"OffsetPastEnd", one().tensor("t", {4}, 0, 64).data(64), at("data of tensor 't'", kFirst), "past the end"},
      {"OffsetWraps", one().tensor("t", {4}, 0, ~0ull - 31).data(64), at("data of tensor 't'", kFirst), "past the end"},
      {"CutData", one().tensor("t", {17}, 0, 0).data(67), at("data of tensor 't'", kFirst), "68 bytes at 0"},
      {"NoData", one().tensor("t", {1}, 0, 0), at("data of tensor 't'", kFirst), "past the end"},
      {"Overlap", GgufBytes(2, 0).tensor("a", {9}, 0, 0).tensor("b", {1}, 0, 32).data(64),
       at("data of tensor 'b'", kFirst + 33), "inside the data of tensor 'a'"},
      {"SamePlace", GgufBytes(2, 0).tensor("a", {8}, 0, 32).tensor("b", {8}, 0, 32).data(64), "data of tensor ",
       "inside the data"},
      {"DuplicateName", GgufBytes(3, 0).tensor("a", {1}, 0, 0).tensor("b", {1}, 0, 32).tensor("a", {1}, 0, 64).data(96),
       at("name of tensor 'a'", kFirst + 2 * 33), "there already, at byte 24"},
  };
}

class HostileTest : public testing::TestWithParam<Hostile> {};

TEST_P(HostileTest, NamesTheFieldAndItsOffset) {
  const Hostile& hostile = GetParam();
  const Result<GgufFile> result = parse_metered(hostile.file);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, hostile.code);
  EXPECT_THAT(result.error().message, StartsWith(hostile.message));
  EXPECT_THAT(result.error().message, HasSubstr(hostile.problem));
  EXPECT_EQ(result.error().to_string().find('\n'), std::string::npos);
}

const auto kName = [](const testing::TestParamInfo<Hostile>& test) { return test.param.name; };
INSTANTIATE_TEST_SUITE_P(Header, HostileTest, testing::ValuesIn(bad_headers()), kName);
INSTANTIATE_TEST_SUITE_P(Metadata, HostileTest, testing::ValuesIn(bad_metadata()), kName);
INSTANTIATE_TEST_SUITE_P(Tensors, HostileTest, testing::ValuesIn(bad_tensors()), kName);

// A sound file: metadata of several kinds and two tensors, with nothing after the last.
GgufBytes sound_file() {
  GgufBytes file(2, 4);
  file.u32("general.alignment", 64).key("name", 8).string("model").array("words", 8, 2).string("a").string("bc");
  file.array("flags", 7, 2).raw(std::string_view("\0\1", 2));
  file.tensor("x", {32, 2}, 8, 0).tensor("y", {3}, 0, 128).data(128 + 12, 64);
  return file;
}

TEST(GgufHostile, EveryPrefixOfASoundFileIsRefused) {
  const GgufBytes file = sound_file();
  ASSERT_TRUE(GgufFile::parse(file.bytes()).ok());
  for (size_t length = 0; length < file.size(); ++length) {
    // A copy of its own, so that a sanitizer sees a read past the end.
    const std::vector<uint8_t> prefix(file.bytes().begin(), file.bytes().begin() + static_cast<ptrdiff_t>(length));
    const Result<GgufFile> result = GgufFile::parse(prefix);
    ASSERT_FALSE(result.ok()) << length;
    EXPECT_THAT(result.error().message, HasSubstr("at byte "));
  }
}

TEST(GgufHostile, EveryChangedByteIsReadOrRefused) {
  GgufBytes file = sound_file();
  for (size_t i = 0; i < file.size(); ++i) {
    for (const int change : {1, 0x7f, 0x80, 0xff}) {
      file.mutable_bytes()[i] ^= static_cast<uint8_t>(change);
      const Result<GgufFile> result = GgufFile::parse(file.bytes());
      if (result.ok()) {
        for (const GgufTensor& t : result->tensors()) {
          const auto bytes = result->bytes(t);
          ASSERT_GE(bytes.data(), file.bytes().data());
          ASSERT_LE(bytes.data() + bytes.size(), file.bytes().data() + file.size());
        }
      }
      file.mutable_bytes()[i] ^= static_cast<uint8_t>(change);
    }
  }
}

// What the memory limit is for: files whose counts are true.
TEST(GgufHostile, ManyTinyEntries) {
  constexpr uint64_t kEntries = 10'000'000;
  GgufBytes file(0, kEntries);
  file.mutable_bytes().reserve(24 + kEntries * 22);
  for (uint64_t i = 0; i < kEntries; ++i) file.put(uint64_t{8}).put(i | 0x4040404000000000).put(0u).put(uint8_t{1});
  const Result<GgufFile> result = parse_metered(file);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message,
              StartsWith("metadata count at byte 16: header and metadata take more than 56 MiB"));
}

TEST(GgufHostile, OneEntryMoreThanAllowed) {
  GgufBytes file(0, kGgufMaxEntries + 1);
  for (uint64_t i = 0; i <= kGgufMaxEntries; ++i) file.put(uint64_t{8}).put(i).put(0u).put(uint8_t{1});
  const Result<GgufFile> result = parse_metered(file);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, StartsWith("metadata count at byte 16: 65537 entries, at most 65536"));
}

TEST(GgufHostile, ManyTinyStrings) {
  constexpr uint64_t kStrings = 20'000'000;
  GgufBytes file(0, 1);
  file.mutable_bytes().reserve(64 + kStrings * 9);
  file.array("k", 8, kStrings);
  for (uint64_t i = 0; i < kStrings; ++i) file.put(uint64_t{1}).raw("x");
  const Result<GgufFile> result = parse_metered(file);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message,
              StartsWith("array of metadata key 'k' at byte 41: header and metadata take more"));
}

TEST(GgufHostile, ManyTensors) {
  constexpr uint64_t kTensors = 2'000'000;
  GgufBytes file(kTensors, 0);
  for (uint64_t i = 0; i < kTensors; ++i) file.put(uint64_t{8}).put(i).put(1u).put(uint64_t{1}).put(24u).put(i * 32);
  file.data(kTensors * 32);
  const Result<GgufFile> result = parse_metered(file);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, StartsWith("tensor count at byte 8: header and metadata take more"));
}

TEST(GgufHostile, HugeNumberArray) {
  GgufBytes file(0, 1);
  file.array("k", 10, 10'000'000).data(80'000'000, 1);
  const Result<GgufFile> result = parse_metered(file);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("header and metadata take more than 56 MiB"));
}

TEST(GgufHostile, HugeString) {
  GgufBytes file(0, 1);
  file.key("k", 8).put(uint64_t{100'000'000}).data(100'000'000, 1);
  const Result<GgufFile> result = parse_metered(file);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, StartsWith("value of metadata key 'k' at byte "));
}

// As many keys as are allowed, unkind to sort: the promise holds for files that open, too. (Not the longest keys that
// fit, because this runs emulated as well, where the second is ten times shorter.)
TEST(GgufHostile, ManyEntriesWithAlikeKeysOpenInTime) {
  constexpr uint64_t kEntries = kGgufMaxEntries;
  GgufBytes file(0, kEntries);
  const std::string prefix(300, 'p');
  for (uint64_t i = 0; i < kEntries; ++i) {
    file.put(prefix.size() + 8).raw(prefix).put(i * 0x9e3779b97f4a7c15).put(0u).put(uint8_t{1});
  }
  const Result<GgufFile> result = parse_metered(file);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(result->metadata().size(), kEntries);
}

// Half as large again as the largest published vocabulary (262 144 tokens with scores and types, 514 906 merges).
TEST(GgufHostile, AVocabularyLargerThanAnyPublishedOneOpens) {
  constexpr uint64_t kTokens = 400'000, kMerges = 750'000;
  GgufBytes file(0, 4);
  file.array("tokenizer.ggml.tokens", 8, kTokens);
  for (uint64_t i = 0; i < kTokens; ++i) file.string("abcdefg");
  file.array("tokenizer.ggml.merges", 8, kMerges);
  for (uint64_t i = 0; i < kMerges; ++i) file.string("abcdef ghijk");
  file.array("tokenizer.ggml.scores", 6, kTokens).data(kTokens * 4, 1);
  file.array("tokenizer.ggml.token_type", 5, kTokens).data(kTokens * 4, 1);
  const Result<GgufFile> result = parse_metered(file);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ((*result->strings("tokenizer.ggml.tokens"))->size(), kTokens);
}

}  // namespace
}  // namespace ingle
