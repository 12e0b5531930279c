#include "text/jinja_string_methods.h"

#include <algorithm>
#include <unordered_map>

#include "text/jinja_text.h"
#include "text/jinja_unicode.h"

namespace ingle::jinja {

namespace {

constexpr size_t kNone = std::string::npos;

// A method's text keeps being markup when the string was.
Value like(Runtime& rt, const Value& self, std::string text) {
  return self.str().markup ? Value::markup(std::move(text), &rt.budget) : rt.str(std::move(text));
}

void no_keywords(const char* method, const Args& args) {
  if (!args.keyword.empty()) fail(std::string("str.") + method + "() takes no keyword arguments");
}

template <std::string (*map)(std::string_view)>
Value mapped(Runtime& rt, const Value& self, Args& args) {
  const Bound b("str method", args, {}, 0);
  rt.budget.work(6 * self.text().size());
  rt.budget.expect(3 * self.text().size());
  return like(rt, self, map(self.text()));
}

template <bool (*test)(uint32_t)>
Value all_are(Runtime& rt, const Value& self, Args& args) {
  const Bound b("str method", args, {}, 0);
  const std::string& text = self.text();
  rt.budget.work(text.size());
  for (size_t at = 0; at < text.size();) {
    if (!test(decode_utf8(text, &at))) return false;
  }
  return !text.empty();
}

// isupper() and islower(): at least one letter that has a case, and all that have are of this one.
template <bool (*wanted)(uint32_t), bool (*other)(uint32_t)>
Value has_case(Runtime& rt, const Value& self, Args& args) {
  const Bound b("str method", args, {}, 0);
  const std::string& text = self.text();
  rt.budget.work(text.size());
  bool any = false;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = decode_utf8(text, &at);
    if (other(c) || is_title(c)) return false;
    any = any || wanted(c);
  }
  return any;
}

Value is_title_cased(Runtime& rt, const Value& self, Args& args) {
  const Bound b("istitle", args, {}, 0);
  const std::string& text = self.text();
  rt.budget.work(text.size());
  bool any = false, in_word = false;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = decode_utf8(text, &at);
    const bool begins = is_upper(c) || is_title(c);
    if (begins && in_word) return false;
    if (is_lower(c) && !in_word) return false;
    in_word = begins || is_lower(c);
    any = any || in_word;
  }
  return any;
}

Value is_ascii(Runtime&, const Value& self, Args& args) {
  const Bound b("isascii", args, {}, 0);
  return self.str().ascii();
}

Value is_printable_text(Runtime& rt, const Value& self, Args& args) {
  return self.text().empty() ? Value(true) : all_are<is_printable>(rt, self, args);
}

Value is_identifier_text(Runtime& rt, const Value& self, Args& args) {
  const Bound b("isidentifier", args, {}, 0);
  rt.budget.work(self.text().size());
  return is_identifier(self.text());
}

template <bool left, bool right>
Value strip(Runtime& rt, const Value& self, Args& args) {
  no_keywords("strip", args);
  const Bound b("strip", args, {"chars"}, 0);
  rt.budget.work(self.text().size());
  const auto text =
      b.is_given(0) ? strip_chars(rt, self.text(), b.text(0), left, right) : strip_space(self.text(), left, right);
  return like(rt, self, std::string(text));
}

template <bool at_end>
Value starts_or_ends(Runtime& rt, const Value& self, Args& args) {
  no_keywords(at_end ? "endswith" : "startswith", args);
  const Bound b(at_end ? "endswith" : "startswith", args, {"affix", "start", "end"}, 1);
  std::string_view text = self.text();
  if (b.is_given(1) || b.is_given(2)) {
    const auto n = static_cast<int64_t>(self.str().length);
    const int64_t start = b.is_given(1) ? b.integer(1, 0) : 0;
    if (start > n) return false;
    const Value part = get_slice(rt, self, b.get(1, Value::none()), b.get(2, Value::none()), Value::none());
    Args rest;
    rest.positional.push_back(b[0]);
    return starts_or_ends<at_end>(rt, part, rest);
  }
  const auto test = [&](const Value& affix) {
    rt.budget.step(std::min(self.weight(), affix.weight()));
    if (!affix.is_string())
      fail(std::string(at_end ? "endswith" : "startswith") + " first arg must be str or a tuple of str, not " +
           affix.type_name());
    return at_end ? text.ends_with(affix.text()) : text.starts_with(affix.text());
  };
  if (!b[0].is(Kind::kTuple)) return test(b[0]);
  for (const Value& affix : b[0].items()) {
    if (test(affix)) return true;
  }
  return false;
}

