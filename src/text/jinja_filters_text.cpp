// Filters over text.
#include <algorithm>
#include <array>
#include <optional>

#include "text/jinja_filters.h"
#include "text/jinja_string_methods.h"
#include "text/jinja_text.h"
#include "text/jinja_unicode.h"
#include "text/jinja_wrap.h"

namespace ingle::jinja {

Value escape(Runtime& rt, const Value& v) {
  if (v.is_string() && v.str().markup) return v;
  const std::string text = rt.to_str(v);
  rt.budget.expect(5 * text.size());
  rt.budget.work(2 * text.size());
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return Value::markup(std::move(out), &rt.budget);
}

namespace {

template <const char* name>
Value method(Runtime& rt, const Value& v, Args& args) {
  const Bound b("filter", args, {}, 0);
  return (*find_string_method(name))(rt, rt.as_string(v), args);
}

constexpr char kUpper[] = "upper", kLower[] = "lower", kCapitalize[] = "capitalize";

Value trim(Runtime& rt, const Value& v, Args& args) {
  const Bound b("trim", args, {"chars"}, 0);
  const Value text = rt.as_string(v);
  rt.budget.work(text.text().size());
  std::string out(b.is_given(0) ? strip_chars(rt, text.text(), b.text(0), true, true) : strip_space(text.text()));
  return text.str().markup ? Value::markup(std::move(out), &rt.budget) : rt.str(std::move(out));
}

Value center(Runtime& rt, const Value& v, Args& args) {
  const Bound b("center", args, {"width"}, 0);
  const Value text = rt.as_string(v);
  return rt.str(center_text(rt, text.str(), b.integer(0, 80), " "));
}

bool begins_word(uint32_t c) { return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || is_space(c); }

// A word is what stands between whitespace, hyphens and opening brackets.
Value title(Runtime& rt, const Value& v, Args& args) {
  const Bound b("title", args, {}, 0);
  const std::string text = rt.to_str(v);
  rt.budget.expect(3 * text.size());
  rt.budget.work(8 * text.size());
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t next = at;
    const bool between = begins_word(decode_utf8(text, &next));
    const size_t after_first = next;
    size_t end = next;
    while (end < text.size() && begins_word(decode_utf8(text, &next)) == between) end = next;
    const std::string_view piece = std::string_view(text).substr(at, end - at);
    out += to_upper(piece.substr(0, after_first - at)) + to_lower(piece.substr(after_first - at));
    at = end;
  }
  return rt.str(std::move(out));
}

Value replace(Runtime& rt, const Value& v, Args& args) {
  const Bound b("replace", args, {"old", "new", "count"}, 2);
  const int64_t count = b.is_given(2) ? b.integer(2, -1) : -1;
  return rt.str(replace_text(rt, rt.to_str(v), rt.to_str(b[0]), rt.to_str(b[1]), count));
}

Value indent(Runtime& rt, const Value& v, Args& args) {
  const Bound b("indent", args, {"width", "first", "blank"}, 0);
  if (v.is_undefined()) fail_undefined(v);
  if (!v.is_string()) fail(std::string("indent: a string is required, not ") + v.type_name());
  std::string by;
  if (b.has(0) && b[0].is_string()) {
    by = b[0].text();
  } else {
    const int64_t width = std::max<int64_t>(b.integer(0, 4), 0);
    rt.budget.expect(static_cast<size_t>(width));
    rt.budget.copy(static_cast<size_t>(width));
    by.assign(static_cast<size_t>(width), ' ');
  }
  const bool blank = b.truthy(2, false);
  const std::string text = v.text() + "\n";
  rt.budget.work(text.size());
  std::string out = b.truthy(1, false) ? by : "";
  bool first = true;
  for (std::string_view line : split_lines(text, false)) {
    rt.budget.expect(out.size() + by.size() + line.size());
    rt.budget.work(by.size());
    if (!first) out += "\n";
    if (!first && (blank || !line.empty())) out += by;
    first = false;
    out += line;
  }
  return v.str().markup ? Value::markup(std::move(out), &rt.budget) : rt.str(std::move(out));
}

Value truncate(Runtime& rt, const Value& v, Args& args) {
  const Bound b("truncate", args, {"length", "killwords", "end", "leeway"}, 0);
  const Value end = b.get(2, rt.str("..."));
  if (!end.is_string()) fail("truncate: the end must be a string");
  const int64_t length = b.integer(0, 255), leeway = b.is_given(3) ? b.integer(3, 5) : 5;
  const auto end_length = static_cast<int64_t>(end.str().length);
  if (length < end_length) fail("expected length >= " + std::to_string(end_length) + ", got " + std::to_string(length));
  if (leeway < 0) fail("expected leeway >= 0, got " + std::to_string(leeway));
  const auto n = static_cast<int64_t>(rt.length(v));
  if (n <= length || n - length <= leeway) return v;
  if (!v.is_string()) fail(std::string("truncate: a string is required, not ") + v.type_name());
  std::string_view text = v.text();
  rt.budget.work(text.size());
  text = text.substr(0, byte_offset(text, static_cast<size_t>(length - end_length)));
  if (!b.truthy(1, false)) text = text.substr(0, text.rfind(' '));
  return rt.str(std::string(text) + end.text());
}

Value wordwrap(Runtime& rt, const Value& v, Args& args) {
  const Bound b("wordwrap", args, {"width", "break_long_words", "wrapstring", "break_on_hyphens"}, 0);
  if (!v.is_string()) fail(std::string("wordwrap: a string is required, not ") + v.type_name());
  WrapStyle style;
  style.width = b.integer(0, 79);
  style.break_long_words = b.truthy(1, true);
  style.break_on_hyphens = b.truthy(3, true);
  const std::string separator = b.is_given(2) ? b.text(2) : "\n";
  std::string out;
  bool first = true;
  for (std::string_view line : split_lines(v.text(), false)) {
    rt.budget.expect(out.size() + separator.size());
    rt.budget.copy(separator.size());
    if (!first) out += separator;
    first = false;
    bool first_piece = true;
    for (const std::string& piece : wrap_line(rt, line, style)) {
      rt.budget.expect(out.size() + separator.size() + piece.size());
      rt.budget.copy(separator.size() + piece.size());
      if (!first_piece) out += separator;
      first_piece = false;
      out += piece;
    }
  }
  return rt.str(std::move(out));
}

Value wordcount(Runtime& rt, const Value& v, Args& args) {
  const Bound b("wordcount", args, {}, 0);
  const std::string text = rt.to_str(v);
  rt.budget.work(text.size());
  int64_t n = 0;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const bool word = is_word(decode_utf8(text, &at));
    n += word && !in_word;
    in_word = word;
  }
  return n;
}

