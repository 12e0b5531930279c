#include "server/response_store.h"

#include <gtest/gtest.h>

#include <random>

namespace ingle {
namespace {

StoredResponse of(size_t bytes) { return {.body = std::string(bytes, 'b'), .conversation = ""}; }

TEST(ResponseStore, GivesBackWhatItKeeps) {
  ResponseStore store;
  store.put(1, "a", {.body = "x", .conversation = "y"});
  ASSERT_TRUE(store.get(1, "a"));
  EXPECT_EQ(store.get(1, "a")->body, "x");
  EXPECT_EQ(store.get(1, "a")->conversation, "y");
  EXPECT_FALSE(store.get(1, "b"));
  EXPECT_FALSE(store.get(2, "a")) << "another's";
  EXPECT_FALSE(store.erase(2, "a"));
  EXPECT_TRUE(store.erase(1, "a"));
  EXPECT_FALSE(store.erase(1, "a"));
  EXPECT_FALSE(store.get(1, "a"));
}

TEST(ResponseStore, FindsTheItemsOfResponses) {
  ResponseStore store({.responses = 2, .bytes = 10'000});
  const auto response = [](const std::string& items) {
    return StoredResponse{.body = R"({"id":"r","output":[)" + items + "]}", .conversation = "[]"};
  };
  store.put(1, "a",
            response(R"({"id":"rs_1","type":"reasoning","content":[{"type":"reasoning_text","text":"why"}]},)"
                     R"({"id":"msg_1","type":"message","role":"assistant","status":"completed",)"
                     R"("content":[{"type":"output_text","text":"so","logprobs":[{"token":"so"}]}]},)"
                     R"({"id":"fc_1","type":"function_call","call_id":"c","namespace":"n","name":"f",)"
                     R"("arguments":"{}"})"));
  EXPECT_EQ(store.find_item(1, "rs_1"), R"({"type": "reasoning"})");
  EXPECT_EQ(store.find_item(1, "msg_1"), R"({"type": "message", "role": "assistant", "content": "so"})");
  EXPECT_EQ(store.find_item(1, "fc_1"),
            R"({"type": "function_call", "call_id": "c", "namespace": "n", "name": "f", "arguments": "{}"})");
  EXPECT_FALSE(store.find_item(1, "msg_2"));
  EXPECT_FALSE(store.find_item(1, "a"));
  EXPECT_FALSE(store.find_item(2, "msg_1")) << "another's";
  // Whose item is asked for is used.
  store.put(1, "b", response(R"({"id":"msg_2"})"));
  EXPECT_TRUE(store.find_item(1, "msg_1"));
  store.put(1, "c", response(R"({"id":"msg_3"})"));
  EXPECT_TRUE(store.find_item(1, "msg_1"));
  EXPECT_FALSE(store.find_item(1, "msg_2")) << "gone with its response";
  store.erase(1, "a");
  EXPECT_FALSE(store.find_item(1, "msg_1"));
}

TEST(ResponseStore, TheLeastRecentlyUsedGoFirst) {
  ResponseStore store({.responses = 3, .bytes = 1000});
  for (const char* id : {"a", "b", "c"}) store.put(1, id, of(1));
  store.get(1, "a");
  store.put(1, "d", of(1));
  EXPECT_FALSE(store.get(1, "b"));
  for (const char* id : {"a", "c", "d"}) EXPECT_TRUE(store.get(1, id)) << id;
  store.put(2, "b", of(1));
  for (const char* id : {"a", "c", "d"}) EXPECT_TRUE(store.get(1, id)) << id;
}

TEST(ResponseStore, BytesAreBounded) {
  ResponseStore store({.responses = 100, .bytes = 100});
  store.put(1, "a", of(100));
  EXPECT_FALSE(store.get(1, "a")) << "its id is counted too";
  store.put(1, "b", of(60));
  store.put(1, "c", of(60));
  EXPECT_FALSE(store.get(1, "b"));
  EXPECT_TRUE(store.get(1, "c"));
  store.put(1, "c", of(20));
  store.put(1, "d", of(70));
  EXPECT_TRUE(store.get(1, "c"));
  EXPECT_TRUE(store.get(1, "d"));
}

TEST(ResponseStore, WhateverHappensTheNewestIsThereAndTheLimitsHold) {
  std::mt19937 random(1);
  ResponseStore store({.responses = 5, .bytes = 200});
  for (int i = 0; i < 2000; i++) {
    const std::string id(1, static_cast<char>('a' + random() % 20));
    if (random() % 4 == 0) {
      store.erase(1, id);
      EXPECT_FALSE(store.get(1, id));
      continue;
    }
    store.put(1, id, of(random() % 100));
    EXPECT_TRUE(store.get(1, id));
    size_t kept = 0, bytes = 0;
    for (char c = 'a'; c < 'a' + 20; c++) {
      const auto found = store.get(1, std::string(1, c));
      kept += found.has_value();
      bytes += found ? found->body.size() + 1 : 0;
    }
    EXPECT_LE(kept, 5u);
    EXPECT_LE(bytes, 200u);
  }
}

}  // namespace
}  // namespace ingle
