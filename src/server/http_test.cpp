#include "server/http.h"

#include <gtest/gtest.h>

namespace ingle {
namespace {

TEST(Http, PercentEncoding) {
  EXPECT_EQ(percent_decoded("a%2Fb%3ac"), "a/b:c");
  EXPECT_EQ(percent_decoded(""), "");
  for (const char* text : {"%", "%2", "a%2", "%zz", "%2g", "%%20"}) EXPECT_FALSE(percent_decoded(text)) << text;
}

TEST(Http, IdsThatMayBeSentBack) {
  EXPECT_TRUE(is_sane_id("req-1_{}"));
  EXPECT_TRUE(is_sane_id(std::string(128, 'x')));
  for (const std::string& id : {std::string(), std::string(129, 'x'), std::string("a b"), std::string("a\r\nX: y"),
                                std::string("a\0b", 3), std::string("\xc3\xa9")}) {
    EXPECT_FALSE(is_sane_id(id)) << id;
  }
}

TEST(Http, HeadsAndChunks) {
  HttpResponse response;
  response.status = 429;
  response.headers = {{"Retry-After", "2"}};
  EXPECT_EQ(head_text(response, "id", {.length = 5, .chunked = false, .keep_alive = true}),
            "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nx-request-id: id\r\nrequest-id: "
            "id\r\nContent-Length: 5\r\n"
            "Retry-After: 2\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(chunk_text("0123456789abcdef"), "10\r\n0123456789abcdef\r\n");
  EXPECT_EQ(chunk_text(""), "0\r\n\r\n");
}

TEST(Http, Dates) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(Http, TargetsArePathsOrWholeUrls) {
  const auto read = [](const char* target) {
    HttpRequest request;
    request.headers = {{"Host", "header"}};
    set_target(request, target);
    return request.path + " " + std::string(request.host());
  };
  EXPECT_EQ(read("/v1/models?a=http://x/y"), "/v1/models header");
  EXPECT_EQ(read("*"), "* header");
  EXPECT_EQ(read("http://box:80/v1/models?a=b"), "/v1/models box:80");
  EXPECT_EQ(read("HTTPS://[::1]:80//a?b"), "//a [::1]:80");
  EXPECT_EQ(read("http://box"), "/ box");
  EXPECT_EQ(read("http://box?/a"), "/ box");
  for (const char* none :
       {"http:/box/a", "http:///a", "http://", "ftp://box/a", "http://me@box/a", "http://localhost:a@box/"}) {
    EXPECT_EQ(read(none), std::string(none) + " header");
  }
}

std::string fault(const HttpHeaders& headers, unsigned version = 11) {
  HttpRequest request;
  request.version = version;
  request.headers = headers;
  return framing_fault(request);
}

TEST(Http, BodiesThatCouldBeReadInTwoWaysAreRefused) {
  const std::pair<std::string, std::string> host{"Host", "x"};
  EXPECT_EQ(fault({host}), "");
  EXPECT_EQ(fault({host, {"Content-Length", "0"}}), "");
  EXPECT_EQ(fault({host, {"transfer-encoding", "Chunked"}}), "");
  EXPECT_EQ(fault({}, 10), "");
  for (const HttpHeaders& headers : std::vector<HttpHeaders>{
           {},
           {host, {"host", "x"}},
           {host, {"Content-Length", "5"}, {"content-length", "5"}},
           {host, {"Content-Length", "5, 5"}},
           {host, {"Content-Length", "+5"}},
           {host, {"Content-Length", ""}},
           {host, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}},
           {host, {"Transfer-Encoding", "chunked"}, {"Content-Length", "5"}},
           {host, {"Transfer-Encoding", "gzip, chunked"}},
           {host, {"Transfer-Encoding", "identity"}},
           {host, {"Transfer-Encoding", "xchunked"}},
           {host, {"Transfer-Encoding", "\"chunked\""}},
           {host, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}},
       }) {
    EXPECT_NE(fault(headers), "");
  }
  EXPECT_NE(fault({host, {"Transfer-Encoding", "chunked"}}, 10), "");
}

TEST(Http, HeadersAreFoundWhateverTheirCase) {
  HttpRequest request;
  request.headers = {{"X-A", "1"}, {"x-a", "2"}};
  EXPECT_EQ(request.header("x-A"), "1");
  EXPECT_EQ(request.header("x-b"), "");
}

}  // namespace
}  // namespace ingle
