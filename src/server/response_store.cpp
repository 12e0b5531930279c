#include "server/response_store.h"

#include <iterator>
#include <utility>

#include "server/value_building.h"
#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Value;

// The item as find_item() gives it. Of messages, which alone have a role, the text.
Value input_item(const Value& item) {
  jinja::Entries out;
  for (const char* key : {"type", "role", "call_id", "namespace", "name", "arguments"}) {
    if (const Value* value = find_member(item, key)) set(out, key, *value);
  }
  const Value* parts = find_member(item, "role") != nullptr ? find_member(item, "content") : nullptr;
  if (parts != nullptr && parts->is_sequence()) {
    std::string text;
    for (const Value& part : parts->items()) {
      const Value* said = find_member(part, "text");
      if (said != nullptr && said->is_string()) text += said->text();
    }
    set(out, "content", text_value(text));
  }
  return Value::dict(std::move(out));
}

std::map<std::string, std::string> items_of(const std::string& body) {
  std::map<std::string, std::string> out;
  const Result<Value> response = parse_json(body);
  const Value* output = response.ok() ? find_member(*response, "output") : nullptr;
  if (output == nullptr || !output->is_sequence()) return out;
  for (const Value& item : output->items()) {
    const Value* id = find_member(item, "id");
    if (id != nullptr && id->is_string()) out[id->text()] = jinja::to_json_text(input_item(item), {});
  }
  return out;
}

}  // namespace

size_t ResponseStore::Entry::bytes() const {
  size_t out = id.size() + response.body.size() + response.conversation.size() + response.input.size();
  for (const auto& [item_id, item] : items) out += item_id.size() + item.size();
  return out;
}

void ResponseStore::drop(Shelf& shelf, std::list<Entry>::iterator entry) {
  shelf.bytes -= entry->bytes();
  shelf.by_id.erase(entry->id);
  for (const auto& [id, item] : entry->items) shelf.by_item.erase(id);
  shelf.entries.erase(entry);
}

void ResponseStore::put(uint64_t owner, const std::string& id, StoredResponse response) {
  std::map<std::string, std::string> items = items_of(response.body);
  Entry entry{.id = id, .response = std::move(response), .items = std::move(items)};
  const size_t bytes = entry.bytes();
  const std::lock_guard lock(mutex_);
  if (bytes > limits_.bytes || limits_.responses == 0) return;
  Shelf& shelf = shelves_[owner];
  if (const auto known = shelf.by_id.find(id); known != shelf.by_id.end()) drop(shelf, known->second);
  while (shelf.entries.size() >= limits_.responses || shelf.bytes > limits_.bytes - bytes) {
    drop(shelf, std::prev(shelf.entries.end()));
  }
  shelf.entries.push_front(std::move(entry));
  shelf.by_id[id] = shelf.entries.begin();
  for (const auto& [item_id, item] : shelf.entries.front().items) shelf.by_item[item_id] = shelf.entries.begin();
  shelf.bytes += bytes;
}

std::optional<StoredResponse> ResponseStore::get(uint64_t owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto shelf = shelves_.find(owner);
  if (shelf == shelves_.end()) return std::nullopt;
  const auto found = shelf->second.by_id.find(id);
  if (found == shelf->second.by_id.end()) return std::nullopt;
  std::list<Entry>& entries = shelf->second.entries;
  entries.splice(entries.begin(), entries, found->second);
  return found->second->response;
}

std::optional<std::string> ResponseStore::find_item(uint64_t owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto shelf = shelves_.find(owner);
  if (shelf == shelves_.end()) return std::nullopt;
  const auto found = shelf->second.by_item.find(id);
  if (found == shelf->second.by_item.end()) return std::nullopt;
  std::list<Entry>& entries = shelf->second.entries;
  entries.splice(entries.begin(), entries, found->second);
  return found->second->items.at(id);
}

bool ResponseStore::erase(uint64_t owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto shelf = shelves_.find(owner);
  if (shelf == shelves_.end()) return false;
  const auto found = shelf->second.by_id.find(id);
  if (found == shelf->second.by_id.end()) return false;
  drop(shelf->second, found->second);
  return true;
}

}  // namespace ingle
