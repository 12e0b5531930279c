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
  EXPECT_EQ(
      head_text(response, "id", {.length = 5, .chunked = false, .keep_alive = true}),
      "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nx-request-id: id\r\nContent-Length: 5\r\n"
      "Retry-After: 2\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(chunk_text("0123456789abcdef"), "10\r\n0123456789abcdef\r\n");
  EXPECT_EQ(chunk_text(""), "0\r\n\r\n");
}

TEST(Http, HeadersAreFoundWhateverTheirCase) {
  HttpRequest request;
  request.headers = {{"X-A", "1"}, {"x-a", "2"}};
  EXPECT_EQ(request.header("x-A"), "1");
  EXPECT_EQ(request.header("x-b"), "");
}

}  // namespace
}  // namespace ingle
