#include "grammar/ebnf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "text/utf8.h"

namespace ingle {
namespace {

constexpr size_t kMaxEbnfBytes = 64 * 1024;
constexpr uint32_t kMaxNesting = 50;
constexpr uint64_t kMaxCount = 1000;  // of one repetition
constexpr uint64_t kMaxCountsTogether = 4000;
constexpr std::array kMacros = {"TagDispatch", "Token", "ExcludeToken", "TokenTagDispatch", "Regex", "Substring"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c, bool first) {
  return c == '_' || c == '-' || c == '.' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (!first && is_digit(c));
}

class EbnfCheck {
 public:
  explicit EbnfCheck(std::string_view text) : text_(text) {}

  Status run() {
    if (text_.size() > kMaxEbnfBytes) return refuse(fmt::format("has more than {} KiB", kMaxEbnfBytes / 1024));
    if (text_.find('\0') != std::string_view::npos || !is_valid_utf8(text_)) return refuse("is not text in UTF-8");
    while (at_ < text_.size()) RETURN_IF_ERROR(item());
    if (!rules_.contains("root") || !rules_["root"].is_defined) return refuse("has no rule \"root\"");
    for (const auto& [name, rule] : rules_) {
      if (rule.counts && contains_itself(name))
        return refuse(fmt::format("counts in the rule {}, which contains itself", name));
    }
    return {};
  }

 private:
  Error refuse(std::string_view what, ErrorCode code = ErrorCode::kInvalidArgument) const {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + std::min(at_, text_.size()), '\n');
    return {code, fmt::format("the grammar {} (line {})", what, line), ""};
  }

  Status item() {
    const char c = text_[at_];
    const bool of_rules = c == ')' || is_name(c, true);
    if (c != '{' && c != ' ' && c != '\t' && c != '\n' && c != '\r') of_rules_ = of_rules;
    if (c == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (c == '"' || c == '[') {
      return quoted(c == '"' ? '"' : ']');
    } else if (c == '{') {
      return counts();
    } else if (is_name(c, true)) {
      return name();
    } else {
      if (c == '(' && ++nesting_ > kMaxNesting) return refuse(fmt::format("nests deeper than {}", kMaxNesting));
      if (c == ')' && nesting_ > 0) nesting_--;
      at_++;
    }
    return {};
  }

  Status quoted(char end) {
    for (at_++; at_ < text_.size() && text_[at_] != end && text_[at_] != '\n'; at_++) {
      if (text_[at_] != '\\') continue;
      at_++;
      RETURN_IF_ERROR(escape());
    }
    if (at_ >= text_.size() || text_[at_] != end) return refuse("has a text or a class without an end");
    at_++;
    return {};
  }

  // Of the hexadecimal ones, \x has any number of digits.
  Status escape() {
    if (at_ >= text_.size() || (text_[at_] != 'x' && text_[at_] != 'u' && text_[at_] != 'U')) return {};
    const size_t most = text_[at_] == 'x' ? text_.size() : text_[at_] == 'u' ? 4 : 8;
    uint64_t code = 0;
    for (size_t i = 0; i < most && at_ + 1 < text_.size() && std::isxdigit(static_cast<unsigned char>(text_[at_ + 1]));
         i++) {
      const char digit = text_[++at_];
      code = code * 16 + static_cast<uint64_t>(is_digit(digit) ? digit - '0' : (digit | 0x20) - 'a' + 10);
      if (code > 0x10ffff) return refuse("has an escape that is no character");
    }
    if (code >= 0xd800 && code <= 0xdfff) return refuse("has an escape that is no character");
    return {};
  }

  Status counts() {
    uint64_t largest = 0;
    for (at_++; at_ < text_.size() && text_[at_] != '}'; at_++) {
      if (!is_digit(text_[at_])) continue;
      uint64_t count = 0;
      for (; at_ < text_.size() && is_digit(text_[at_]); at_++) {
        count = std::min<uint64_t>(count * 10 + static_cast<uint64_t>(text_[at_] - '0'), kMaxCount + 1);
      }
      at_--;
      largest = std::max(largest, count);
    }
    if (of_rules_) rules_[current_].counts = true;
    counts_ += largest;
    if (largest > kMaxCount) return refuse(fmt::format("repeats something more than {} times", kMaxCount));
    if (counts_ > kMaxCountsTogether)
      return refuse(fmt::format("has repetitions of more than {} in all", kMaxCountsTogether));
    if (at_ < text_.size()) at_++;
    return {};
  }

  Status name() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_], false)) at_++;
    const std::string_view name = text_.substr(begin, at_ - begin);
    if (std::find(kMacros.begin(), kMacros.end(), name) != kMacros.end()) {
      return refuse(fmt::format("uses {}, which is not supported", name), ErrorCode::kUnsupported);
    }
    size_t after = at_;
    if (after < text_.size() && text_[after] == '[') {
      after = text_.find(']', after);
      if (after != std::string_view::npos && defines(after + 1)) {
        return refuse("has attributes on a rule, which are not supported", ErrorCode::kUnsupported);
      }
    }
    if (defines(at_)) {
      current_ = name;
      rules_[name].is_defined = true;
    } else {
      rules_[current_].uses.insert(name);
    }
    return {};
  }

  // Repetitions of what leads back to them would be unfolded for ever.
  bool contains_itself(std::string_view name) const {
    std::set<std::string_view> seen;
    std::vector<std::string_view> open = {name};
    while (!open.empty()) {
      const auto rule = rules_.find(open.back());
      open.pop_back();
      if (rule == rules_.end()) continue;
      for (const std::string_view used : rule->second.uses) {
        if (used == name) return true;
        if (seen.insert(used).second) open.push_back(used);
      }
    }
    return false;
  }

  bool defines(size_t at) const {
    at = text_.find_first_not_of(" \t\r\n", at);
    return at != std::string_view::npos && text_.substr(at).starts_with("::=");
  }

  const std::string_view text_;
  size_t at_ = 0;
  uint32_t nesting_ = 0;
  uint64_t counts_ = 0;
  struct Rule {
    std::set<std::string_view> uses;
    bool is_defined = false, counts = false;
  };
  std::map<std::string_view, Rule> rules_;
  std::string_view current_;  // the rule that is being read
  bool of_rules_ = false;     // what was read last may have a rule in it
};

}  // namespace

Status check_ebnf(std::string_view grammar) { return EbnfCheck(grammar).run(); }

}  // namespace ingle
