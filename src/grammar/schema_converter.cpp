#include "grammar/schema_converter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "grammar/json_schema.h"
#include "grammar/regex.h"
#include "grammar/value_text.h"

namespace ingle {

using jinja::Kind;
using jinja::Value;
using Expression = GrammarText::Expression;

namespace {

// Keywords that say what an instance has to be like and that a grammar can't see to, or that we don't.
constexpr std::array kUnsupported = {
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "contains",
    "minContains",
    "maxContains",
    "additionalItems",
    "$dynamicRef",
    "$recursiveRef",
    "$dynamicAnchor",
    "$recursiveAnchor",
    "extends",
    "disallow",
    "divisibleBy",
};

// Those that are honoured, and what they are about (0: any type).
struct Keyword {
  const char* name;
  uint32_t types;
};
constexpr std::array<Keyword, 28> kHonoured = {{
    {"type", 0},
    {"enum", 0},
    {"const", 0},
    {"$ref", 0},
    {"anyOf", 0},
    {"oneOf", 0},
    {"allOf", 0},
    {"properties", kObjectType},
    {"required", kObjectType},
    {"additionalProperties", kObjectType},
    {"unevaluatedProperties", kObjectType},
    {"patternProperties", kObjectType},
    {"propertyNames", kObjectType},
    {"minProperties", kObjectType},
    {"maxProperties", kObjectType},
    {"items", kArrayType},
    {"prefixItems", kArrayType},
    {"unevaluatedItems", kArrayType},
    {"minItems", kArrayType},
    {"maxItems", kArrayType},
    {"minLength", kStringType},
    {"maxLength", kStringType},
    {"pattern", kStringType},
    {"format", kStringType},
    {"minimum", kNumberType},
    {"maximum", kNumberType},
    {"exclusiveMinimum", kNumberType},
    {"exclusiveMaximum", kNumberType},
}};

struct TypeName {
  const char* name;
  SchemaType type;
};
constexpr std::array<TypeName, 7> kTypeNames = {{{"null", kNullType},
                                                 {"boolean", kBooleanType},
                                                 {"integer", kIntegerType},
                                                 {"number", kNumberType},
                                                 {"string", kStringType},
                                                 {"array", kArrayType},
                                                 {"object", kObjectType}}};

uint32_t type_named(const Value& name) {
  if (!name.is_string()) return 0;
  for (const TypeName& known : kTypeNames) {
    if (name.text() == known.name) return known.type;
  }
  return 0;
}

std::string at(const std::string& place, std::string_view keyword) { return fmt::format("{}/{}", place, keyword); }

// Undoes the percent signs and tildes of one step of a JSON pointer in a reference. Nothing if it is none.
std::optional<std::string> pointer_step(std::string_view step) {
  std::string plain;
  for (size_t i = 0; i < step.size(); i++) {
    if (step[i] != '%') {
      plain += step[i];
      continue;
    }
    if (step.size() - i < 3) return std::nullopt;
    const auto digit = [](char c) {
      return c >= '0' && c <= '9'   ? c - '0'
             : c >= 'a' && c <= 'f' ? c - 'a' + 10
             : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                    : -1;
    };
    const int high = digit(step[i + 1]), low = digit(step[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    plain += static_cast<char>(high * 16 + low);
    i += 2;
  }
  std::string out;
  for (size_t i = 0; i < plain.size(); i++) {
    if (plain[i] != '~') {
      out += plain[i];
    } else if (i + 1 < plain.size() && (plain[i + 1] == '0' || plain[i + 1] == '1')) {
      out += plain[++i] == '0' ? '~' : '/';
    } else {
      return std::nullopt;
    }
  }
  return out;
}

const Value* step_into(const Value& value, const std::string& step) {
  if (value.is_dict()) return value.dict_object().find(step);
  if (!value.is_sequence() || step.empty() || step.size() > 6 ||
      !std::all_of(step.begin(), step.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return nullptr;
  }
  const size_t index = std::stoul(step);
  return index < value.items().size() ? &value.items()[index] : nullptr;
}

}  // namespace

uint32_t declared_types(const jinja::DictObj& keywords) {
  const Value* type = keywords.find("type");
  if (type == nullptr) return 0;
  if (!type->is_sequence()) return type_named(*type);
  uint32_t all = 0;
  for (const Value& one : type->items()) all |= type_named(one);
  return all;
}

uint32_t types_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kNone:
      return kNullType;
    case Kind::kBool:
      return kBooleanType;
    case Kind::kInt:
    case Kind::kBigInt:
      return kIntegerType | kNumberType;
    case Kind::kFloat:
      return value.as_double() == std::floor(value.as_double()) ? uint32_t{kIntegerType} | kNumberType
                                                                : uint32_t{kNumberType};
    case Kind::kString:
      return kStringType;
    case Kind::kDict:
      return kObjectType;
    default:
      return value.is_sequence() ? uint32_t{kArrayType} : 0u;
  }
}

Error SchemaConverter::invalid(const SchemaNode& node, std::string_view keyword, std::string_view what) {
  return {ErrorCode::kInvalidArgument, fmt::format("the schema can't be used: {} {}", at(node.place, keyword), what),
          ""};
}

Error SchemaConverter::unsupported(const SchemaNode& node, std::string_view keyword, std::string_view what) {
  return {ErrorCode::kUnsupported,
          fmt::format("the schema can't be honoured: {} {} not supported", at(node.place, keyword), what), ""};
}

Result<Expression> SchemaConverter::document() {
  const Expression name = text_.reserve();
  if (root_.object() != nullptr) references_[root_.object()] = name;
  std::set<const void*> open;
  RETURN_IF_ERROR(check_cycle(root_, "#", open, 0));
  ASSIGN_OR_RETURN(const Expression body, schema(root_, "#", 0));
  text_.define(name, body);
  while (!pending_.empty()) {
    const Pending next = std::move(pending_.front());
    pending_.pop_front();
    ASSIGN_OR_RETURN(const Expression referred, schema(*next.value, next.place, 0));
    text_.define(next.name, referred);
  }
  return name;
}

Result<Expression> SchemaConverter::schema(const Value& value, const std::string& place, uint32_t depth) {
  const auto refuse = [&](std::string_view what) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("the schema can't be used: {} {}", place, what), ""};
  };
  if (++schemas_ > kMaxSchemas) return refuse(fmt::format("is one of more than {} schemas", kMaxSchemas));
  if (depth > kMaxSchemaDepth) return refuse(fmt::format("nests deeper than {}", kMaxSchemaDepth));
  if (text_.too_large()) return refuse("makes the grammar too large");
  if (value.is(Kind::kBool)) {
    if (value.as_bool()) return any_json(text_);
    return refuse("is false, which matches nothing");
  }
  if (!value.is_dict()) return refuse("is not a schema: it must be an object, true or false");
  return object_schema({value.dict_object(), place, depth});
}

