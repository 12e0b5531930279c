#include "grammar/regex.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "grammar/code_points.h"
#include "text/utf8.h"

namespace ingle {
namespace {

using Expression = GrammarText::Expression;

constexpr size_t kMaxPatternBytes = 8192;
constexpr uint32_t kMaxNesting = 40;
constexpr uint64_t kMaxWeight = 4000;  // characters that are left when every repetition is written out

const CodePoints kDigits({{'0', '9'}});
const CodePoints kWord({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}});
const CodePoints kSpace({{'\t', '\r'},
                         {' ', ' '},
                         {0xa0, 0xa0},
                         {0x1680, 0x1680},
                         {0x2000, 0x200a},
                         {0x2028, 0x2029},
                         {0x202f, 0x202f},
                         {0x205f, 0x205f},
                         {0x3000, 0x3000},
                         {0xfeff, 0xfeff}});
const CodePoints kLineEnds({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}});
// What a JSON string has only escaped.
const CodePoints kEscapedInJson({{0, 0x1f}, {'"', '"'}, {'\\', '\\'}});

std::string escape_in_json(uint32_t code) {
  switch (code) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return fmt::format("\\u{:04x}", code);
  }
}

// The pieces that the grammar is made of, again a regular expression: of few constructs, in which every character
// stands for itself or is written by its code, and in JSON strings as JSON escapes it.
struct Piece {
  std::string regex;    // one atom
  uint64_t weight = 0;  // characters, repetitions written out
};

