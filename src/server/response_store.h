// Responses that clients may come back to by their ids (OpenAI's /v1/responses): what was answered, and the
// conversation that a next request goes on with. In memory only, each API key's apart from the others'; beyond the
// limits of a key its least recently used ones go. Any thread.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace ingle {

struct StoredResponse {
  std::string body;          // JSON, as it was answered
  std::string conversation;  // JSON: the messages up to and with the answer, as chat requests have them
  std::string input = "[]";  // JSON: the request's own items (response_items.h)
};

class ResponseStore {
 public:
  struct Limits {
    size_t responses = 256;
    size_t bytes = size_t{16} << 20;
  };
  ResponseStore() : ResponseStore(Limits()) {}
  explicit ResponseStore(const Limits& per_owner) : limits_(per_owner) {}

  // Not kept if it is larger than all that may be.
  void put(uint64_t owner, const std::string& id, StoredResponse response);
  std::optional<StoredResponse> get(uint64_t owner, const std::string& id);
  // An item of a response's output, as JSON: what a request's input says of it, so that messages are their text alone
  // and reasoning is nothing but its type.
  std::optional<std::string> find_item(uint64_t owner, const std::string& id);
  bool erase(uint64_t owner, const std::string& id);

 private:
  struct Entry {
    std::string id;
    StoredResponse response;
    std::map<std::string, std::string> items;  // by id
    size_t bytes() const;
  };
  struct Shelf {
    std::list<Entry> entries;  // the most recently used first
    std::map<std::string, std::list<Entry>::iterator> by_id, by_item;
    size_t bytes = 0;
  };
  static void drop(Shelf& shelf, std::list<Entry>::iterator entry);

  const Limits limits_;
  std::mutex mutex_;
  std::map<uint64_t, Shelf> shelves_;  // by owner: API keys, so as many as there are
};

}  // namespace ingle