Result<Expression> SchemaConverter::object_schema(const SchemaNode& node) {
  RETURN_IF_ERROR(check_keywords(node));
  if (node.has("$ref")) return reference(node);
  if (node.has("const") || node.has("enum")) return values(node);
  for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
    if (node.has(keyword)) return combination(node, keyword);
  }
  ASSIGN_OR_RETURN(uint32_t wanted, types(node));
  if (wanted == 0) return any_json(text_);
  if ((wanted & kNumberType) != 0) wanted &= ~static_cast<uint32_t>(kIntegerType);
  std::vector<Expression> options;
  for (const TypeName& known : kTypeNames) {
    if ((wanted & known.type) == 0) continue;
    ASSIGN_OR_RETURN(Expression one, of_type(node, known.type));
    options.push_back(std::move(one));
  }
  return GrammarText::choice(options);
}

Status SchemaConverter::check_keywords(const SchemaNode& node) const {
  for (const char* keyword : kUnsupported) {
    if (node.has(keyword)) return unsupported(node, keyword, "is");
  }
  const Value* unique = node.find("uniqueItems");
  if (unique != nullptr && !(unique->is(Kind::kBool) && !unique->as_bool()))
    return unsupported(node, "uniqueItems", "is");
  if (node.place != "#" && node.has("$id")) return unsupported(node, "$id", "inside a schema is");
  // What would not be generated anyway may be ruled out.
  for (const char* keyword : {"unevaluatedProperties", "unevaluatedItems"}) {
    const Value* value = node.find(keyword);
    if (value != nullptr && !(value->is(Kind::kBool) && !value->as_bool())) {
      return unsupported(node, keyword, "other than false is");
    }
  }
  return {};
}

