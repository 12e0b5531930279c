// The pre-tokenizers by name: the one place that says how each family of vocabularies cuts text.
// The names are those of `tokenizer.ggml.pre`, which llama.cpp's converter gives to the `tokenizer.json` files it
// knows; the expressions are those of the files themselves. Used by pretokenizer.cpp only.
#pragma once

#include <span>
#include <vector>

#include "text/pretokenizer.h"

namespace ingle {

struct PreTokenizerStage {
  // A regular expression unless `kind` says otherwise.
  const char* pattern = "";
  PreTokenizer::StageKind kind = PreTokenizer::StageKind::kPattern;
};

struct PreTokenizerEntry {
  const char* names = "";  // separated by spaces
  std::vector<PreTokenizerStage> stages;
  PreTokenizerTraits traits = {};
};

std::span<const PreTokenizerEntry> pre_tokenizer_table();

}  // namespace ingle
