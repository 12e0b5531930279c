#include "server/response_items.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "server/digest.h"
#include "server/value_building.h"
#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Entries;
using jinja::Items;
using jinja::Value;

constexpr uint32_t kDefaultLimit = 20, kMostItems = 100;

Value parts_of(const std::string& text, bool is_answer) {
  Entries part;
  set(part, "type", text_value(is_answer ? "output_text" : "input_text"));
  set(part, "text", text_value(text));
  return Value::list({Value::dict(std::move(part))});
}

Value stored_item(const Value& item) {
  if (!item.is_dict()) return item;
  const Value* role = find_member(item, "role");
  const bool is_answer = text_of(item, "role") == "assistant";
  Entries out;
  if (find_member(item, "type") == nullptr) set(out, "type", text_value("message"));
  if (find_member(item, "id") == nullptr) set(out, "id", text_value("msg_" + random_id()));
  for (const auto& [key, value] : item.dict_object().entries) {
    if (value.is_none()) continue;  // as if it were absent
    const bool is_text = key.text() == "content" && role != nullptr && value.is_string();
    set(out, key.text(), is_text ? parts_of(value.text(), is_answer) : value);
  }
  return Value::dict(std::move(out));
}

// The value of a query's field; empty if there is none.
std::string_view field_of(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view field = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), field.size() + 1));
    if (field.starts_with(name) && field.substr(name.size()).starts_with('=')) return field.substr(name.size() + 1);
  }
  return {};
}

}  // namespace

std::string stored_input(const Value& input) {
  Items out;
  if (input.is_string()) {
    Entries message;
    set(message, "role", text_value("user"));
    set(message, "content", input);
    out.push_back(stored_item(Value::dict(std::move(message))));
  } else if (input.is_sequence()) {
    for (const Value& item : input.items()) out.push_back(stored_item(item));
  }
  return jinja::to_json_text(Value::list(std::move(out)), {});
}

std::variant<std::string, ApiError> list_input(const std::string& stored, std::string_view query) {
  uint32_t limit = kDefaultLimit;
  if (const std::string_view given = field_of(query, "limit"); !given.empty()) {
    const auto [end, code] = std::from_chars(given.data(), given.data() + given.size(), limit);
    if (code != std::errc() || end != given.data() + given.size() || limit < 1 || limit > kMostItems) {
      return invalid_field("limit", "limit must be a number from 1 to 100");
    }
  }
  const std::string_view order = field_of(query, "order"), after = field_of(query, "after");
  if (!order.empty() && order != "asc" && order != "desc") return invalid_field("order", "order must be asc or desc");
  const Result<Value> parsed = parse_json(stored);
  if (!parsed.ok()) return api_error(parsed.error());
  Items items = parsed->items();
  if (order != "asc") std::reverse(items.begin(), items.end());
  if (!after.empty()) {
    const auto found =
        std::find_if(items.begin(), items.end(), [&](const Value& item) { return text_of(item, "id") == after; });
    if (found == items.end()) return invalid_field("after", "after is the id of none of the items");
    items.erase(items.begin(), found + 1);
  }
  const bool has_more = items.size() > limit;
  if (has_more) items.resize(limit);
  const auto id = [&](bool last) {
    const std::string of = items.empty() ? "" : text_of(last ? items.back() : items.front(), "id");
    return of.empty() ? Value::none() : text_value(of);
  };
  Entries out;
  set(out, "object", text_value("list"));
  set(out, "first_id", id(false));
  set(out, "last_id", id(true));
  set(out, "has_more", Value(has_more));
  set(out, "data", Value::list(std::move(items)));
  return jinja::to_json_text(Value::dict(std::move(out)), {});
}

}  // namespace ingle
