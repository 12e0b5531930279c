#include "server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ingle {
namespace {

using testing::HasSubstr;

class NoModels final : public ServedModels {
 public:
  std::shared_ptr<ServedModel> find(std::string_view) override { return nullptr; }
  std::vector<std::shared_ptr<ServedModel>> list() override { return {}; }
  bool healthy() const override { return true; }
};

TEST(ServerMetrics, CountsRequestsByPathAndStatus) {
  ServerMetrics metrics;
  metrics.count_request("/v1/models", 200);
  metrics.count_request("/v1/models", 200);
  metrics.count_request("other", 404);
  NoModels models;
  const HttpResponse response = metrics.response(models);
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(response.body, HasSubstr("ingle_http_requests_total{path=\"/v1/models\",status=\"200\"} 2\n"));
  EXPECT_THAT(response.body, HasSubstr("ingle_http_requests_total{path=\"other\",status=\"404\"} 1\n"));
}

TEST(ServerMetrics, CountsWhatKeysAreRefusedFor) {
  ServerMetrics metrics;
  metrics.count_refusal({.status = 401, .message = {}, .param = {}, .code = "invalid_api_key"});
  metrics.count_refusal({.status = 429, .message = {}, .param = {}, .code = "rate_limit_exceeded"});
  metrics.count_refusal({.status = 429, .message = {}, .param = {}, .code = "queue_full"});
  metrics.count_refusal({.status = 400, .message = {}, .param = {}, .code = {}});
  NoModels models;
  const std::string text = metrics.response(models).body;
  EXPECT_THAT(text, HasSubstr("ingle_key_refusals_total{reason=\"unknown_key\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ingle_key_refusals_total{reason=\"limit\"} 1\n"));
}

}  // namespace
}  // namespace ingle