// The part of a string that find(), index() and count() look at, and how many code points come before it.
struct Window {
  std::string_view text;
  int64_t skipped = 0;
  bool inside = true;  // false when it begins after the end
};

Window window(Runtime& rt, const Value& self, const Bound& b) {
  const auto n = static_cast<int64_t>(self.str().length);
  const auto place = [&](size_t i, int64_t otherwise) {
    int64_t v = b.is_given(i) ? b.integer(i, 0) : otherwise;
    if (v < 0) v = v < -n ? 0 : v + n;
    return v;
  };
  const int64_t start = place(1, 0), end = std::min(place(2, n), n);
  rt.budget.work(self.text().size());
  if (start > n || start > end) return {{}, start, false};
  const std::string_view text = self.text();
  const size_t from = byte_offset(text, static_cast<size_t>(start));
  const std::string_view rest = text.substr(from);
  return {rest.substr(0, byte_offset(rest, static_cast<size_t>(end - start))), start};
}

int64_t points_before(std::string_view text, size_t byte) {
  return std::count_if(text.begin(), text.begin() + static_cast<ptrdiff_t>(byte),
                       [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; });
}

template <bool from_right, bool must>
Value find(Runtime& rt, const Value& self, Args& args) {
  no_keywords("find", args);
  const Bound b("find", args, {"sub", "start", "end"}, 1);
  const Window w = window(rt, self, b);
  const std::string& needle = b.text(0);
  rt.budget.work(needle.size());
  const size_t at = !w.inside ? kNone : from_right ? rfind_text(w.text, needle) : find_text(w.text, needle);
  if (at == kNone && must) fail("substring not found");
  return at == kNone ? Value(-1) : Value(w.skipped + points_before(w.text, at));
}

Value count(Runtime& rt, const Value& self, Args& args) {
  no_keywords("count", args);
  const Bound b("count", args, {"sub", "start", "end"}, 1);
  const Window w = window(rt, self, b);
  const std::string& needle = b.text(0);
  if (!w.inside) return 0;
  if (needle.empty()) return points_before(w.text, w.text.size()) + 1;
  int64_t n = 0;
  rt.budget.work(needle.size());
  const Searcher search(needle);
  for (size_t at = search.find(w.text, 0); at != kNone; at = search.find(w.text, at + needle.size())) ++n;
  return n;
}

Value replace(Runtime& rt, const Value& self, Args& args) {
  no_keywords("replace", args);
  const Bound b("replace", args, {"old", "new", "count"}, 2);
  return like(rt, self, replace_text(rt, self.text(), b.text(0), b.text(1), b.integer(2, -1)));
}

// Bounds the list of pieces before it is made.
void expect_pieces(Runtime& rt, size_t n) { rt.budget.expect(n * (sizeof(StringObj) + sizeof(Value))); }

// The pieces of a split at whitespace; the last one after `limit` splits keeps what is left.
void split_space(Runtime& rt, std::string_view text, int64_t limit, std::vector<std::string_view>* out) {
  text = strip_space(text, true, false);
  while (!text.empty()) {
    if (limit >= 0 && static_cast<int64_t>(out->size()) == limit) {
      out->push_back(strip_space(text, false, true));
      return;
    }
    size_t end = 0, next = 0;
    while (end < text.size() && !is_space(decode_utf8(text, &next))) end = next;
    out->push_back(text.substr(0, end));
    expect_pieces(rt, out->size());
    text = strip_space(text.substr(end), true, false);
  }
}

void rsplit_space(Runtime& rt, std::string_view text, int64_t limit, std::vector<std::string_view>* out) {
  text = strip_space(text, false, true);
  while (!text.empty()) {
    if (limit >= 0 && static_cast<int64_t>(out->size()) == limit) {
      out->push_back(strip_space(text, true, false));
      break;
    }
    size_t begin = text.size();
    while (begin > 0) {
      size_t at = begin - 1;
      while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
      size_t next = at;
      if (is_space(decode_utf8(text, &next))) break;
      begin = at;
    }
    out->push_back(text.substr(begin));
    expect_pieces(rt, out->size());
    text = strip_space(text.substr(0, begin), false, true);
  }
  std::reverse(out->begin(), out->end());
}

void split_at(Runtime& rt, std::string_view text, std::string_view separator, int64_t limit,
              std::vector<std::string_view>* out) {
  const Searcher search(separator);
  size_t from = 0;
  while (limit < 0 || static_cast<int64_t>(out->size()) < limit) {
    const size_t at = search.find(text, from);
    if (at == kNone) break;
    out->push_back(text.substr(from, at - from));
    expect_pieces(rt, out->size());
    from = at + separator.size();
  }
  out->push_back(text.substr(from));
}

