#include "server/access.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <utility>

namespace ingle {
namespace {

unsigned status(const Access& access, HttpHeaders headers, bool open = false) {
  HttpRequest request;
  request.headers = std::move(headers);
  const std::optional<ApiError> refused = access.refuse(request, open);
  return refused ? refused->status : 200;
}

TEST(Access, KeysInEveryStyle) {
  const Access access({.keys = {{"one"}, {"two"}}, .hosts = {}});
  EXPECT_EQ(status(access, {{"authorization", "Bearer one"}}), 200u);
  EXPECT_EQ(status(access, {{"Authorization", "bEaReR two"}}), 200u);
  EXPECT_EQ(status(access, {{"X-API-Key", "two"}}), 200u);
  EXPECT_EQ(status(access, {{"Api-Key", "two"}}), 200u);
  EXPECT_EQ(status(access, {{"api-key", "twoo"}}), 401u);
  for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer on", "Bearer onee", "Bearer One", "Bearer  one", "one"}) {
    EXPECT_EQ(status(access, {{"Authorization", wrong}}), 401u) << wrong;
  }
  EXPECT_EQ(status(access, {}), 401u);
  EXPECT_EQ(status(access, {}, true), 200u);
  EXPECT_EQ(status(access, {{"Host", "any.example"}, {"x-api-key", "one"}}), 200u);
}

// A request with this key, as Access leaves it.
HttpRequest asked(const Access& access, const std::string& key) {
  HttpRequest request;
  request.headers = {{"x-api-key", key}};
  access.refuse(request, false);
  return request;
}

TEST(Access, KeysWithLimitsHaveAnAccountEach) {
  const Access access({.keys = {{"one"}, {"two", {.answers = 1}}, {"three", {.answers = 1}}}, .hosts = {}});
  EXPECT_EQ(asked(access, "one").account, nullptr);
  EXPECT_EQ(asked(access, "none").account, nullptr);
  EXPECT_NE(asked(access, "two").account, nullptr);
  EXPECT_EQ(asked(access, "two").account, asked(access, "two").account);
  EXPECT_NE(asked(access, "two").account, asked(access, "three").account);
}

TEST(Access, EachKeyOwnsWhatItLeavesInTheCache) {
  const Access access({.keys = {{"one"}, {"two"}}, .hosts = {}});
  EXPECT_EQ(asked(access, "one").cache_owner, asked(access, "one").cache_owner);
  EXPECT_NE(asked(access, "one").cache_owner, asked(access, "two").cache_owner);
}

TEST(Access, NamedPagesMayAskButNotManage) {
  const Access access({.origins = {"https://app.example"}, .all_manage = true});
  const auto ask = [&](const char* origin) {
    HttpRequest request;
    request.headers = {{"Host", "localhost:1"}, {"Origin", origin}};
    const bool refused = access.refuse(request, false).has_value();
    return std::pair(!refused, request.may_manage);
  };
  EXPECT_EQ(ask("https://APP.example"), std::pair(true, false));
  EXPECT_EQ(ask("http://localhost:1"), std::pair(true, true));
  EXPECT_EQ(ask("https://app.example.evil"), std::pair(false, false));
}

TEST(Access, OriginsAreThoseThatBrowsersSend) {
  for (const char* good :
       {"*", "https://app.example", "http://localhost:3000", "http://[::1]:80", "chrome-extension://abcdefgh",
        "app://obsidian.md", "tauri://localhost", "vscode-webview://0x-1", "a+b.c-1://x"}) {
    EXPECT_TRUE(check_origin(good).ok()) << good;
  }
  for (const char* bad :
       {"", "null", "app.example", "https://", "https://a/", "https://a,b", "https://*", "://x", "1a://x", "a_b://x",
        "A://x", "a b://x", "a:b://x", "app:x", "a*://x", "https://a b", "https://a\r\nX: y", "**"}) {
    EXPECT_FALSE(check_origin(bad).ok()) << bad;
  }
  const Access access({.origins = {"app://obsidian.md"}});
  EXPECT_EQ(status(access, {{"Host", "localhost"}, {"Origin", "app://obsidian.md"}}), 200u);
  for (const char* other :
       {"app://obsidian.mdx", "apps://obsidian.md", "https://obsidian.md", "app://obsidian.md:80"}) {
    EXPECT_EQ(status(access, {{"Host", "localhost"}, {"Origin", other}}), 403u) << other;
  }
}

TEST(Access, ModelsAreManagedByThoseWhoMay) {
  const Access access({.keys = {{"one"}, {.key = "two", .manages = true}}, .all_manage = true});
  EXPECT_FALSE(asked(access, "one").may_manage);
  EXPECT_TRUE(asked(access, "two").may_manage);
  EXPECT_FALSE(asked(access, "none").may_manage);
  EXPECT_TRUE(asked(Access({.all_manage = true}), "").may_manage);
  EXPECT_FALSE(asked(Access({}), "").may_manage);
  const auto keys = parse_key_file("one manage answers=1\ntwo");
  ASSERT_TRUE(keys.ok());
  EXPECT_TRUE((*keys)[0].manages);
  EXPECT_EQ((*keys)[0].limits.answers, 1u);
  EXPECT_FALSE((*keys)[1].manages);
}

TEST(Access, WithoutKeysPagesOfOtherSitesAreRefused) {
  const Access access({.keys = {}, .hosts = {"box.lan"}});
  for (const char* host : {"localhost", "LOCALHOST:80", "a.localhost", "127.0.0.1:11434", "192.168.1.2", "[::1]:80",
                           "::1", "box.lan", "Box.LAN:11434", "host.docker.internal:11434", "A.b.Internal"}) {
    EXPECT_EQ(status(access, {{"Host", host}}), 200u) << host;
    EXPECT_EQ(status(access, {{"Host", host}, {"Origin", std::string("http://") + host}}), 200u) << host;
    EXPECT_EQ(status(access, {{"Host", host}, {"Origin", "http://evil.example"}}), 403u) << host;
  }
  for (const char* host :
       {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "box.lan.evil", "1.2.3", "x:80", "[evil]",
        "127.evil", "internal", ".internal", "host.docker.internal.evil", "xinternal", "evil.local"}) {
    EXPECT_EQ(status(access, {{"Host", host}}), 403u) << host;
  }
  EXPECT_EQ(status(access, {{"Host", "evil.example"}}, true), 403u);
  EXPECT_EQ(status(access, {{"Host", "localhost"}, {"Origin", "null"}}), 403u);
  EXPECT_EQ(status(access, {{"Host", "localhost:1"}, {"Origin", "http://localhost:2"}}), 403u);
  EXPECT_EQ(status(access, {}), 200u);
}

TEST(Access, TheMachinesOwnNameMayBeTheHost) {
  char name[256] = {};
  ASSERT_EQ(::gethostname(name, sizeof name - 1), 0);
  const std::string own = name;
  ASSERT_NE(own, "");
  const Access access({});
  for (const std::string& host : {own, own + ":11434", own + ".local", own + ".local:80"}) {
    EXPECT_EQ(status(access, {{"Host", host}}), 200u) << host;
    EXPECT_EQ(status(access, {{"Host", host}, {"Origin", "http://evil.example"}}), 403u) << host;
  }
  for (const std::string& host : {own + ".evil.example", own + ".locals", "x." + own + ".local"}) {
    EXPECT_EQ(status(access, {{"Host", host}}), 403u) << host;
  }
}

TEST(Access, TheTargetsHostCountsForMoreThanTheHeader) {
  const Access access({});
  const auto asked_at = [&](const char* authority, const char* host, const char* origin) {
    HttpRequest request;
    request.authority = authority;
    request.headers = {{"Host", host}, {"Origin", origin}};
    return !access.refuse(request, false).has_value();
  };
  EXPECT_TRUE(asked_at("localhost:1", "evil.example", ""));
  EXPECT_FALSE(asked_at("evil.example", "localhost:1", ""));
  EXPECT_TRUE(asked_at("localhost:1", "localhost:2", "http://localhost:1"));
  EXPECT_FALSE(asked_at("localhost:1", "localhost:2", "http://localhost:2"));
}

TEST(Access, LoopbackIsThisMachineAlone) {
  for (const char* host : {"127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "192.168.0.1", "127.example", "box", ""})
    EXPECT_FALSE(is_loopback(host)) << host;
}

TEST(Access, KeyFiles) {
  const auto keys = parse_key_file("# comment\r\none\r\n\n\n two  tokens=5 answers=1\t\nthree requests=4294967295");
  ASSERT_TRUE(keys.ok());
  ASSERT_EQ(keys->size(), 3u);
  EXPECT_EQ((*keys)[0].key, "one");
  EXPECT_FALSE((*keys)[0].limits.any());
  EXPECT_EQ((*keys)[1].key, "two");
  EXPECT_EQ((*keys)[1].limits.tokens, 5u);
  EXPECT_EQ((*keys)[1].limits.answers, 1u);
  EXPECT_EQ((*keys)[2].limits.requests, 4294967295u);
  for (const char* text : {"", "\n\n", "# one", "a b", "a\x01", "\xc3\xa9", "a answers=", "a answers=0", "a answers=-1",
                           "a answers=1x", "a answers=4294967296", "a answers", "a Answers=1", "a Manage", "a\nb\na"}) {
    EXPECT_FALSE(parse_key_file(text).ok()) << text;
  }
}

}  // namespace
}  // namespace ingle
