// For tests only: the texts and golden values in testdata/, which scripts/make_tokenizer_fixtures.py makes.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace ingle {

std::string read_testdata(const std::string& name);

// The texts that all golden files are about.
const std::vector<std::string>& golden_texts();

// The lines of a golden file of ids, one per text.
std::vector<std::vector<TokenId>> golden_ids(const std::string& name);

// testdata/NAME.gguf.
Vocabulary test_vocabulary(const std::string& name);

// The texts between the separators; the last one may be empty.
std::vector<std::string> split_string(const std::string& text, const std::string& separator);
std::vector<TokenId> parse_ids(const std::string& line);

}  // namespace ingle
