#include "store/model_ref.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "format/gguf.h"

namespace ingle {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || is_digit(c); }
bool is_allowed(char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
  return out;
}

bool is_component(std::string_view text) {
  return !text.empty() && text.size() <= ModelRef::kMaxNameBytes && is_alphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(), is_allowed);
}

// Without "-00001-of-00002", which says where a part stands and not what the model is.
std::string_view without_split_suffix(std::string_view stem) {
  constexpr std::string_view kPattern = "-ddddd-of-ddddd";
  if (stem.size() <= kPattern.size()) return stem;
  const std::string_view end = stem.substr(stem.size() - kPattern.size());
  for (size_t i = 0; i < kPattern.size(); i++) {
    if (kPattern[i] == 'd' ? !is_digit(end[i]) : kPattern[i] != end[i]) return stem;
  }
  return stem.substr(0, stem.size() - kPattern.size());
}

}  // namespace

Result<ModelRef> ModelRef::parse(std::string_view text) {
  const size_t colon = text.find(':');
  std::string name = lower(text.substr(0, colon));
  std::string tag = colon == std::string_view::npos ? std::string(kDefaultTag) : lower(text.substr(colon + 1));
  if (!is_component(name) || !is_component(tag)) {
    return Error{ErrorCode::kInvalidArgument, gguf_quote(text) + " is not the name of a model",
                 fmt::format("NAME or NAME:TAG of letters, digits, '.', '_' and '-', {} of them at most",
                             ModelRef::kMaxNameBytes)};
  }
  return ModelRef(std::move(name), std::move(tag));
}

Result<ModelRef> ModelRef::from_file_name(std::string_view file_name) {
  std::string stem = lower(file_name);
  if (stem.ends_with(".gguf")) stem.resize(stem.size() - 5);
  std::string name;
  for (const char c : without_split_suffix(stem)) {
    const char kept = is_allowed(c) ? c : '-';
    if (name.empty() && !is_alphanumeric(kept)) continue;
    if (kept == '-' && name.ends_with('-')) continue;
    name += kept;
  }
  name.resize(std::min(name.size(), kMaxNameBytes));
  while (name.ends_with('-')) name.pop_back();
  if (!is_component(name)) {
    return Error{ErrorCode::kInvalidArgument, "no name can be made from the file name " + gguf_quote(file_name),
                 "give one with --name"};
  }
  return ModelRef(std::move(name), std::string(kDefaultTag));
}

std::string ModelRef::to_string() const { return tag_ == kDefaultTag ? name_ : name_ + ":" + tag_; }

}  // namespace ingle
