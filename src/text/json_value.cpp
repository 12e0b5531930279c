#include "text/json_value.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <vector>

#include "text/jinja_numbers.h"
#include "text/jinja_unicode.h"

namespace ingle {

using jinja::Entries;
using jinja::Items;
using jinja::Value;

namespace {

// Builds values from the events of Boost.JSON's parser, whose own numbers are not always correctly rounded.
struct Builder {
  using error_code = boost::json::error_code;
  using view = boost::json::string_view;
  static constexpr size_t max_object_size = -1;
  static constexpr size_t max_array_size = -1;
  static constexpr size_t max_key_size = -1;
  static constexpr size_t max_string_size = -1;

  struct Level {
    bool is_object;
    Items items;
    Entries entries;
    Value key;
  };

  bool add(Value v) {
    if (levels.empty()) {
      result = std::move(v);
    } else if (levels.back().is_object) {
      levels.back().entries.emplace_back(std::move(levels.back().key), std::move(v));
    } else {
      levels.back().items.push_back(std::move(v));
    }
    return true;
  }
  bool begin(bool is_object) {
    levels.push_back({is_object, {}, {}, {}});
    return true;
  }
  Level end() {
    Level level = std::move(levels.back());
    levels.pop_back();
    return level;
  }
  std::string take(view last) {
    part.append(last.data(), last.size());
    return std::exchange(part, {});
  }
  bool number(view last) {
    const std::string digits = take(last);
    if (digits.find_first_of(".eE") != std::string::npos) return add(jinja::parse_double(digits));
    auto i = jinja::parse_integer(digits, 10);
    return add(i ? *i : Value(0));
  }
  bool append(view s) {
    part.append(s.data(), s.size());
    return true;
  }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code&) { return begin(false); }
  bool on_array_end(size_t, error_code&) { return add(Value::list(end().items)); }
  bool on_object_begin(error_code&) { return begin(true); }
  bool on_object_end(size_t, error_code&) { return add(Value::dict(end().entries)); }
  bool on_string_part(view s, size_t, error_code&) { return append(s); }
  bool on_string(view s, size_t, error_code&) { return add(Value::string(take(s))); }
  bool on_key_part(view s, size_t, error_code&) { return append(s); }
  bool on_key(view s, size_t, error_code&) {
    levels.back().key = Value::string(take(s));
    return true;
  }
  bool on_number_part(view s, error_code&) { return append(s); }
  bool on_int64(int64_t, view s, error_code&) { return number(s); }
  bool on_uint64(uint64_t, view s, error_code&) { return number(s); }
  bool on_double(double, view s, error_code&) { return number(s); }
  bool on_bool(bool b, error_code&) { return add(b); }
  bool on_null(error_code&) { return add(Value::none()); }
  bool on_comment_part(view, error_code&) { return true; }
  bool on_comment(view, error_code&) { return true; }

