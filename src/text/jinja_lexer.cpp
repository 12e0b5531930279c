#include "text/jinja_lexer.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "text/jinja_numbers.h"
#include "text/jinja_unicode.h"

namespace ingle::jinja {

namespace {

struct Operator {
  std::string_view text;
  Token type;
};

constexpr Operator kOperators[] = {
    {"//", Token::kFloorDiv}, {"**", Token::kPow},      {"==", Token::kEq},    {"!=", Token::kNe},
    {">=", Token::kGtEq},     {"<=", Token::kLtEq},     {"+", Token::kAdd},    {"-", Token::kSub},
    {"/", Token::kDiv},       {"*", Token::kMul},       {"%", Token::kMod},    {"~", Token::kTilde},
    {"[", Token::kLBracket},  {"]", Token::kRBracket},  {"(", Token::kLParen}, {")", Token::kRParen},
    {"{", Token::kLBrace},    {"}", Token::kRBrace},    {">", Token::kGt},     {"<", Token::kLt},
    {"=", Token::kAssign},    {".", Token::kDot},       {":", Token::kColon},  {"|", Token::kPipe},
    {",", Token::kComma},     {";", Token::kSemicolon},
};

// \r\n and \r become \n.
std::string normalize_newlines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
      continue;
    }
    out += '\n';
    if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
  }
  return out;
}

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalize_newlines(source)) {
    if (!source_.empty() && source_.back() == '\n') source_.pop_back();
  }

  std::vector<Lexeme> run() {
    while (at_ < source_.size()) root();
    add(Token::kEnd);
    return std::move(tokens_);
  }

 private:
  void root();
  void comment();
  void raw();
  void tag(bool variable);
  bool tag_end(bool variable);
  void number();
  void name();
  void string();
  void op();
  size_t raw_begin(size_t at) const;
  bool raw_end(size_t at, size_t* sign_at, size_t* after) const;
  std::string_view trimmed(std::string_view text, char sign, bool variable) const;
  void skip_space();

  [[noreturn]] void error(const std::string& message) const {
    throw TemplateError{message, line_, ErrorCode::kInvalidData};
  }
  bool starts(std::string_view what) const { return std::string_view(source_).substr(at_, what.size()) == what; }
  char peek(size_t i) const { return i < source_.size() ? source_[i] : '\0'; }
  // Moves on to `to`, counting lines.
  void advance(size_t to) {
    line_ += static_cast<int>(std::count(source_.begin() + at_, source_.begin() + to, '\n'));
    at_line_start_ = to > at_ && source_[to - 1] == '\n';
    at_ = to;
  }
  void add(Token type, std::string text = {}) { tokens_.push_back({type, line_, std::move(text), {}}); }
  std::string decode_string(std::string_view body);
  uint32_t hex_escape(std::string_view body, size_t* at, int digits);

  std::string source_;
  size_t at_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;  // what was read last ended a line, or nothing was
  std::string open_;           // the closing brackets that are due
  std::vector<Lexeme> tokens_;
};

// Where a `{% raw %}` that begins at `at` ends; 0 when there is none.
size_t Lexer::raw_begin(size_t at) const {
  size_t i = at + 2;
  if (peek(i) == '-' || peek(i) == '+') ++i;
  const auto skip = [&] {
    size_t next = i;
    while (i < source_.size() && is_space(decode_utf8(source_, &next))) i = next;
  };
  skip();
  if (source_.compare(i, 3, "raw") != 0) return 0;
  i += 3;
  skip();
  if (source_.compare(i, 2, "%}") == 0) return i + 2;
  if (source_.compare(i, 3, "-%}") != 0) return 0;
  i += 3;
  skip();
  return i;
}

// The text before a tag, without the whitespace that the tag strips.
std::string_view Lexer::trimmed(std::string_view text, char sign, bool variable) const {
  if (sign == '-') return strip_space(text, false, true);
  if (sign == '+' || variable) return text;
  const size_t newline = text.rfind('\n');
  const size_t from = newline == std::string_view::npos ? 0 : newline + 1;
  if (from == 0 && !at_line_start_) return text;
  return strip_space(text.substr(from)).empty() ? text.substr(0, from) : text;
}

