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