void rsplit_at(Runtime& rt, std::string_view text, std::string_view separator, int64_t limit,
               std::vector<std::string_view>* out) {
  const Searcher search(separator, true);
  while (limit < 0 || static_cast<int64_t>(out->size()) < limit) {
    const size_t at = search.find(text, 0);
    if (at == kNone) break;
    out->push_back(text.substr(at + separator.size()));
    expect_pieces(rt, out->size());
    text = text.substr(0, at);
  }
  out->push_back(text);
  std::reverse(out->begin(), out->end());
}

Value to_list(Runtime& rt, const Value& self, const std::vector<std::string_view>& pieces) {
  rt.budget.expect(self.text().size() + pieces.size() * (sizeof(StringObj) + sizeof(Value)));
  Items items;
  items.reserve(pieces.size());
  for (std::string_view piece : pieces) {
    rt.budget.step();
    items.push_back(like(rt, self, std::string(piece)));
  }
  return rt.list(std::move(items));
}

template <bool from_right>
Value split(Runtime& rt, const Value& self, Args& args) {
  const Bound b("split", args, {"sep", "maxsplit"}, 0);
  const int64_t limit = b.integer(1, -1);
  rt.budget.work(2 * self.text().size());
  std::vector<std::string_view> pieces;
  if (!b.is_given(0)) {
    from_right ? rsplit_space(rt, self.text(), limit, &pieces) : split_space(rt, self.text(), limit, &pieces);
  } else {
    const std::string& separator = b.text(0);
    if (separator.empty()) fail("empty separator");
    rt.budget.work(separator.size());
    from_right ? rsplit_at(rt, self.text(), separator, limit, &pieces)
               : split_at(rt, self.text(), separator, limit, &pieces);
  }
  return to_list(rt, self, pieces);
}

Value splitlines(Runtime& rt, const Value& self, Args& args) {
  const Bound b("splitlines", args, {"keepends"}, 0);
  rt.budget.work(self.text().size());
  return to_list(rt, self, split_lines(self.text(), b.truthy(0, false)));
}

template <bool from_right>
Value partition(Runtime& rt, const Value& self, Args& args) {
  no_keywords("partition", args);
  const Bound b("partition", args, {"sep"}, 1);
  const std::string_view text = self.text(), separator = b.text(0);
  if (separator.empty()) fail("empty separator");
  rt.budget.work(text.size() + separator.size());
  const size_t at = from_right ? rfind_text(text, separator) : find_text(text, separator);
  const auto piece = [&](std::string_view p) { return like(rt, self, std::string(p)); };
  if (at == kNone) {
    return from_right ? rt.tuple({piece(""), piece(""), self}) : rt.tuple({self, piece(""), piece("")});
  }
  return rt.tuple({piece(text.substr(0, at)), b[0], piece(text.substr(at + separator.size()))});
}

Value join(Runtime& rt, const Value& self, Args& args) {
  no_keywords("join", args);
  const Bound b("join", args, {"iterable"}, 1);
  std::string out;
  bool first = true;
  size_t index = 0;
  for (const Value& v : rt.to_items(b[0])) {
    if (!v.is_string()) {
      fail("sequence item " + std::to_string(index) + ": expected str instance, " + v.type_name() + " found");
    }
    const Value piece = self.str().markup ? escape(rt, v) : v;
    rt.budget.copy(self.text().size() + piece.text().size());
    rt.budget.expect(out.size() + self.text().size() + piece.text().size());
    if (!first) out += self.text();
    first = false;
    out += piece.text();
    ++index;
  }
  return like(rt, self, std::move(out));
}

std::string fill_of(const Bound& b, size_t i) {
  if (!b.has(i)) return " ";
  if (!b[i].is_string() || b[i].str().length != 1) fail("The fill character must be exactly one character long");
  return b[i].text();
}

template <bool left>
Value just(Runtime& rt, const Value& self, Args& args) {
  no_keywords("just", args);
  const Bound b(left ? "ljust" : "rjust", args, {"width", "fillchar"}, 1);
  const std::string fill = fill_of(b, 1);
  const std::string space = padding(rt, fill, b.integer(0, 0) - static_cast<int64_t>(self.str().length));
  return like(rt, self, left ? self.text() + space : space + self.text());
}

Value center(Runtime& rt, const Value& self, Args& args) {
  no_keywords("center", args);
  const Bound b("center", args, {"width", "fillchar"}, 1);
  return like(rt, self, center_text(rt, self.str(), b.integer(0, 0), fill_of(b, 1)));
}

