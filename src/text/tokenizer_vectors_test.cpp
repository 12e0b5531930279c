// The real vocabularies of llama.cpp's source package with their test vectors: ggml-vocab-NAME.gguf beside .inp (texts
// between separators) and .out (ids, a line per text). The package is not part of this project: the environment
// variable INGLE_VOCAB_DIR names the folder, and without it these tests are skipped.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "format/gguf.h"
#include "text/testdata.h"
#include "text/tokenizer.h"

namespace ingle {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

TEST(TokenizerVectors, AllOfLlamaCpp) {
  const char* folder = std::getenv("INGLE_VOCAB_DIR");
  if (folder == nullptr)
    GTEST_SKIP() << "INGLE_VOCAB_DIR does not name a folder of ggml-vocab-*.gguf{,.inp,.out} files";
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".inp") continue;
    ++files;
    const fs::path model = fs::path(entry.path()).replace_extension();
    SCOPED_TRACE(model.filename().string());
    auto file = GgufFile::open(model);
    ASSERT_TRUE(file.ok()) << file.error().to_string();
    auto tokenizer = Tokenizer::from_gguf(*file);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().to_string();
    const std::vector<std::string> texts = split_string(read_file(entry.path()), "\n__ggml_vocab_test__\n");
    std::vector<std::string> lines = split_string(read_file(fs::path(model.string() + ".out")), "\n");
    if (!lines.empty() && lines.back().empty()) lines.pop_back();
    ASSERT_GE(texts.size(), lines.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      EXPECT_EQ((*tokenizer)->encode(texts[i], {.add_special = false, .parse_special = false}), parse_ids(lines[i]))
          << "text " << i << ": " << texts[i];
    }
  }
  EXPECT_GE(files, 15u) << "vectors in " << folder;
}

}  // namespace
}  // namespace ingle
