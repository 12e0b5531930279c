#include "grammar/value_text.h"

#include <algorithm>
#include <cmath>

#include "text/json_value.h"
#include "text/utf8.h"

namespace ingle {
namespace {

// JSON text may have numbers beyond a double's; as deep as it may nest.
bool is_finite(const jinja::Value& value) {
  if (value.is(jinja::Kind::kFloat)) return std::isfinite(value.as_double());
  if (value.is_sequence()) return std::all_of(value.items().begin(), value.items().end(), is_finite);
  if (!value.is_dict()) return true;
  const jinja::Entries& entries = value.dict_object().entries;
  return std::all_of(entries.begin(), entries.end(), [](const auto& entry) { return is_finite(entry.second); });
}

}  // namespace

std::optional<std::string> value_text(const jinja::Value& value) {
  if (!is_finite(value)) return std::nullopt;
  try {
    jinja::JsonStyle style;
    style.item_separator = ",";
    style.key_separator = ":";
    std::string text = jinja::to_json_text(value, style);
    if (is_valid_utf8(text)) return text;
  } catch (const jinja::TemplateError&) {
    // what JSON can't express
  }
  return std::nullopt;
}

}  // namespace ingle