// A keyword that we take for the whole of what its schema says must not have others beside it that say more.
Status SchemaConverter::check_stands_alone(const SchemaNode& node, std::string_view keyword) const {
  const bool gives_values = keyword == "const" || keyword == "enum";
  for (const Keyword& other : kHonoured) {
    if (!node.has(other.name) || keyword == other.name || (gives_values && std::string_view(other.name) == "type"))
      continue;
    return unsupported(node, other.name, fmt::format("beside {} is", keyword));
  }
  if (node.has("multipleOf")) return unsupported(node, "multipleOf", fmt::format("beside {} is", keyword));
  return {};
}

Result<Expression> SchemaConverter::combination(const SchemaNode& node, std::string_view keyword) {
  RETURN_IF_ERROR(check_stands_alone(node, keyword));
  const Value& value = *node.find(keyword);
  if (!value.is_sequence() || value.items().empty()) return invalid(node, keyword, "must be an array of schemas");
  if (keyword == "allOf" && value.items().size() > 1) return unsupported(node, keyword, "with more than one schema is");
  if (keyword == "oneOf") {
    const auto follow = [&](const Value& option) -> const Value* {
      const SchemaNode at_option = {option.dict_object(), node.place, node.depth};
      Result<const Value*> found = resolve(at_option);
      return found.ok() ? *found : nullptr;
    };
    if (!are_disjoint(value.items(), follow)) {
      return unsupported(node, keyword,
                         "with options that can't be told apart by their type or by the values of a property that they "
                         "all require (use anyOf) is");
    }
  }
  std::vector<Expression> options;
  for (size_t i = 0; i < value.items().size(); i++) {
    const Value& option = value.items()[i];
    if (option.is(Kind::kBool) && !option.as_bool() && value.items().size() > 1) continue;  // never matches
    ASSIGN_OR_RETURN(Expression one, schema(option, fmt::format("{}/{}/{}", node.place, keyword, i), node.depth + 1));
    options.push_back(std::move(one));
  }
  if (options.empty()) return invalid(node, keyword, "matches nothing");
  return GrammarText::choice(options);
}

// The values of `const` and `enum` that are of the schema's type, word for word.
Result<Expression> SchemaConverter::values(const SchemaNode& node) {
  const std::string_view keyword = node.has("const") ? "const" : "enum";
  RETURN_IF_ERROR(check_stands_alone(node, keyword));
  ASSIGN_OR_RETURN(const uint32_t wanted, types(node));
  const Value& given = *node.find(keyword);
  if (keyword == "enum" && !given.is_sequence()) return invalid(node, keyword, "must be an array");
  const std::span<const Value> all =
      keyword == "enum" ? std::span<const Value>(given.items()) : std::span<const Value>(&given, 1);
  std::vector<Expression> options;
  std::set<std::string> seen;
  for (const Value& value : all) {
    if (wanted != 0 && (types_of(value) & wanted) == 0) continue;
    const std::optional<std::string> text = value_text(value);
    if (!text) return unsupported(node, keyword, "with text that is not UTF-8, or such a number, is");
    if (!seen.insert(*text).second) continue;
    enum_values_++;
    enum_bytes_ += text->size();
    if (enum_values_ > kMaxEnumValues || enum_bytes_ > kMaxEnumBytes) {
      return invalid(node, keyword,
                     fmt::format("has too many values: all of the schema's may be {}, of {} KiB together",
                                 kMaxEnumValues, kMaxEnumBytes / 1024));
    }
    options.push_back(GrammarText::literal(*text));
  }
  if (options.empty()) return invalid(node, keyword, "has no value of the schema's type");
  return GrammarText::choice(options);
}

