#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "grammar/schema_converter.h"
#include "grammar/value_text.h"

namespace ingle {

using jinja::Kind;
using jinja::Value;

namespace {

constexpr int kMaxSteps = 16;  // of references
constexpr uint32_t kAllTypes = kNullType | kBooleanType | kNumberType | kStringType | kArrayType | kObjectType;

using Values = std::set<std::string>;

// What is certain of every instance of a schema.
struct Certain {
  uint32_t types = kAllTypes;  // one of these; integers are numbers
  std::optional<Values> values;
  std::map<std::string, Values> properties;  // an object has these, with one of the values
  bool only_objects = false;                 // are made of it, whatever else it would accept
};

// Equal values have equal texts.
std::optional<std::string> normal_text(const Value& value) {
  if (value.is_dict() || value.is_sequence() || value.is(Kind::kBigInt)) return std::nullopt;  // 1 and 1.0 are equal
  if (value.is(Kind::kFloat)) {
    if (!(std::fabs(value.as_double()) <= 9e15)) return std::nullopt;
    if (types_of(value) != kNumberType) return std::to_string(static_cast<int64_t>(value.as_double()));
  }
  return value_text(value);
}

std::optional<Values> named_values(const jinja::DictObj& keywords) {
  Values out;
  if (const Value* one = keywords.find("const")) {
    const std::optional<std::string> text = normal_text(*one);
    if (!text) return std::nullopt;
    out.insert(*text);
    return out;
  }
  const Value* several = keywords.find("enum");
  if (several == nullptr || !several->is_sequence()) return std::nullopt;
  for (const Value& one : several->items()) {
    const std::optional<std::string> text = normal_text(one);
    if (!text) return std::nullopt;
    out.insert(*text);
  }
  return out;
}

uint32_t simple(uint32_t types) { return (types & kIntegerType) != 0 ? (types & ~kIntegerType) | kNumberType : types; }

using Follow = std::function<const Value*(const Value&)>;

const Value* target(const Value& schema, const Follow& follow) {
  const Value* at = &schema;
  for (int step = 0; step < kMaxSteps && at != nullptr && at->is_dict(); step++) {
    if (at->dict_object().find("$ref") == nullptr) return at;
    at = follow(*at);
  }
  return nullptr;
}

Certain certain_of(const Value& schema, const Follow& follow) {
  Certain out;
  if (schema.is(Kind::kBool) && !schema.as_bool()) out.types = 0;
  const Value* meant = target(schema, follow);
  if (meant == nullptr || !meant->is_dict()) return out;
  const jinja::DictObj& keywords = meant->dict_object();
  if (const uint32_t declared = declared_types(keywords)) out.types = simple(declared);
  out.values = named_values(keywords);
  const Value* given = keywords.find("const") != nullptr ? nullptr : keywords.find("enum");
  if (const Value* one = keywords.find("const")) {
    out.types &= simple(types_of(*one));
  } else if (given != nullptr && given->is_sequence()) {
    uint32_t types = 0;
    for (const Value& value : given->items()) types |= simple(types_of(value));
    out.types &= types;
  }
  out.only_objects = keywords.find("properties") != nullptr && (out.types == kAllTypes || out.types == kObjectType);
  const Value* required = keywords.find("required");
  const Value* properties = keywords.find("properties");
  if (required == nullptr || !required->is_sequence() || properties == nullptr || !properties->is_dict()) return out;
  for (const Value& name : required->items()) {
    const Value* property = name.is_string() ? properties->dict_object().find(name.text()) : nullptr;
    const Value* of = property == nullptr ? nullptr : target(*property, follow);
    if (of == nullptr || !of->is_dict()) continue;
    if (std::optional<Values> values = named_values(of->dict_object()))
      out.properties[name.text()] = std::move(*values);
  }
  return out;
}

bool apart(const Values& a, const Values& b) {
  return std::none_of(a.begin(), a.end(), [&](const std::string& value) { return b.contains(value); });
}

bool apart(const Certain& a, const Certain& b) {
  const uint32_t common = a.types & b.types;
  if (common == 0) return true;
  if (a.values && b.values && apart(*a.values, *b.values)) return true;
  if (common != kObjectType && !(a.only_objects && b.only_objects)) return false;
  return std::any_of(a.properties.begin(), a.properties.end(), [&](const auto& property) {
    const auto other = b.properties.find(property.first);
    return other != b.properties.end() && apart(property.second, other->second);
  });
}

}  // namespace

bool are_disjoint(const jinja::Items& options, const Follow& follow) {
  if (options.size() > 200) return false;  // each is held against each
  std::vector<Certain> all;
  for (const Value& option : options) all.push_back(certain_of(option, follow));
  for (size_t i = 0; i < all.size(); i++) {
    for (size_t k = 0; k < i; k++) {
      if (!apart(all[i], all[k])) return false;
    }
  }
  return true;
}

}  // namespace ingle
