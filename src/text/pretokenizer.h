// Cuts text into the words inside which byte-pair merges may happen, in the way that the model's tokenizer was trained
// with. Immutable after construction; any number of threads may split. Linear in the text.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/split_pattern.h"

namespace ingle {

// What the name in `tokenizer.ggml.pre` implies beside the cuts. The file's own keys win where it has them.
struct PreTokenizerTraits {
  bool byte_level = true;      // merges run on bytes; else on characters, with U+2581 in place of spaces
  bool ignore_merges = false;  // a whole word that is in the vocabulary is taken at once
  bool add_bos = false;
  bool forces_bos = false;      // files with add_bos_token = false are known to be wrong
  bool whole_newlines = false;  // a run of newlines that is in the vocabulary is taken at once
};

class PreTokenizer {
 public:
  // `name` as in `tokenizer.ggml.pre`. kUnsupported lists the known names.
  static Result<PreTokenizer> create(std::string_view name);

  // Every name that create() takes.
  static std::vector<std::string> names();

  // The regular expressions of a known name, each applied to the pieces of the one before. Empty where a name has
  // stages that are no regular expressions. For tests against another engine.
  static std::vector<std::string> patterns(std::string_view name);

  const PreTokenizerTraits& traits() const { return traits_; }

  // Calls `word` with the consecutive pieces of `text`, which must be valid UTF-8. Together they are the text.
  void split(std::string_view text, const std::function<void(std::string_view)>& word) const {
    split_from(0, text, word);
  }

  enum class StageKind : uint8_t {
    kPattern,         // matches of a pattern are pieces, and so is what lies between them
    kNumbersByThree,  // runs of \p{N} in groups of three counted from their end
    kDigitsByThree,   // (?=(\d{3})+(?!\d)): cuts between such groups of \d only, not where runs begin and end
    // \d{1,3}(?=(?:\d{3})*\b): as kNumbersByThree for \d, but for runs that go on as a word
    kDigitsByThreeUntilWord,
    kTrailingSpace,  // \s+$
    // Pieces of spaces only that no line ends in, in groups of 512, 256, .. 4, 2, 1 characters, the longest first.
    // Behind kLlama3 the same as |\s{512}(?!\S)|..|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1} in place of |\s+(?!\S)|\s+, but
    // linear.
    kSpacesByPowers,
  };

 private:
  struct Stage {
    StageKind kind = StageKind::kPattern;
    std::shared_ptr<const SplitPattern> pattern;  // for kPattern
  };

  void split_from(size_t stage, std::string_view text, const std::function<void(std::string_view)>& word) const;

  std::vector<Stage> stages_;
  PreTokenizerTraits traits_;
};

}  // namespace ingle
