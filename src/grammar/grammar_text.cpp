#include "grammar/grammar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace ingle {
namespace {

std::pair<uint32_t, uint32_t> token_characters(TokenId id) {
  constexpr uint32_t kBeyondUnicode = 0x110000, kEach = 0x8000;
  const auto number = static_cast<uint32_t>(id);
  return {kBeyondUnicode + number / kEach, kBeyondUnicode + number % kEach};
}

}  // namespace

GrammarText::Expression GrammarText::literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

GrammarText::Expression GrammarText::token(TokenId id) { return fmt::format("Token({})", id); }

GrammarText::Expression GrammarText::token_literal(TokenId id) {
  const auto [high, low] = token_characters(id);
  return fmt::format("\"\\U{:08x}\\U{:08x}\"", high, low);
}

std::string GrammarText::token_bytes(TokenId id) {
  const auto [high, low] = token_characters(id);
  std::string out;
  for (const uint32_t code : {high, low}) {
    for (const uint32_t shift : {18, 12, 6, 0}) {
      out += static_cast<char>((shift == 18 ? 0xf0 : 0x80) | (code >> shift & 0x3f));
    }
  }
  return out;
}

GrammarText::Expression GrammarText::sequence(std::span<const Expression> parts) {
  if (parts.empty()) return literal("");
  if (parts.size() == 1) return parts[0];
  return fmt::format("({})", fmt::join(parts, " "));
}

GrammarText::Expression GrammarText::choice(std::span<const Expression> options) {
  CHECK(!options.empty());
  if (options.size() == 1) return options[0];
  return fmt::format("({})", fmt::join(options, " | "));
}

GrammarText::Expression GrammarText::repeat(const Expression& expression, uint32_t min, uint32_t max) {
  CHECK(min <= max && min < kNoLimit);
  if (max == 0) return literal("");
  if (max == 1) return min == 1 ? expression : optional(expression);
  if (max == kNoLimit && min == 0) return expression + "*";
  // Once for each time that it stands here.
  const Expression one = expression.size() > 64 ? rule(expression) : expression;
  if (max == kNoLimit && min == 1) return fmt::format("({} {}*)", one, one);
  if (max == kNoLimit) return fmt::format("({0}{{{1}}} {0}*)", one, min);
  return fmt::format("{}{{{},{}}}", one, min, max);
}

GrammarText::Expression GrammarText::text_without(std::span<const Expression> literals) {
  CHECK(!literals.empty());
  return rule(fmt::format("TagDispatch(loop_after_dispatch=false, excludes=({}))", fmt::join(literals, ", ")));
}

GrammarText::Expression GrammarText::text_with(const Expression& trigger, const Expression& then, bool on,
                                               std::span<const Expression> literals) {
  std::string arguments = fmt::format("({}, {}), loop_after_dispatch={}", trigger, then, on);
  if (!literals.empty()) arguments += fmt::format(", excludes=({})", fmt::join(literals, ", "));
  return rule(fmt::format("TagDispatch({})", arguments));
}

GrammarText::Expression GrammarText::reserve() { return fmt::format("r{}", ++reserved_); }

GrammarText::Expression GrammarText::rule(const Expression& body) {
  Expression name = reserve();
  define(name, body);
  return name;
}

void GrammarText::define(const Expression& name, const Expression& body) {
  bytes_ += name.size() + body.size() + 6;
  if (too_large()) return;
  rules_ += fmt::format("{} ::= {}\n", name, body);
  if (!name.starts_with('r')) names_.push_back(name);
}

bool GrammarText::has(std::string_view name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

Result<std::string> GrammarText::finish(const Expression& root) const {
  std::string text = fmt::format("root ::= {}\n", root);
  if (bytes_ + text.size() > kMaxGrammarBytes) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("what the answer is to look like takes a grammar of more than {} KiB", kMaxGrammarBytes / 1024),
        "ask for less of it"};
  }
  return text + rules_;
}

}  // namespace ingle
