#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "format/gguf.h"
#include "text/testdata.h"

namespace ingle {

std::string read_testdata(const std::string& name) {
  std::ifstream file(std::filesystem::path(INGLE_TESTDATA) / name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

std::vector<std::string> split_string(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + separator.size();
  }
  return parts;
}

std::vector<TokenId> parse_ids(const std::string& line) {
  std::istringstream stream(line);
  std::vector<TokenId> ids;
  for (TokenId id; stream >> id;) ids.push_back(id);
  return ids;
}

const std::vector<std::string>& golden_texts() {
  static const std::vector<std::string> texts =
      split_string(read_testdata("tokenizer_texts.txt"), "\n__ingle_text__\n");
  return texts;
}

std::vector<std::vector<TokenId>> golden_ids(const std::string& name) {
  std::vector<std::vector<TokenId>> ids;
  for (const std::string& line : split_string(read_testdata(name), "\n")) ids.push_back(parse_ids(line));
  ids.pop_back();  // behind the last newline
  EXPECT_EQ(ids.size(), golden_texts().size()) << name;
  return ids;
}

Vocabulary test_vocabulary(const std::string& name) {
  auto file = GgufFile::open(std::filesystem::path(INGLE_TESTDATA) / (name + ".gguf"));
  EXPECT_TRUE(file.ok()) << file.error().to_string();
  auto vocabulary = vocabulary_from_gguf(*file);
  EXPECT_TRUE(vocabulary.ok()) << vocabulary.error().to_string();
  return std::move(*vocabulary);
}

}  // namespace ingle