  std::vector<Level> levels;
  std::string part;
  Value result;
};

Error json_error(const std::string& what, size_t offset) {
  return {ErrorCode::kInvalidData, "JSON, byte " + std::to_string(offset) + ": " + what, ""};
}

// The code unit of the escape \uXXXX at this place; 0 if there is none.
uint32_t escaped_unit(std::string_view text, size_t at) {
  constexpr size_t kDigits = 4;
  if (at + 2 + kDigits > text.size() || text[at] != '\\' || text[at + 1] != 'u') return 0;
  uint32_t unit = 0;
  const char* end = text.data() + at + 2 + kDigits;
  const auto read = std::from_chars(text.data() + at + 2, end, unit, 16);
  return read.ec == std::errc() && read.ptr == end ? unit : 0;
}

bool is_high(uint32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool is_low(uint32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

}  // namespace

Result<Value> parse_json(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::json::basic_parser<Builder> parser(options);
  boost::json::error_code ec;
  try {
    const size_t used = parser.write_some(false, text.data(), text.size(), ec);
    if (ec) return json_error(ec.message(), used);
    const auto extra = text.find_first_not_of(" \t\r\n", used);
    if (extra != std::string_view::npos) return json_error("unexpected text after the document", extra);
    return std::move(parser.handler().result);
  } catch (const jinja::TemplateError& e) {
    return json_error(e.message, 0);
  }
}

std::optional<std::string> without_lone_surrogates(std::string_view text) {
  constexpr size_t kEscapeBytes = 6;  // \uXXXX
  std::optional<std::string> out;
  for (size_t at = text.find('\\'); at < text.size(); at = text.find('\\', at)) {
    const uint32_t unit = escaped_unit(text, at);
    if (is_high(unit) && is_low(escaped_unit(text, at + kEscapeBytes))) {
      at += 2 * kEscapeBytes;
    } else if (is_high(unit) || is_low(unit)) {
      if (!out) out.emplace(text);
      out->replace(at, kEscapeBytes, "\\ufffd");
      at += kEscapeBytes;
    } else {
      at += 2;  // a backslash and what it escapes, which may be another one
    }
  }
  return out;
}

const Value* find_member(const Value& value, std::string_view key) {
  const Value* found = value.is_dict() ? value.dict_object().find(key) : nullptr;
  return found == nullptr || found->is_none() ? nullptr : found;
}

Value with_member(const Value& object, std::string_view key, Value value) {
  Entries entries = object.dict_object().entries;
  entries.emplace_back(Value::string(std::string(key)), std::move(value));
  return Value::dict(std::move(entries));
}

namespace jinja {

namespace {

class JsonWriter {
 public:
  explicit JsonWriter(const JsonStyle& style) : style_(style) {}

  void write(const Value& v) {
    if (style_.budget) {
      style_.budget->step();
      style_.budget->expect(out_.size());
    }
    switch (v.kind()) {
      case Kind::kNone:
        out_ += "null";
        break;
      case Kind::kBool:
        out_ += v.as_bool() ? "true" : "false";
        break;
      case Kind::kInt:
      case Kind::kBigInt:
        out_ += str_of(v);
        break;
      case Kind::kFloat:
        out_ += number(v.as_double());
        break;
      case Kind::kString:
        string(v.text());
        break;
      case Kind::kList:
      case Kind::kTuple:
        array(v.items());
        break;
      case Kind::kDict:
        object(v.dict_object());
        break;
      default:
        fail(std::string("Object of type ") + v.type_name() + " is not JSON serializable");
    }
  }
  std::string take() { return std::move(out_); }

 private:
  static std::string number(double d) {
    if (std::isnan(d)) return "NaN";
    if (std::isinf(d)) return d < 0 ? "-Infinity" : "Infinity";
    return float_repr(d);
  }

  void newline() {
    if (!style_.indent) return;
    if (style_.budget) style_.budget->expect(out_.size() + style_.indent->size() * static_cast<size_t>(level_));
    out_ += '\n';
    for (int i = 0; i < level_; ++i) out_ += *style_.indent;
  }

  void escape(uint32_t c) {
    char text[16];
    std::snprintf(text, sizeof text, "\\u%04x", c);
    out_ += text;
  }

  void string(const std::string& text) {
    if (style_.budget) style_.budget->work(text.size());
    out_ += '"';
    for (size_t at = 0; at < text.size();) {
      const uint32_t c = decode_utf8(text, &at);
      switch (c) {
        case '"':
          out_ += "\\\"";
          continue;
        case '\\':
          out_ += "\\\\";
          continue;
        case '\n':
          out_ += "\\n";
          continue;
        case '\r':
          out_ += "\\r";
          continue;
        case '\t':
          out_ += "\\t";
          continue;
        case '\f':
          out_ += "\\f";
          continue;
        case '\b':
          out_ += "\\b";
          continue;
        default:
          break;
      }
      if (c < 0x20 || (style_.ascii && c > 0x7E && c < 0x10000)) {
        escape(c);
      } else if (style_.ascii && c >= 0x10000) {
        escape(0xD800 + ((c - 0x10000) >> 10));
        escape(0xDC00 + ((c - 0x10000) & 0x3FF));
      } else {
        append_utf8(&out_, c);
      }
    }
    out_ += '"';
  }

  void array(const Items& items) {
    if (items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    ++level_;
    bool first = true;
    for (const Value& item : items) {
      if (!first) out_ += style_.item_separator;
      first = false;
      newline();
      write(item);
    }
    --level_;
    newline();
    out_ += ']';
  }

  std::string key_text(const Value& key) {
    switch (key.kind()) {
      case Kind::kString:
        return key.text();
      case Kind::kNone:
        return "null";
      case Kind::kBool:
        return key.as_bool() ? "true" : "false";
      case Kind::kFloat:
        return number(key.as_double());
      case Kind::kInt:
      case Kind::kBigInt:
        return str_of(key);
      default:
        fail(std::string("keys must be str, int, float, bool or None, not ") + key.type_name());
    }
  }

  void object(const DictObj& dict) {
    if (dict.entries.empty()) {
      out_ += "{}";
      return;
    }
    std::vector<const Entries::value_type*> order;
    for (const auto& entry : dict.entries) order.push_back(&entry);
    if (style_.sort_keys) {
      std::stable_sort(order.begin(), order.end(), [&](const auto* a, const auto* b) {
        if (style_.budget) style_.budget->step(std::min(a->first.weight(), b->first.weight()));
        return less(a->first, b->first);
      });
    }
    out_ += '{';
    ++level_;
    bool first = true;
    for (const auto* entry : order) {
      if (!first) out_ += style_.item_separator;
      first = false;
      newline();
      string(key_text(entry->first));
      out_ += style_.key_separator;
      write(entry->second);
    }
    --level_;
    newline();
    out_ += '}';
  }

  const JsonStyle& style_;
  std::string out_;
  int level_ = 0;
};

}  // namespace

std::string to_json_text(const Value& v, const JsonStyle& style) {
  JsonWriter writer(style);
  writer.write(v);
  return writer.take();
}

}  // namespace jinja
}  // namespace ingle
