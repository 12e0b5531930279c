#include "text/split_pattern.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <string>

#include "base/check.h"
#include "text/split_pattern_parser.h"
#include "text/utf8.h"

namespace ingle {
namespace {

constexpr size_t kMaxSets = 128;
using Membership = std::bitset<kMaxSets>;  // which sets of the pattern hold a character

constexpr size_t kSegmentStride = CharacterSet::kCategories;

// Numbers the distinct memberships that characters have.
class ClassNumbers {
 public:
  explicit ClassNumbers(const std::vector<CharacterSet>& sets) : sets_(sets) { CHECK(sets.size() <= kMaxSets); }

  uint8_t number(char32_t codepoint, int category) {
    Membership membership;
    for (size_t s = 0; s < sets_.size(); ++s) membership[s] = sets_[s].contains(codepoint, category);
    const auto it = std::find(classes_.begin(), classes_.end(), membership);
    if (it != classes_.end()) return static_cast<uint8_t>(it - classes_.begin());
    CHECK(classes_.size() < UINT8_MAX);
    classes_.push_back(membership);
    return static_cast<uint8_t>(classes_.size() - 1);
  }

  const std::vector<Membership>& classes() const { return classes_; }

 private:
  const std::vector<CharacterSet>& sets_;
  std::vector<Membership> classes_;
};

// The instructions at which the machine may stand after a character, most preferred first, before it follows forks and
// looks at the next character.
using Threads = std::vector<uint32_t>;

struct Step {
  Threads next;
  bool matched = false;
};

// One step of the machine: follows forks and lookahead given the next character's membership (nullptr: end of text),
// then takes that character. A match drops every thread of lower preference.
class Stepper {
 public:
  explicit Stepper(const SplitProgram& program) : program_(program) {}

  Step step(const Threads& threads, const Membership* character) {
    Step result;
    seen_.assign(program_.instructions.size(), false);
    stack_.clear();
    for (const uint32_t thread : threads) {
      stack_.push_back(thread);
      while (!stack_.empty() && !result.matched) follow(character, result);
      if (result.matched) break;
    }
    return result;
  }

 private:
  void follow(const Membership* character, Step& result) {
    const uint32_t pc = stack_.back();
    stack_.pop_back();
    if (seen_[pc]) return;
    seen_[pc] = true;
    const SplitInstruction& instruction = program_.instructions[pc];
    const bool in_set = character != nullptr && (*character)[instruction.set];
    switch (instruction.op) {
      case SplitInstruction::Op::kTake:
        if (in_set) result.next.push_back(pc + 1);
        return;
      case SplitInstruction::Op::kNotNext:
        if (!in_set) stack_.push_back(pc + 1);
        return;
      case SplitInstruction::Op::kFork:
        stack_.push_back(instruction.second);
        stack_.push_back(instruction.first);
        return;
      case SplitInstruction::Op::kMatch:
        result.matched = true;
        return;
    }
  }

  const SplitProgram& program_;
  std::vector<bool> seen_;
  std::vector<uint32_t> stack_;
};

}  // namespace

SplitPattern::SplitPattern(std::string_view pattern) {
  const SplitProgram program = parse_split_pattern(pattern);

  ClassNumbers numbers(program.sets);
  for (char32_t c = 0; c < 128; ++c) ascii_classes_[c] = numbers.number(c, split_category(c));
  segment_starts_ = {128};
  for (const CharacterSet& set : program.sets) {
    for (const auto& [first, last] : set.ranges) {
      if (first > 128) segment_starts_.push_back(first);
      if (last >= 128) segment_starts_.push_back(last + 1);
    }
  }
  std::sort(segment_starts_.begin(), segment_starts_.end());
  segment_starts_.erase(std::unique(segment_starts_.begin(), segment_starts_.end()), segment_starts_.end());
  for (const char32_t start : segment_starts_) {
    for (int category = 0; category < CharacterSet::kCategories; ++category) {
      segment_classes_.push_back(numbers.number(start, category));
    }
  }

  const std::vector<Membership>& classes = numbers.classes();
  stride_ = static_cast<uint32_t>(classes.size() + 1);
  std::map<Threads, uint16_t> numbered = {{{}, 0}};
  std::vector<Threads> states = {{}};
  const auto state_number = [&](const Threads& threads) {
    const auto [it, is_new] = numbered.emplace(threads, static_cast<uint16_t>(states.size()));
    if (is_new) states.push_back(threads);
    CHECK(states.size() <= UINT16_MAX / 2);
    return it->second;
  };
  start_state_ = state_number({0});
  Stepper stepper(program);
  for (size_t s = 0; s < states.size(); ++s) {
    for (size_t c = 0; c <= classes.size(); ++c) {
      const Threads threads = states[s];  // by value: `states` grows below
      const Step step = stepper.step(threads, c < classes.size() ? &classes[c] : nullptr);
      transitions_.push_back(static_cast<uint16_t>(state_number(step.next) << 1 | (step.matched ? 1 : 0)));
    }
  }
}

uint32_t SplitPattern::character_class(char32_t codepoint) const {
  size_t segment = 0;
  if (segment_starts_.size() > 1) {
    const auto it = std::upper_bound(segment_starts_.begin(), segment_starts_.end(), codepoint);
    segment = static_cast<size_t>(it - segment_starts_.begin()) - 1;
  }
  return segment_classes_[segment * kSegmentStride + static_cast<size_t>(split_category(codepoint))];
}

size_t SplitPattern::match(std::string_view text, size_t begin) const {
  uint32_t state = start_state_;
  size_t at = begin;
  size_t end = begin;
  while (at < text.size()) {
    const auto byte = static_cast<uint8_t>(text[at]);
    uint32_t character = 0;
    uint32_t size_bytes = 1;
    if (byte < 0x80) {
      character = ascii_classes_[byte];
    } else {
      const Utf8Char c = decode_utf8(text.substr(at));
      character = character_class(c.codepoint);
      size_bytes = c.size_bytes;
    }
    const uint16_t transition = transitions_[state * stride_ + character];
    if (transition & 1) end = at;
    state = transition >> 1;
    if (state == 0) return end - begin;
    at += size_bytes;
  }
  if (transitions_[state * stride_ + stride_ - 1] & 1) end = at;
  return end - begin;
}

}  // namespace ingle