Result<const Value*> SchemaConverter::resolve(const SchemaNode& node) const {
  const Value& given = *node.find("$ref");
  if (!given.is_string()) return invalid(node, "$ref", "must be a string");
  std::string_view reference = given.text();
  if (!reference.starts_with('#')) return unsupported(node, "$ref", "to another document is");
  reference.remove_prefix(1);
  if (!reference.empty() && !reference.starts_with('/')) return unsupported(node, "$ref", "to an anchor is");
  const Value* found = &root_;
  while (!reference.empty() && found != nullptr) {
    reference.remove_prefix(1);
    const std::string_view step = reference.substr(0, reference.find('/'));
    const std::optional<std::string> name = pointer_step(step);
    found = name ? step_into(*found, *name) : nullptr;
    reference.remove_prefix(step.size());
  }
  if (found == nullptr) return invalid(node, "$ref", "refers to nothing in the schema");
  return found;
}

Result<Expression> SchemaConverter::reference(const SchemaNode& node) {
  RETURN_IF_ERROR(check_stands_alone(node, "$ref"));
  ASSIGN_OR_RETURN(const Value* found, resolve(node));
  std::string place = node.find("$ref")->text();
  if (found->object() == nullptr) return schema(*found, place, node.depth + 1);
  std::set<const void*> open;
  RETURN_IF_ERROR(check_cycle(*found, place, open, 0));
  const auto [known, is_new] = references_.try_emplace(found->object());
  if (is_new) {
    known->second = text_.reserve();
    pending_.push_back({known->second, found, std::move(place)});
  }
  return known->second;
}

// A schema must not be itself: what `$ref` and combinations lead to without anything around it.
Status SchemaConverter::check_cycle(const Value& value, const std::string& place, std::set<const void*>& open,
                                    uint32_t depth) {
  if (!value.is_dict() || acyclic_.contains(value.object())) return {};
  const SchemaNode node = {value.dict_object(), place, depth};
  if (depth > kMaxSchemaDepth)
    return invalid(node, "$ref", fmt::format("leads on more than {} times", kMaxSchemaDepth));
  if (!open.insert(value.object()).second) return invalid(node, "$ref", "leads back to itself");
  if (node.has("$ref")) {
    ASSIGN_OR_RETURN(const Value* found, resolve(node));
    RETURN_IF_ERROR(check_cycle(*found, place, open, depth + 1));
  }
  for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
    const Value* options = node.find(keyword);
    if (options == nullptr || !options->is_sequence()) continue;
    for (const Value& option : options->items()) RETURN_IF_ERROR(check_cycle(option, place, open, depth + 1));
  }
  open.erase(value.object());
  acyclic_.insert(value.object());
  return {};
}

// What `type` says, or the one type that the other keywords are about; 0 if neither says anything.
Result<uint32_t> SchemaConverter::types(const SchemaNode& node) const {
  if (const Value* type = node.find("type")) {
    const bool known = type->is_sequence() ? !type->items().empty() &&
                                                 std::all_of(type->items().begin(), type->items().end(), type_named)
                                           : type_named(*type) != 0;
    if (!known) return invalid(node, "type", "must be one of JSON Schema's types, or an array of them");
    return declared_types(node.keywords);
  }
  if (node.has("const") || node.has("enum")) return 0u;
  uint32_t meant = node.has("multipleOf") ? static_cast<uint32_t>(kNumberType) : 0;
  for (const Keyword& keyword : kHonoured) {
    if (keyword.types == 0 || !node.has(keyword.name)) continue;
    if (meant != 0 && meant != keyword.types) {
      return unsupported(node, keyword.name, "without type, beside keywords for another type, is");
    }
    meant = keyword.types;
  }
  return meant;
}

Result<Expression> SchemaConverter::of_type(const SchemaNode& node, SchemaType type) {
  switch (type) {
    case kNullType:
      return GrammarText::literal("null");
    case kBooleanType:
      return GrammarText::choice({GrammarText::literal("true"), GrammarText::literal("false")});
    case kIntegerType:
      return integer(node);
    case kNumberType:
      return number(node);
    case kStringType:
      return string(node);
    case kArrayType:
      return array(node);
    case kObjectType:
      return object(node);
  }
  return any_json(text_);
}

Result<Expression> json_schema_grammar(GrammarText& text, const Value& schema) {
  return SchemaConverter(text, schema).document();
}

}  // namespace ingle
