#include "text/split_pattern_parser.h"

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "text/utf8.h"

namespace ingle {
namespace {

constexpr uint32_t kUnbounded = UINT32_MAX;

struct Node {
  enum class Kind : uint8_t { kTake, kNotNext, kSequence, kAlternatives, kRepeat };
  Kind kind = Kind::kSequence;
  uint32_t set = 0;
  uint32_t min = 1, max = 1;
  std::vector<Node> children;
};

void add_range(CharacterSet& set, char32_t first, char32_t last) { set.ranges.emplace_back(first, last); }

// \s as Unicode's White_Space.
void add_space(CharacterSet& set) {
  set.categories |= unicode_category_bits("Z") | 1u << CharacterSet::kNextLineCategory;
  add_range(set, '\t', '\r');
}

class Parser {
 public:
  Parser(std::string_view pattern, SplitProgram& program) : rest_(pattern), program_(program) {}

  Node parse() {
    Node root = parse_alternatives();
    CHECK(rest_.empty());
    return root;
  }

 private:
  bool accept(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  char32_t take_character() {
    CHECK(!rest_.empty());
    const Utf8Char c = decode_utf8(rest_);
    CHECK(c.kind == Utf8Kind::kValid);
    rest_.remove_prefix(c.size_bytes);
    return c.codepoint;
  }

  uint32_t intern(const CharacterSet& set) {
    auto& sets = program_.sets;
    const auto it = std::find(sets.begin(), sets.end(), set);
    if (it != sets.end()) return static_cast<uint32_t>(it - sets.begin());
    sets.push_back(set);
    return static_cast<uint32_t>(sets.size() - 1);
  }

  Node take_set(const CharacterSet& set) { return {Node::Kind::kTake, intern(set), 1, 1, {}}; }

  Node parse_alternatives() {
    Node node{Node::Kind::kAlternatives, 0, 1, 1, {}};
    do {
      node.children.push_back(parse_sequence());
    } while (accept("|"));
    return node.children.size() == 1 ? std::move(node.children.front()) : node;
  }

  Node parse_sequence() {
    Node node{Node::Kind::kSequence, 0, 1, 1, {}};
    while (!rest_.empty() && rest_.front() != '|' && rest_.front() != ')') {
      node.children.push_back(parse_repeat(parse_atom()));
    }
    return node;
  }

  Node parse_repeat(Node atom) {
    Node node{Node::Kind::kRepeat, 0, 1, 1, {}};
    if (accept("?")) {
      node.min = 0;
    } else if (accept("*")) {
      node.min = 0, node.max = kUnbounded;
    } else if (accept("+")) {
      node.max = kUnbounded;
    } else if (accept("{")) {
      node.min = node.max = take_number();
      if (accept(",")) node.max = take_number();
      CHECK(accept("}"));
    } else {
      return atom;
    }
    node.children.push_back(std::move(atom));
    return node;
  }

  uint32_t take_number() {
    uint32_t n = 0;
    CHECK(!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9');
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      n = n * 10 + static_cast<uint32_t>(rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return n;
  }

  Node parse_atom() {
    if (accept("(?!")) {
      const Node inner = parse_atom();
      CHECK(inner.kind == Node::Kind::kTake && accept(")"));
      return {Node::Kind::kNotNext, inner.set, 1, 1, {}};
    }
    if (accept("(?i:")) return parse_group(true);
    if (accept("(?:") || accept("(")) return parse_group(ignore_case_);
    CharacterSet set;
    if (accept("[")) {
      parse_class(set);
    } else if (accept("\\S")) {
      add_space(set);
      set.negated = true;
    } else {
      add_item(set);
    }
    return take_set(set);
  }

  Node parse_group(bool ignore_case) {
    const bool outer = std::exchange(ignore_case_, ignore_case);
    Node inner = parse_alternatives();
    CHECK(accept(")"));
    ignore_case_ = outer;
    return inner;
  }

  void parse_class(CharacterSet& set) {
    set.negated = accept("^");
    while (!accept("]")) add_item(set);
  }

  // \s, \d, \p{..}, a range or one character.
  void add_item(CharacterSet& set) {
    if (accept("\\s")) return add_space(set);
    if (accept("\\d")) {
      set.categories |= unicode_category_bits("Nd");
      return;
    }
    if (accept("\\p{")) {
      const size_t end = rest_.find('}');
      CHECK(end != std::string_view::npos);
      const uint32_t bits = unicode_category_bits(rest_.substr(0, end));
      CHECK(bits != 0);
      set.categories |= bits;
      rest_.remove_prefix(end + 1);
      return;
    }
    const char32_t first = take_literal();
    if (in_range_position()) {
      rest_.remove_prefix(1);
      const char32_t last = take_literal();
      CHECK(first <= last);
      add_range(set, first, last);
    } else {
      add_character(set, first);
    }
  }

  // A '-' with something behind it that is not the end of the class. Outside classes no pattern has a bare '-'.
  bool in_range_position() const { return rest_.size() >= 2 && rest_[0] == '-' && rest_[1] != ']'; }

  char32_t take_literal() {
    if (!accept("\\")) return take_character();
    const char32_t c = take_character();
    switch (c) {
      case 'r':
        return '\r';
      case 'n':
        return '\n';
      case 't':
        return '\t';
      default:
        CHECK(!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')));
        return c;
    }
  }

  void add_character(CharacterSet& set, char32_t c) {
    add_range(set, c, c);
    if (!ignore_case_ || c < 'a' || c > 'z') return;
    add_range(set, c - 'a' + 'A', c - 'a' + 'A');
    // Unicode case folding gives two ASCII letters a relative elsewhere.
    if (c == 's') add_range(set, 0x17F, 0x17F);
    if (c == 'k') add_range(set, 0x212A, 0x212A);
  }

  std::string_view rest_;
  SplitProgram& program_;
  bool ignore_case_ = false;
};

class Emitter {
 public:
  explicit Emitter(std::vector<SplitInstruction>& code) : code_(code) {}

  void emit(const Node& node) {
    using Op = SplitInstruction::Op;
    switch (node.kind) {
      case Node::Kind::kTake:
        push({Op::kTake, node.set, 0, 0});
        return;
      case Node::Kind::kNotNext:
        push({Op::kNotNext, node.set, 0, 0});
        return;
      case Node::Kind::kSequence:
        for (const Node& child : node.children) emit(child);
        return;
      case Node::Kind::kAlternatives:
        emit_alternatives(node);
        return;
      case Node::Kind::kRepeat:
        emit_repeat(node);
        return;
    }
  }

 private:
  uint32_t here() const { return static_cast<uint32_t>(code_.size()); }
  uint32_t push(SplitInstruction instruction) {
    code_.push_back(instruction);
    return here() - 1;
  }
  // A fork that goes to the next instruction first; its other way is set later.
  uint32_t push_fork() { return push({SplitInstruction::Op::kFork, 0, here() + 1, 0}); }
  void jump_to(uint32_t target) { push({SplitInstruction::Op::kFork, 0, target, target}); }

  void emit_alternatives(const Node& node) {
    std::vector<uint32_t> jumps;
    for (size_t i = 0; i < node.children.size(); ++i) {
      const bool last = i + 1 == node.children.size();
      const uint32_t fork = last ? 0 : push_fork();
      emit(node.children[i]);
      if (last) break;
      jumps.push_back(push({SplitInstruction::Op::kFork, 0, 0, 0}));
      code_[fork].second = here();
    }
    for (const uint32_t jump : jumps) code_[jump].first = code_[jump].second = here();
  }

  void emit_repeat(const Node& node) {
    const Node& body = node.children.front();
    for (uint32_t i = 0; i < node.min; ++i) emit(body);
    if (node.max == kUnbounded) {
      const uint32_t fork = push_fork();
      emit(body);
      jump_to(fork);
      code_[fork].second = here();
      return;
    }
    std::vector<uint32_t> forks;
    for (uint32_t i = node.min; i < node.max; ++i) {
      forks.push_back(push_fork());
      emit(body);
    }
    for (const uint32_t fork : forks) code_[fork].second = here();
  }

  std::vector<SplitInstruction>& code_;
};

}  // namespace

bool CharacterSet::contains(char32_t codepoint, int category) const {
  bool inside = categories >> category & 1;
  for (size_t i = 0; !inside && i < ranges.size(); ++i) {
    inside = codepoint >= ranges[i].first && codepoint <= ranges[i].second;
  }
  return inside != negated;
}

int split_category(char32_t codepoint) {
  return codepoint == 0x85 ? CharacterSet::kNextLineCategory : unicode_category(codepoint);
}

SplitProgram parse_split_pattern(std::string_view pattern) {
  SplitProgram program;
  const Node root = Parser(pattern, program).parse();
  Emitter(program.instructions).emit(root);
  program.instructions.push_back({SplitInstruction::Op::kMatch, 0, 0, 0});
  return program;
}

}  // namespace ingle