Value zfill(Runtime& rt, const Value& self, Args& args) {
  no_keywords("zfill", args);
  const Bound b("zfill", args, {"width"}, 1);
  const std::string zeros = padding(rt, "0", b.integer(0, 0) - static_cast<int64_t>(self.str().length));
  const std::string& text = self.text();
  const size_t sign = !text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0;
  return like(rt, self, text.substr(0, sign) + zeros + text.substr(sign));
}

template <bool prefix>
Value remove_affix(Runtime& rt, const Value& self, Args& args) {
  no_keywords("remove", args);
  const Bound b(prefix ? "removeprefix" : "removesuffix", args, {"affix"}, 1);
  std::string_view text = self.text();
  const std::string& affix = b.text(0);
  rt.budget.copy(affix.size());
  if (prefix && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (!prefix && text.ends_with(affix)) text.remove_suffix(affix.size());
  return like(rt, self, std::string(text));
}

Value expandtabs(Runtime& rt, const Value& self, Args& args) {
  const Bound b("expandtabs", args, {"tabsize"}, 0);
  const int64_t size = b.integer(0, 8);
  std::string out;
  int64_t column = 0;
  rt.budget.work(self.text().size());
  for (char c : self.text()) {
    if (c == '\t') {
      const int64_t n = size > 0 ? size - column % size : 0;
      out += padding(rt, " ", n);
      rt.budget.expect(out.size());
      column += n;
      continue;
    }
    out += c;
    if ((static_cast<uint8_t>(c) & 0xC0) != 0x80) ++column;
    if (c == '\n' || c == '\r') column = 0;
  }
  return like(rt, self, std::move(out));
}

Value format(Runtime& rt, const Value& self, Args& args) {
  if (self.str().markup) fail("format() of markup is not supported");
  return rt.str(format_braces(rt, self.text(), args));
}

Value format_map(Runtime& rt, const Value& self, Args& args) {
  if (!args.keyword.empty()) fail("format_map() takes no keyword arguments");
  if (args.positional.size() != 1)
    fail("format_map() takes exactly one argument (" + std::to_string(args.positional.size()) + " given)");
  if (!args.positional[0].is_dict()) fail("format_map() needs a mapping");
  Args named;
  for (const auto& [key, value] : args.positional[0].dict_object().entries) {
    if (key.is_string()) named.keyword.emplace_back(key.text(), value);
  }
  return format(rt, self, named);
}

Value unsupported(Runtime&, const Value&, Args&) { fail("this method of str is not supported in chat templates"); }

}  // namespace

const NativeFn* find_string_method(std::string_view name) {
  static const std::unordered_map<std::string_view, NativeFn> kMethods = {
      {"capitalize", mapped<to_capitalized>},
      {"casefold", mapped<to_casefolded>},
      {"center", center},
      {"count", count},
      {"encode", unsupported},
      {"endswith", starts_or_ends<true>},
      {"expandtabs", expandtabs},
      {"find", find<false, false>},
      {"format", format},
      {"format_map", format_map},
      {"index", find<false, true>},
      {"isalnum", all_are<is_alnum>},
      {"isalpha", all_are<is_alpha>},
      {"isascii", is_ascii},
      {"isdecimal", all_are<is_decimal>},
      {"isdigit", all_are<is_digit>},
      {"isidentifier", is_identifier_text},
      {"islower", has_case<is_lower, is_upper>},
      {"isnumeric", all_are<is_numeric>},
      {"isprintable", is_printable_text},
      {"isspace", all_are<is_space>},
      {"istitle", is_title_cased},
      {"isupper", has_case<is_upper, is_lower>},
      {"join", join},
      {"ljust", just<true>},
      {"lower", mapped<to_lower>},
      {"lstrip", strip<true, false>},
      {"maketrans", unsupported},
      {"partition", partition<false>},
      {"removeprefix", remove_affix<true>},
      {"removesuffix", remove_affix<false>},
      {"replace", replace},
      {"rfind", find<true, false>},
      {"rindex", find<true, true>},
      {"rjust", just<false>},
      {"rpartition", partition<true>},
      {"rsplit", split<true>},
      {"rstrip", strip<false, true>},
      {"split", split<false>},
      {"splitlines", splitlines},
      {"startswith", starts_or_ends<false>},
      {"strip", strip<true, true>},
      {"swapcase", mapped<to_swapped>},
      {"title", mapped<to_title>},
      {"translate", unsupported},
      {"upper", mapped<to_upper>},
      {"zfill", zfill},
  };
  const auto it = kMethods.find(name);
  return it == kMethods.end() ? nullptr : &it->second;
}

}  // namespace ingle::jinja