std::string by_code(uint32_t code) {
  const bool plain = (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z');
  return plain ? std::string(1, static_cast<char>(code)) : fmt::format("\\u{{{:x}}}", code);
}

std::string by_code(std::string_view text) {
  std::string out;
  for (const char c : text) out += by_code(static_cast<unsigned char>(c));
  return out;
}

std::string class_of(const CodePoints& points) {
  std::string out = "[";
  for (const CodePoints::Range& range : points.ranges()) {
    out += by_code(range.first);
    if (range.last > range.first) out += '-' + by_code(range.last);
  }
  return out + "]";
}

// Of a JSON string: any character, and then what ends it. Surrogates are d800 to dfff.
constexpr std::string_view kAnyInJson =
    R"((?:[^\u{22}\u{5c}\u{0}-\u{1f}\u{d800}-\u{dfff}]|\u{5c}(?:[\u{22}\u{5c}\u{2f}bfnrt]|u(?:[0-9a-cefA-CEF][0-9a-fA-F]|[dD][0-7])[0-9a-fA-F][0-9a-fA-F])))";

class RegexParser {
 public:
  RegexParser(std::string_view pattern, RegexUse use) : pattern_(pattern), use_(use) {}

  Result<Expression> parse() {
    if (pattern_.size() > kMaxPatternBytes) {
      return invalid(fmt::format("it has {} bytes, {} are allowed", pattern_.size(), kMaxPatternBytes));
    }
    if (!is_valid_utf8(pattern_)) return invalid("it is not well-formed UTF-8");
    ASSIGN_OR_RETURN(const Piece all, alternatives(0));
    if (at_ < pattern_.size()) return invalid("there is a ) too many");
    const std::string quote = use_ == RegexUse::kWholeText ? "" : by_code('"');
    return fmt::format("Regex({})", GrammarText::literal(quote + all.regex + quote));
  }

 private:
  Error error(ErrorCode code, std::string_view what) const {
    return {code, fmt::format("the regular expression can't be used: {} (at byte {})", what, at_), ""};
  }
  Error invalid(std::string_view what) const { return error(ErrorCode::kInvalidArgument, what); }
  Error unsupported(std::string_view what) const {
    return error(ErrorCode::kUnsupported, fmt::format("{} not supported", what));
  }

  bool more() const { return at_ < pattern_.size(); }
  bool next_is(std::string_view what) const { return pattern_.substr(at_).starts_with(what); }
  bool take(std::string_view what) {
    if (!next_is(what)) return false;
    at_ += what.size();
    return true;
  }
  uint32_t take_character() {
    const Utf8Char c = decode_utf8(pattern_.substr(at_));
    at_ += c.size_bytes;
    return c.codepoint;
  }

  Result<Piece> alternatives(uint32_t depth) {
    if (depth > kMaxNesting) return invalid(fmt::format("it nests deeper than {}", kMaxNesting));
    std::vector<std::string> options;
    uint64_t weight = 0;
    do {
      ASSIGN_OR_RETURN(Piece one, alternative(depth));
      weight += one.weight;
      options.push_back(std::move(one.regex));
    } while (take("|"));
    if (weight > kMaxWeight) return invalid("its repetitions make it too large");
    return Piece{fmt::format("(?:{})", fmt::join(options, "|")), weight};
  }

  Result<Piece> alternative(uint32_t depth) {
    bool at_start = false, at_end = false;
    std::string parts;
    uint64_t weight = 0;
    while (more() && !next_is("|") && !next_is(")")) {
      if (next_is("^") || next_is("$")) {
        if (depth > 0) return unsupported("an anchor inside a group is");
        if (at_end && next_is("^")) return invalid("^ after $ matches nothing");
        if (next_is("^") && !parts.empty()) return unsupported("a ^ that is not at the beginning is");
        (next_is("^") ? at_start : at_end) = true;
        at_++;
        continue;
      }
      if (at_end) return unsupported("a $ that is not at the end is");
      ASSIGN_OR_RETURN(Piece piece, quantified(depth));
      weight += piece.weight;
      if (weight > kMaxWeight) return invalid("its repetitions make it too large");
      parts += piece.regex;
    }
    if (depth == 0 && use_ == RegexUse::kSearchInJson) {
      if (!at_start) parts = fmt::format("{}*{}", kAnyInJson, parts);
      if (!at_end) parts += fmt::format("{}*", kAnyInJson);
    }
    return Piece{std::move(parts), weight};
  }

  Result<Piece> quantified(uint32_t depth) {
    if (next_is("*") || next_is("+") || next_is("?")) return invalid("there is nothing to repeat");
    ASSIGN_OR_RETURN(Piece piece, atom(depth));
    uint32_t min = 1, max = 1;
    std::string quantifier;
    if (take("*")) {
      quantifier = "*", min = 0, max = kNoLimit;
    } else if (take("+")) {
      quantifier = "+", max = kNoLimit;
    } else if (take("?")) {
      quantifier = "?", min = 0;
    } else if (take_counts(min, max)) {
      quantifier = max == kNoLimit ? fmt::format("{{{},}}", min) : fmt::format("{{{},{}}}", min, max);
    } else {
      return piece;
    }
    if (min > max) return invalid("a repetition's bounds are the wrong way round");
    take("?");  // lazy: the same texts match
    if (next_is("+")) return unsupported("a possessive quantifier is");
    uint32_t low = 0, high = 0;
    if (next_is("*") || next_is("?") || peek_counts(low, high)) return invalid("there are two quantifiers in a row");
    const uint64_t times = max == kNoLimit ? uint64_t{min} + 1 : std::max(max, 1u);
    piece.weight = std::max<uint64_t>(piece.weight, 1) * times;
    if (piece.weight > kMaxWeight) return invalid("its repetitions make it too large");
    piece.regex = max == 0 ? "(?:)" : piece.regex + quantifier;
    return piece;
  }

  bool peek_counts(uint32_t& min, uint32_t& max) {
    const size_t begin = at_;
    const bool found = take_counts(min, max);
    at_ = begin;
    return found;
  }

  // {2}, {2,} or {2,5}; what else follows a brace is text, as in ECMA-262 and Python.
  bool take_counts(uint32_t& min, uint32_t& max) {
    const size_t begin = at_;
    if (take("{") && take_number(min)) {
      max = min;
      if (take(",") && !take_number(max)) max = kNoLimit;
      if (take("}")) return true;
    }
    at_ = begin;
    min = max = 1;
    return false;
  }

  bool take_number(uint32_t& out) {
    const size_t begin = at_;
    uint64_t value = 0;
    for (; more() && pattern_[at_] >= '0' && pattern_[at_] <= '9'; at_++) {
      value = std::min<uint64_t>(value * 10 + static_cast<uint64_t>(pattern_[at_] - '0'), kNoLimit - 1);
    }
    out = static_cast<uint32_t>(value);
    return at_ > begin;
  }

  Result<Piece> atom(uint32_t depth) {
    if (take("(")) return group(depth);
    if (take("[")) {
      ASSIGN_OR_RETURN(const CodePoints points, char_class());
      return of(points);
    }
    if (take(".")) return of(kLineEnds.complement());
    if (next_is("\\")) {
      ASSIGN_OR_RETURN(const CodePoints points, escape(false));
      return of(points);
    }
    const uint32_t code = take_character();
    return of(CodePoints({{code, code}}));
  }

  Result<Piece> group(uint32_t depth) {
    if (take("?")) {
      if (take("P<") || (next_is("<") && !next_is("<=") && !next_is("<!") && take("<"))) {
        const size_t end = pattern_.find('>', at_);
        if (end == std::string_view::npos) return invalid("the name of a group has no end");
        at_ = end + 1;
      } else if (!take(":")) {
        return unsupported(next_is("=") || next_is("!") || next_is("<") ? "look-around is" : "this kind of group is");
      }
    }
    ASSIGN_OR_RETURN(Piece inner, alternatives(depth + 1));
    if (!take(")")) return invalid("a ( is not closed");
    return inner;
  }

  Result<CodePoints> char_class() {
    const bool negated = take("^");
    CodePoints all;
    bool first = true;
    while (true) {
      if (!more()) return invalid("a [ is not closed");
      if (next_is("]") && !first) break;
      if (next_is("]")) return unsupported("an empty class, or one that begins with ], is");
      first = false;
      ASSIGN_OR_RETURN(CodePoints low, class_item());
      if (next_is("-") && at_ + 1 < pattern_.size() && pattern_[at_ + 1] != ']') {
        at_++;
        ASSIGN_OR_RETURN(const CodePoints high, class_item());
        const auto single = [](const CodePoints& points) {
          return points.ranges().size() == 1 && points.ranges()[0].first == points.ranges()[0].last;
        };
        if (!single(low) || !single(high)) return invalid("a range of a class has an end that is no character");
        if (low.ranges()[0].first > high.ranges()[0].first) return invalid("a range of a class is the wrong way round");
        low = CodePoints({{low.ranges()[0].first, high.ranges()[0].first}});
      }
      all.add(low);
    }
    at_++;
    return negated ? all.complement() : all;
  }

  Result<CodePoints> class_item() {
    if (next_is("[:") || next_is("[=") || next_is("[.")) return unsupported("a POSIX class is");
    if (next_is("\\")) return escape(true);
    if (!more()) return invalid("a [ is not closed");
    const uint32_t code = take_character();
    return CodePoints({{code, code}});
  }

  Result<CodePoints> escape(bool in_class) {
    at_++;
    if (!more()) return invalid("it ends with a backslash");
    const char c = pattern_[at_];
    const auto take_as = [this](CodePoints points) {
      at_++;
      return points;
    };
    const auto code = [&](uint32_t point) { return take_as(CodePoints({{point, point}})); };
    switch (c) {
      case 'd':
        return take_as(kDigits);
      case 'D':
        return take_as(kDigits.complement());
      case 'w':
        return take_as(kWord);
      case 'W':
        return take_as(kWord.complement());
      case 's':
        return take_as(kSpace);
      case 'S':
        return take_as(kSpace.complement());
      case 'n':
        return code('\n');
      case 'r':
        return code('\r');
      case 't':
        return code('\t');
      case 'f':
        return code('\f');
      case 'v':
        return code('\v');
      case 'b':
        if (in_class) return code('\b');
        return unsupported("\\b is");
      case '0':
        if (at_ + 1 < pattern_.size() && pattern_[at_ + 1] >= '0' && pattern_[at_ + 1] <= '9') break;
        return code(0);
      case 'x':
        return hex_escape(2);
      case 'u':
        return hex_escape(4);
      default:
        break;
    }
    const bool named = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (named) return unsupported(fmt::format("\\{} is", c));
    const uint32_t point = take_character();
    return CodePoints({{point, point}});
  }

  Result<CodePoints> hex_escape(size_t digits) {
    at_++;
    uint32_t code = 0;
    for (size_t i = 0; i < digits; i++, at_++) {
      const char c = more() ? pattern_[at_] : 'g';
      const uint32_t digit = c >= '0' && c <= '9'   ? static_cast<uint32_t>(c - '0')
                             : c >= 'a' && c <= 'f' ? static_cast<uint32_t>(c - 'a' + 10)
                             : c >= 'A' && c <= 'F' ? static_cast<uint32_t>(c - 'A' + 10)
                                                    : 16;
      if (digit == 16) return invalid("an escape needs more hexadecimal digits");
      code = code * 16 + digit;
    }
    CodePoints points({{code, code}});
    if (points.empty()) return unsupported("a surrogate is");
    return points;
  }

  Result<Piece> of(const CodePoints& points) {
    if (points.empty()) return invalid("a class matches no character");
    if (use_ == RegexUse::kWholeText) return Piece{class_of(points), 1};
    std::vector<std::string> options;
    const CodePoints plain = points.without(kEscapedInJson), escaped = points.intersection(kEscapedInJson);
    if (escaped.empty()) return Piece{class_of(plain), 1};
    if (!plain.empty()) options.push_back(class_of(plain));
    for (const CodePoints::Range& range : escaped.ranges()) {
      for (uint32_t code = range.first; code <= range.last; code++) options.push_back(by_code(escape_in_json(code)));
    }
    return Piece{fmt::format("(?:{})", fmt::join(options, "|")), 1};
  }

  const std::string_view pattern_;
  const RegexUse use_;
  size_t at_ = 0;
};

}  // namespace

Expression json_string_rest(GrammarText& text) {
  if (!text.has("string_rest")) {
    text.define("string_rest", fmt::format(R"("\"" | {} string_rest | "\\" escape string_rest)", kPlainInJson));
    text.define("escape", R"(["\\/bfnrt] | "u" ([0-9a-cefA-CEF] [0-9a-fA-F] | [dD] [0-7]) [0-9a-fA-F] [0-9a-fA-F])");
  }
  return "string_rest";
}

Result<Expression> regex_grammar(std::string_view pattern, RegexUse use) { return RegexParser(pattern, use).parse(); }

}  // namespace ingle