void Lexer::root() {
  size_t tag_at = at_;
  while (true) {
    tag_at = source_.find('{', tag_at);
    if (tag_at == std::string::npos) {
      add(Token::kData, source_.substr(at_));
      return advance(source_.size());
    }
    const char c = peek(tag_at + 1);
    if (c == '%' || c == '{' || c == '#') break;
    ++tag_at;
  }
  const char kind = source_[tag_at + 1];
  const char mark = peek(tag_at + 2);
  const char sign = mark == '-' || mark == '+' ? mark : '\0';
  const auto text = trimmed(std::string_view(source_).substr(at_, tag_at - at_), sign, kind == '{');
  if (!text.empty()) add(Token::kData, std::string(text));
  advance(tag_at);
  if (kind == '%') {
    if (const size_t end = raw_begin(tag_at)) {
      advance(end);
      return raw();
    }
  }
  advance(tag_at + 2 + (sign ? 1 : 0));
  if (kind == '#') return comment();
  tag(kind == '{');
}

void Lexer::skip_space() {
  size_t next = at_, end = at_;
  while (end < source_.size() && is_space(decode_utf8(source_, &next))) end = next;
  if (end > at_) advance(end);
}

void Lexer::comment() {
  const size_t end = source_.find("#}", at_);
  if (end == std::string::npos) {
    if (at_ == source_.size()) return;  // Jinja lets this pass
    error("Missing end of comment tag");
  }
  const char sign = end > at_ ? source_[end - 1] : '\0';
  advance(end + 2);
  if (sign == '-') {
    skip_space();
  } else if (sign != '+' && peek(at_) == '\n') {
    advance(at_ + 1);
  }
}

// Is there a `{% endraw %}` at `at`? Gives its sign and where it ends.
bool Lexer::raw_end(size_t at, size_t* sign_at, size_t* after) const {
  size_t i = at + 2;
  *sign_at = i;
  if (peek(i) == '-' || peek(i) == '+') ++i;
  const auto skip = [&] {
    size_t next = i;
    while (i < source_.size() && is_space(decode_utf8(source_, &next))) i = next;
  };
  skip();
  if (source_.compare(i, 6, "endraw") != 0) return false;
  i += 6;
  skip();
  const char sign = peek(i);
  if (sign == '+' || sign == '-') ++i;
  if (source_.compare(i, 2, "%}") != 0) return false;
  i += 2;
  if (sign == '-') {
    skip();
  } else if (sign != '+' && peek(i) == '\n') {
    ++i;
  }
  *after = i;
  return true;
}

void Lexer::raw() {
  for (size_t end = source_.find("{%", at_); end != std::string::npos; end = source_.find("{%", end + 2)) {
    size_t sign_at = 0, after = 0;
    if (!raw_end(end, &sign_at, &after)) continue;
    const char mark = peek(sign_at);
    const auto text =
        trimmed(std::string_view(source_).substr(at_, end - at_), mark == '-' || mark == '+' ? mark : '\0', false);
    if (!text.empty()) add(Token::kData, std::string(text));
    return advance(after);
  }
  if (at_ < source_.size()) error("Missing end of raw directive");
}

bool Lexer::tag_end(bool variable) {
  if (!open_.empty()) return false;
  const std::string_view close = variable ? "}}" : "%}";
  const char sign = peek(at_);
  const bool is_sign = sign == '-' || (sign == '+' && !variable);
  if (std::string_view(source_).substr(at_ + is_sign, 2) != close) return false;
  add(variable ? Token::kVariableEnd : Token::kBlockEnd);
  advance(at_ + is_sign + 2);
  if (is_sign && sign == '-') {
    skip_space();
  } else if (!variable && !is_sign && peek(at_) == '\n') {
    advance(at_ + 1);
  }
  return true;
}

void Lexer::tag(bool variable) {
  add(variable ? Token::kVariableBegin : Token::kBlockBegin);
  while (at_ < source_.size()) {
    if (tag_end(variable)) return;
    size_t next = at_;
    const uint32_t c = decode_utf8(source_, &next);
    if (is_space(c)) {
      skip_space();
    } else if (is_ascii_digit(source_[at_])) {
      number();
    } else if (is_word(c)) {
      name();
    } else if (c == '\'' || c == '"') {
      string();
    } else {
      op();
    }
  }
}

void Lexer::number() {
  const std::string_view rest = std::string_view(source_).substr(at_);
  const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
  size_t used = after_dot ? 0 : float_literal(rest);
  Lexeme token{Token::kFloat, line_, {}, {}};
  if (used) {
    token.number = Value(parse_double(without_underscores(rest.substr(0, used))));
  } else {
    used = integer_literal(rest);
    token.type = Token::kInteger;
    token.number = *parse_integer(without_underscores(rest.substr(0, used)), 0);
  }
  tokens_.push_back(std::move(token));
  advance(at_ + used);
}

// Looking a name up costs time by its length, which no step of a rendering counts.
static constexpr size_t kMaxNameBytes = 1000;