Value safe(Runtime& rt, const Value& v, Args& args) {
  const Bound b("safe", args, {}, 0);
  return Value::markup(rt.to_str(v), &rt.budget);
}

Value escape_filter(Runtime& rt, const Value& v, Args& args) {
  const Bound b("escape", args, {}, 0);
  return escape(rt, v);
}

Value force_escape(Runtime& rt, const Value& v, Args& args) {
  const Bound b("forceescape", args, {}, 0);
  return escape(rt, rt.str(rt.to_str(v)));
}

std::string url_quote(Runtime& rt, const Value& v, bool for_query) {
  const std::string text = rt.to_str(v);
  rt.budget.expect(3 * text.size());
  rt.budget.work(3 * text.size());
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    const bool plain = byte < 0x80 && (is_alnum(byte) || c == '_' || c == '.' || c == '-' || c == '~');
    if (plain || (c == '/' && !for_query)) {
      out += c;
    } else if (c == ' ' && for_query) {
      out += '+';
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Value urlencode(Runtime& rt, const Value& v, Args& args) {
  const Bound b("urlencode", args, {}, 0);
  const bool iterable = v.is_sequence() || v.is_dict() || v.is(Kind::kDictView) || v.is(Kind::kRange) ||
                        v.is(Kind::kGenerator) || v.is_undefined();
  if (!iterable) return rt.str(url_quote(rt, v, false));
  Items pairs;
  if (v.is_dict()) {
    for (const auto& [key, value] : v.dict_object().entries) pairs.push_back(rt.tuple({key, value}));
  } else {
    pairs = rt.to_items(v);
  }
  std::string out;
  for (const Value& pair : pairs) {
    const Items parts = rt.to_items(pair);
    if (parts.size() != 2) fail("not enough or too many values to unpack (expected 2)");
    if (!out.empty()) out += '&';
    out += url_quote(rt, parts[0], true) + "=" + url_quote(rt, parts[1], true);
    rt.budget.expect(out.size());
  }
  return rt.str(std::move(out));
}

// Removes what stands between `open` and `close`, both included, as often as both are there.
std::string without(std::string_view text, std::string_view open, std::string_view close) {
  std::string out;
  while (true) {
    const size_t from = text.find(open);
    const size_t to = from == std::string_view::npos ? from : text.find(close, from);
    if (to == std::string_view::npos) return out + std::string(text);
    out += text.substr(0, from);
    text.remove_prefix(to + close.size());
  }
}

// The character of an entity such as "amp" or "#39"; nothing when it is not known.
std::optional<uint32_t> entity(std::string_view name) {
  if (name.starts_with('#')) {
    const bool hex = name.size() > 1 && (name[1] | 0x20) == 'x';
    uint32_t c = 0;
    const std::string_view digits = name.substr(hex ? 2 : 1);
    if (digits.empty() || digits.size() > 8) return std::nullopt;
    for (char d : digits) {
      const int v = d >= '0' && d <= '9'                            ? d - '0'
                    : hex && (d | 0x20) >= 'a' && (d | 0x20) <= 'f' ? (d | 0x20) - 'a' + 10
                                                                    : -1;
      if (v < 0) return std::nullopt;
      c = c * (hex ? 16 : 10) + static_cast<uint32_t>(v);
    }
    return c > 0x10FFFF || (c >= 0xD800 && c < 0xE000) || c == 0 ? 0xFFFD : c;
  }
  static constexpr std::array<std::pair<std::string_view, uint32_t>, 6> kNames = {
      {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}, {"nbsp", 0xA0}}};
  for (const auto& [known, c] : kNames) {
    if (known == name) return c;
  }
  return std::nullopt;
}

Value striptags(Runtime& rt, const Value& v, Args& args) {
  const Bound b("striptags", args, {}, 0);
  std::string text = rt.to_str(v);
  rt.budget.work(4 * text.size());
  text = without(without(text, "<!--", "-->"), "<", ">");
  std::string collapsed;
  for (std::string_view rest = strip_space(text); !rest.empty();) {
    size_t end = 0, next = 0;
    while (end < rest.size() && !is_space(decode_utf8(rest, &next))) end = next;
    if (!collapsed.empty()) collapsed += ' ';
    collapsed += rest.substr(0, end);
    rest = strip_space(rest.substr(end), true, false);
  }
  std::string out;
  for (size_t at = 0; at < collapsed.size();) {
    const size_t end = collapsed[at] == '&' ? collapsed.substr(at, 12).find(';') : std::string::npos;
    const auto c =
        end == std::string::npos ? std::nullopt : entity(std::string_view(collapsed).substr(at + 1, end - 1));
    if (c) {
      append_utf8(&out, *c);
      at += end + 1;
    } else {
      out += collapsed[at++];
    }
  }
  return rt.str(std::move(out));
}

Value xmlattr(Runtime& rt, const Value& v, Args& args) {
  const Bound b("xmlattr", args, {"autospace"}, 0);
  if (v.is_undefined()) fail_undefined(v);
  if (!v.is_dict()) fail(std::string("'") + v.type_name() + "' object has no attribute 'items'");
  std::string out;
  for (const auto& [key, value] : v.dict_object().entries) {
    if (value.is_none() || value.is_undefined()) continue;
    if (!key.is_string()) fail("expected string or bytes-like object");
    if (key.text().find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
      fail("Invalid character in attribute name: " + repr_of(key, &rt.budget));
    }
    if (!out.empty()) out += ' ';
    out += escape(rt, key).text() + "=\"" + escape(rt, value).text() + "\"";
    rt.budget.expect(out.size());
  }
  if (!out.empty() && b.truthy(0, true)) out = " " + out;
  return rt.str(std::move(out));
}

Value urlize(Runtime&, const Value&, Args&) { fail("the filter 'urlize' is not supported: it makes HTML"); }

}  // namespace

const FilterTable& text_filters() {
  static const FilterTable kTable = {
      {"capitalize", method<kCapitalize>},
      {"center", center},
      {"e", escape_filter},
      {"escape", escape_filter},
      {"forceescape", force_escape},
      {"indent", indent},
      {"lower", method<kLower>},
      {"replace", replace},
      {"safe", safe},
      {"striptags", striptags},
      {"title", title},
      {"trim", trim},
      {"truncate", truncate},
      {"upper", method<kUpper>},
      {"urlencode", urlencode},
      {"urlize", urlize},
      {"wordcount", wordcount},
      {"wordwrap", wordwrap},
      {"xmlattr", xmlattr},
  };
  return kTable;
}

}  // namespace ingle::jinja
