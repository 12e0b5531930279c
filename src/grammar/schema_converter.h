// One JSON Schema document on its way to a grammar: what json_schema.h does, in parts. schema_converter.cpp has the
// keywords that hold for every type, references and combinations; schema_types.cpp what each type may look like;
// schema_objects.cpp what objects may.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "grammar/grammar_text.h"
#include "grammar/number_grammar.h"
#include "text/jinja_value.h"

namespace ingle {

inline constexpr uint32_t kMaxSchemas = 2000;  // in one document, references not followed
inline constexpr uint32_t kMaxSchemaDepth = 100;
inline constexpr uint32_t kMaxEnumValues = 2000;  // of all enums together
inline constexpr size_t kMaxEnumBytes = 64 * 1024;
inline constexpr uint32_t kMaxCounted = 2000;  // characters or items, where they are counted

// JSON's types as bits.
enum SchemaType : uint32_t {
  kNullType = 1,
  kBooleanType = 2,
  kIntegerType = 4,
  kNumberType = 8,
  kStringType = 16,
  kArrayType = 32,
  kObjectType = 64,
};

// A schema that is an object, and where it stands: "#/properties/a".
struct SchemaNode {
  const jinja::DictObj& keywords;
  const std::string place;
  const uint32_t depth;

  // Null if it is absent.
  const jinja::Value* find(std::string_view keyword) const { return keywords.find(keyword); }
  bool has(std::string_view keyword) const { return find(keyword) != nullptr; }
};

class SchemaConverter {
 public:
  using Expression = GrammarText::Expression;

  SchemaConverter(GrammarText& text, const jinja::Value& root) : text_(text), root_(root) {}
  Result<Expression> document();

 private:
  struct Property {
    std::string name;
    Expression expression;  // with its key
    bool required = false;
  };
  struct Counts {
    uint32_t min = 0;
    uint32_t max = kNoLimit;  // kMaxCounted at most, where there is a limit at all
    bool limited() const { return min > 0 || max != kNoLimit; }
  };

  static Error invalid(const SchemaNode& node, std::string_view keyword, std::string_view what);
  static Error unsupported(const SchemaNode& node, std::string_view keyword, std::string_view what);

  // Any schema: a place's, or one that is not written down there.
  Result<Expression> schema(const jinja::Value& value, const std::string& place, uint32_t depth);
  Result<Expression> object_schema(const SchemaNode& node);
  Status check_keywords(const SchemaNode& node) const;
  Status check_stands_alone(const SchemaNode& node, std::string_view keyword) const;
  Result<Expression> combination(const SchemaNode& node, std::string_view keyword);
  Result<Expression> values(const SchemaNode& node);
  Result<Expression> reference(const SchemaNode& node);
  Result<const jinja::Value*> resolve(const SchemaNode& node) const;
  Status check_cycle(const jinja::Value& value, const std::string& place, std::set<const void*>& open, uint32_t depth);
  Result<uint32_t> types(const SchemaNode& node) const;
  Result<Expression> of_type(const SchemaNode& node, SchemaType type);

  Result<Expression> string(const SchemaNode& node);
  Expression long_string(uint32_t least);
  Result<Expression> integer(const SchemaNode& node);
  Result<Expression> number(const SchemaNode& node);
  Result<Expression> multiples(const SchemaNode& node, int64_t of, std::optional<int64_t> low,
                               std::optional<int64_t> high);
  Result<const jinja::Value*> find_number(const SchemaNode& node, const char* keyword) const;  // null: it isn't there
  Result<std::optional<int64_t>> integer_bound(const SchemaNode& node, bool upper) const;
  Result<std::optional<NumberBound>> number_bound(const SchemaNode& node, bool upper) const;
  Result<Counts> counts(const SchemaNode& node, std::string_view min, std::string_view max) const;
  Result<Expression> array(const SchemaNode& node);
  Result<Expression> object(const SchemaNode& node);
  Result<Expression> map(const SchemaNode& node);
  Result<std::vector<Property>> properties(const SchemaNode& node);
  Result<Property> property(const SchemaNode& node, const std::string& name, const Expression& value, bool required);
  Result<std::optional<Expression>> further_properties(const SchemaNode& node, const std::vector<std::string>& names);
  Result<Expression> key(const SchemaNode& node);
  Expression key_other_than(const std::vector<std::string>& names);
  Expression members(const std::vector<Property>& properties, const std::optional<Expression>& further);
  Expression braces(const Expression& members, bool may_be_empty);

  GrammarText& text_;
  const jinja::Value& root_;
  uint32_t schemas_ = 0, enum_values_ = 0;
  size_t enum_bytes_ = 0;
  // By what they refer to: the rule's name; and those whose rule has no body yet.
  std::map<const jinja::Object*, Expression> references_;
  struct Pending {
    Expression name;
    const jinja::Value* value;
    std::string place;
  };
  std::deque<Pending> pending_;
  std::set<const void*> acyclic_;
};

// The rules that all schemas share.
GrammarText::Expression json_space(GrammarText& text);

// Whether no instance is accepted by two of the options, as far as that can be seen from their types and the values
// that they name. `follow` gives what a reference refers to, or null.
bool are_disjoint(const jinja::Items& options, const std::function<const jinja::Value*(const jinja::Value&)>& follow);

// The schema's own `type`, as bits; 0 if it says none, or something else than types.
uint32_t declared_types(const jinja::DictObj& keywords);
// The type of a value; integers are both.
uint32_t types_of(const jinja::Value& value);

}  // namespace ingle