void Lexer::name() {
  size_t end = at_, next = at_;
  while (end < source_.size()) {
    const uint32_t c = decode_utf8(source_, &next);
    const std::string_view piece = std::string_view(source_).substr(end, next - end);
    if (!is_word(c) && !is_identifier("_" + std::string(piece))) break;
    end = next;
  }
  std::string text = source_.substr(at_, end - at_);
  if (text.size() > kMaxNameBytes) error("a name is longer than " + std::to_string(kMaxNameBytes) + " bytes");
  if (!is_identifier(text)) error("Invalid character in identifier");
  add(Token::kName, std::move(text));
  advance(end);
}

void Lexer::string() {
  const char quote = source_[at_];
  size_t end = at_ + 1;
  while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
  if (end >= source_.size()) error(std::string("unexpected char '") + quote + "': the string does not end");
  add(Token::kString, decode_string(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
  advance(end + 1);
}

uint32_t Lexer::hex_escape(std::string_view body, size_t* at, int digits) {
  uint32_t c = 0;
  const std::string_view hex = body.substr(*at, static_cast<size_t>(digits));
  const auto [end, ec] = std::from_chars(hex.data(), hex.data() + hex.size(), c, 16);
  if (hex.size() != static_cast<size_t>(digits) || ec != std::errc() || end != hex.data() + hex.size() ||
      c > 0x10FFFF) {
    error("truncated or illegal escape in a string");
  }
  *at += static_cast<size_t>(digits);
  return c;
}

// Python's unicode-escape codec.
std::string Lexer::decode_string(std::string_view body) {
  static constexpr std::string_view kFrom = "\\'\"abfnrtv";
  static constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
  std::string out;
  for (size_t at = 0; at < body.size();) {
    if (body[at] != '\\') {
      out += body[at++];
      continue;
    }
    ++at;
    size_t next = at;
    const uint32_t c = decode_utf8(body, &next);
    if (c == '\n') {
      ++at;
    } else if (const size_t simple = c < 0x80 ? kFrom.find(static_cast<char>(c)) : std::string_view::npos;
               simple != std::string_view::npos) {
      out += kTo[simple];
      ++at;
    } else if (c == 'x' || c == 'u' || c == 'U') {
      ++at;
      append_utf8(&out, hex_escape(body, &at, c == 'x' ? 2 : c == 'u' ? 4 : 8));
    } else if (c >= '0' && c <= '7') {
      uint32_t octal = 0;
      for (int i = 0; i < 3 && at < body.size() && body[at] >= '0' && body[at] <= '7'; ++i)
        octal = octal * 8 + (body[at++] - '0');
      append_utf8(&out, octal);
    } else if (c == 'N') {
      error("\\N{...} in a string is not supported");
    } else if (c >= 0x80) {
      // The codec sees such a character as an escape of its own, of which the backslash before it takes the backslash.
      append_escape(&out, c);
      at = next;
    } else {
      out += '\\';
    }
  }
  return out;
}

void Lexer::op() {
  for (const auto& [text, type] : kOperators) {
    if (!starts(text)) continue;
    const char c = text[0];
    if (text.size() == 1 && (c == '(' || c == '[' || c == '{')) open_ += c == '(' ? ')' : static_cast<char>(c + 2);
    if (text.size() == 1 && (c == ')' || c == ']' || c == '}')) {
      if (open_.empty()) error(std::string("unexpected '") + c + "'");
      if (open_.back() != c) error(std::string("unexpected '") + c + "', expected '" + open_.back() + "'");
      open_.pop_back();
    }
    add(type);
    return advance(at_ + text.size());
  }
  size_t next = at_;
  decode_utf8(source_, &next);
  error("unexpected char '" + source_.substr(at_, next - at_) + "'");
}

}  // namespace

std::vector<Lexeme> tokenize(std::string_view source) { return Lexer(source).run(); }

const char* describe(Token type) {
  switch (type) {
    case Token::kData:
      return "template data / text";
    case Token::kVariableBegin:
      return "begin of print statement";
    case Token::kVariableEnd:
      return "end of print statement";
    case Token::kBlockBegin:
      return "begin of statement block";
    case Token::kBlockEnd:
      return "end of statement block";
    case Token::kName:
      return "name";
    case Token::kString:
      return "string";
    case Token::kInteger:
      return "integer";
    case Token::kFloat:
      return "float";
    case Token::kEnd:
      return "end of template";
    default:
      break;
  }
  for (const auto& [text, of] : kOperators) {
    if (of == type) return text.data();
  }
  return "token";
}

std::string describe(const Lexeme& lexeme) {
  return lexeme.type == Token::kName ? lexeme.text : std::string(describe(lexeme.type));
}

}  // namespace ingle::jinja
