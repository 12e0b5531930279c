#include "server/response_store.h"

#include <iterator>
#include <utility>

namespace ingle {

void ResponseStore::drop(Shelf& shelf, std::list<Entry>::iterator entry) {
  shelf.bytes -= entry->bytes();
  shelf.by_id.erase(entry->id);
  shelf.entries.erase(entry);
}

void ResponseStore::put(uint64_t owner, const std::string& id, StoredResponse response) {
  Entry entry{.id = id, .response = std::move(response)};
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
