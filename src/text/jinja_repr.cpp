// str() and repr() of values, as Python writes them.
#include <charconv>
#include <cmath>

#include "text/jinja_interpreter.h"
#include "text/jinja_runtime.h"
#include "text/jinja_unicode.h"

namespace ingle::jinja {

std::string float_repr(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
  char buffer[32];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific).ptr;
  std::string digits;
  const char* p = buffer;
  const bool negative = *p == '-';
  if (negative) ++p;
  for (; *p != 'e'; ++p) {
    if (*p != '.') digits += *p;
  }
  int exponent = 0;
  std::from_chars(p[1] == '+' ? p + 2 : p + 1, end, exponent);

  std::string out = negative ? "-" : "";
  const int n = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (n > 1) out += '.' + digits.substr(1);
    const std::string power = std::to_string(std::abs(exponent));
    return out + (exponent < 0 ? "e-" : "e+") + (power.size() < 2 ? "0" : "") + power;
  }
  if (exponent < 0) return out + "0." + std::string(-exponent - 1, '0') + digits;
  if (n <= exponent + 1) return out + digits + std::string(exponent + 1 - n, '0') + ".0";
  return out + digits.substr(0, exponent + 1) + '.' + digits.substr(exponent + 1);
}

namespace {

class Printer {
 public:
  explicit Printer(Budget* budget) : budget_(budget) {}
  void str(const Value& v);
  void repr(const Value& v);
  std::string take() { return std::move(out_); }

 private:
  void check() {
    if (!budget_) return;
    budget_->step();
    budget_->expect(out_.size());
  }
  void string(const StringObj& s);
  void sequence(const Value& v);
  void dict(const DictObj& d);
  void view(const DictViewObj& v);
  void range(const RangeObj& r);
  void name_space(NamespaceObj& ns);

  Budget* budget_;
  std::string out_;
  int level_ = 0;
};

void Printer::str(const Value& v) {
  if (v.is_string()) {
    if (budget_) budget_->copy(v.text().size());
    out_ += v.text();
  } else if (!v.is_undefined() && !v.is_missing()) {
    repr(v);
  }
}

void Printer::repr(const Value& v) {
  check();
  if (++level_ > 2 * kMaxDepth) fail_limit("a value nests too deep to be printed");
  switch (v.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      out_ += "Undefined";
      break;
    case Kind::kNone:
      out_ += "None";
      break;
    case Kind::kBool:
      out_ += v.as_bool() ? "True" : "False";
      break;
    case Kind::kInt:
      out_ += std::to_string(v.as_int());
      break;
    case Kind::kFloat:
      out_ += float_repr(v.as_double());
      break;
    case Kind::kBigInt:
      if (budget_) budget_->copy(v.as<BigIntObj>().digits.size());
      out_ += v.as<BigIntObj>().digits;
      break;
    case Kind::kString:
      string(v.str());
      break;
    case Kind::kList:
    case Kind::kTuple:
      sequence(v);
      break;
    case Kind::kDict:
      dict(v.dict_object());
      break;
    case Kind::kDictView:
      view(v.as<DictViewObj>());
      break;
    case Kind::kRange:
      range(v.as<RangeObj>());
      break;
    case Kind::kNamespace:
      name_space(v.as<NamespaceObj>());
      break;
    case Kind::kLoop:
      out_ += loop_repr(v);
      break;
    case Kind::kMacro:
      out_ += macro_repr(v);
      break;
    // Python prints the address of these, which is nothing that a template can mean to print.
    case Kind::kFunction:
      out_ += std::string("<function ") + v.as<FunctionObj>().name + ">";
      break;
    case Kind::kGenerator:
    case Kind::kCycler:
    case Kind::kJoiner:
      out_ += std::string("<") + v.type_name() + " object>";
      break;
  }
  --level_;
}

void Printer::string(const StringObj& s) {
  if (budget_) budget_->work(s.text.size());
  if (s.markup) out_ += "Markup(";
  const bool has_single = s.text.find('\'') != std::string::npos;
  const char quote = has_single && s.text.find('"') == std::string::npos ? '"' : '\'';
  out_ += quote;
  for (size_t at = 0; at < s.text.size();) {
    const uint32_t c = decode_utf8(s.text, &at);
    if (c == static_cast<uint32_t>(quote) || c == '\\') {
      out_ += '\\';
      out_ += static_cast<char>(c);
    } else if (c == '\n') {
      out_ += "\\n";
    } else if (c == '\r') {
      out_ += "\\r";
    } else if (c == '\t') {
      out_ += "\\t";
    } else if (is_printable(c)) {
      append_utf8(&out_, c);
    } else {
      append_escape(&out_, c);
    }
  }
  out_ += quote;
  if (s.markup) out_ += ')';
}

void Printer::sequence(const Value& v) {
  const bool is_tuple = v.is(Kind::kTuple);
  out_ += is_tuple ? '(' : '[';
  bool first = true;
  for (const Value& item : v.items()) {
    if (!first) out_ += ", ";
    first = false;
    repr(item);
  }
  if (is_tuple && v.items().size() == 1) out_ += ',';
  out_ += is_tuple ? ')' : ']';
}

void Printer::dict(const DictObj& d) {
  out_ += '{';
  bool first = true;
  for (const auto& [key, value] : d.entries) {
    if (!first) out_ += ", ";
    first = false;
    repr(key);
    out_ += ": ";
    repr(value);
  }
  out_ += '}';
}

void Printer::view(const DictViewObj& v) {
  out_ += Value(const_cast<DictViewObj*>(&v)).type_name();
  out_ += "([";
  bool first = true;
  for (const auto& [key, value] : v.dict.dict_object().entries) {
    if (!first) out_ += ", ";
    first = false;
    const bool pair = v.part == DictViewObj::Part::kItems;
    if (pair) out_ += '(';
    if (v.part != DictViewObj::Part::kValues) repr(key);
    if (pair) out_ += ", ";
    if (v.part != DictViewObj::Part::kKeys) repr(value);
    if (pair) out_ += ')';
  }
  out_ += "])";
}

void Printer::range(const RangeObj& r) {
  out_ += "range(" + std::to_string(r.start) + ", " + std::to_string(r.stop);
  if (r.step != 1) out_ += ", " + std::to_string(r.step);
  out_ += ')';
}

void Printer::name_space(NamespaceObj& ns) {
  out_ += "<Namespace ";
  if (ns.printing) {
    out_ += "{...}";
  } else {
    ns.printing = true;
    dict(ns.attributes);
    ns.printing = false;
  }
  out_ += '>';
}

}  // namespace

std::string str_of(const Value& v, Budget* budget) {
  Printer p(budget);
  p.str(v);
  return p.take();
}

std::string repr_of(const Value& v, Budget* budget) {
  Printer p(budget);
  p.repr(v);
  return p.take();
}

}  // namespace ingle::jinja
