#include "text/pretokenizer.h"

#include <algorithm>

#include "format/gguf.h"
#include "text/pretokenizer_table.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace ingle {
namespace {

template <typename F>
void for_each_name(const char* names, F&& visit) {
  std::string_view rest = names;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(' '), rest.size());
    visit(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

const PreTokenizerEntry* find_entry(std::string_view name) {
  for (const PreTokenizerEntry& entry : pre_tokenizer_table()) {
    bool found = false;
    for_each_name(entry.names, [&](std::string_view known) { found |= known == name; });
    if (found) return &entry;
  }
  return nullptr;
}

template <typename F>
void cut_by_pattern(const SplitPattern& pattern, std::string_view text, F&& piece) {
  size_t unmatched = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t size = pattern.match(text, at);
    if (size == 0) {
      at += decode_utf8(text.substr(at)).size_bytes;
      continue;
    }
    if (at > unmatched) piece(text.substr(unmatched, at - unmatched));
    piece(text.substr(at, size));
    at += size;
    unmatched = at;
  }
  if (unmatched < text.size()) piece(text.substr(unmatched));
}

struct ByThree {
  uint32_t categories = 0;        // of the characters that make up runs, as bits
  bool cut_at_ends = true;        // also where a run begins and ends
  bool only_whole_words = false;  // not runs that go on as a word
};

// Runs of numbers, cut before each group of three counted from the end of the run.
template <typename F>
void cut_by_three(const ByThree& rule, std::string_view text, F&& piece) {
  size_t uncut = 0;
  const auto cut = [&](size_t at) {
    if (at > uncut) piece(text.substr(uncut, at - uncut));
    uncut = at;
  };
  std::vector<size_t> begins;  // of the characters of a run
  for (size_t at = 0; at < text.size();) {
    begins.clear();
    Utf8Char c;
    while (at < text.size()) {
      c = decode_utf8(text.substr(at));
      if (!(rule.categories >> unicode_category(c.codepoint) & 1)) break;
      begins.push_back(at);
      at += c.size_bytes;
    }
    const bool goes_on = at < text.size() && is_unicode_word(c.codepoint);
    if (!begins.empty() && !(rule.only_whole_words && goes_on)) {
      for (size_t i = 0; i < begins.size(); ++i) {
        if ((begins.size() - i) % 3 == 0 || (i == 0 && rule.cut_at_ends)) cut(begins[i]);
      }
      if (rule.cut_at_ends) cut(at);
    }
    if (begins.empty()) at += c.size_bytes;
  }
  cut(text.size());
}

template <typename F>
void cut_trailing_space(std::string_view text, F&& piece) {
  size_t end_of_text = 0;  // after the last character that is no space
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text.substr(at));
    at += c.size_bytes;
    if (!is_unicode_space(c.codepoint)) end_of_text = at;
  }
  if (end_of_text > 0) piece(text.substr(0, end_of_text));
  if (end_of_text < text.size()) piece(text.substr(end_of_text));
}

template <typename F>
void cut_spaces_by_powers(std::string_view text, F&& piece) {
  std::vector<size_t> ends;  // of the characters
  bool line_ends = false;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text.substr(at));
    if (!is_unicode_space(c.codepoint)) return piece(text);
    line_ends = c.codepoint == '\r' || c.codepoint == '\n';
    at += c.size_bytes;
    ends.push_back(at);
  }
  if (line_ends) return piece(text);
  size_t group = 512;
  for (size_t done = 0; done < ends.size(); done += group) {
    while (group > ends.size() - done) group /= 2;
    const size_t begin = done == 0 ? 0 : ends[done - 1];
    piece(text.substr(begin, ends[done + group - 1] - begin));
  }
}

}  // namespace

Result<PreTokenizer> PreTokenizer::create(std::string_view name) {
  const PreTokenizerEntry* entry = find_entry(name);
  if (entry == nullptr) {
    std::string known;
    for (const std::string& each : names()) known += (known.empty() ? "" : ", ") + each;
    return Error{ErrorCode::kUnsupported, "tokenizer.ggml.pre: unknown pre-tokenizer " + gguf_quote(name),
                 "known pre-tokenizers: " + known};
  }
  PreTokenizer result;
  result.traits_ = entry->traits;
  for (const PreTokenizerStage& stage : entry->stages) {
    const bool is_pattern = stage.kind == StageKind::kPattern;
    result.stages_.push_back({stage.kind, is_pattern ? std::make_shared<SplitPattern>(stage.pattern) : nullptr});
  }
  return result;
}

std::vector<std::string> PreTokenizer::names() {
  std::vector<std::string> names;
  for (const PreTokenizerEntry& entry : pre_tokenizer_table()) {
    for_each_name(entry.names, [&](std::string_view name) { names.emplace_back(name); });
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> PreTokenizer::patterns(std::string_view name) {
  std::vector<std::string> patterns;
  const PreTokenizerEntry* entry = find_entry(name);
  CHECK(entry != nullptr);
  for (const PreTokenizerStage& stage : entry->stages) {
    if (stage.kind != StageKind::kPattern) return {};
    patterns.emplace_back(stage.pattern);
  }
  return patterns;
}

void PreTokenizer::split_from(size_t stage, std::string_view text,
                              const std::function<void(std::string_view)>& word) const {
  if (stage == stages_.size()) {
    if (!text.empty()) word(text);
    return;
  }
  const auto next = [&](std::string_view piece) { split_from(stage + 1, piece, word); };
  static const uint32_t kNumberBits = unicode_category_bits("N");
  static const uint32_t kDigitBits = unicode_category_bits("Nd");
  switch (stages_[stage].kind) {
    case StageKind::kPattern:
      cut_by_pattern(*stages_[stage].pattern, text, next);
      return;
    case StageKind::kNumbersByThree:
      cut_by_three({.categories = kNumberBits}, text, next);
      return;
    case StageKind::kDigitsByThree:
      cut_by_three({.categories = kDigitBits, .cut_at_ends = false}, text, next);
      return;
    case StageKind::kDigitsByThreeUntilWord:
      cut_by_three({.categories = kDigitBits, .only_whole_words = true}, text, next);
      return;
    case StageKind::kTrailingSpace:
      cut_trailing_space(text, next);
      return;
    case StageKind::kSpacesByPowers:
      cut_spaces_by_powers(text, next);
      return;
  }
}

}  // namespace ingle
