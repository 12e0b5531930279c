#include "server/api.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

namespace ingle {
namespace {

// No model, and a loop that works or has hung.
class NoModels final : public ServedModels {
 public:
  std::shared_ptr<ServedModel> find(std::string_view) override { return nullptr; }
  std::vector<std::shared_ptr<ServedModel>> list() override { return {}; }
  bool healthy() const override { return works; }

  bool works = true;
};

HttpRequest request(const std::string& method, const std::string& path, HttpHeaders headers = {}) {
  HttpRequest out;
  out.method = method;
  out.path = path;
  out.headers = std::move(headers);
  return out;
}

// As the network asks: the headers first, then all of it.
HttpResponse reply(Api& api, HttpRequest given) {
  if (std::optional<HttpResponse> refused = api.refuse(given)) return *refused;
  return *api.handle(given)->take().start;
}

class ApiTest : public ::testing::Test {
 protected:
  HttpResponse ask(const std::string& method, const std::string& path, HttpHeaders headers = {}) {
    return reply(api, request(method, path, std::move(headers)));
  }
  unsigned status(const std::string& method, const std::string& path, HttpHeaders headers = {}) {
    return ask(method, path, std::move(headers)).status;
  }

  NoModels models;
  Api api{AccessOptions{}, models};
};

std::string header(const HttpResponse& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

TEST_F(ApiTest, HealthFailsWhenALoopHasHung) {
  EXPECT_EQ(status("GET", "/health"), 200u);
  EXPECT_EQ(status("GET", "/ready"), 200u);
  models.works = false;
  EXPECT_EQ(status("GET", "/health"), 503u);
  EXPECT_EQ(status("GET", "/ready"), 503u);
}

TEST_F(ApiTest, AServerThatEndsIsHealthyButNotReady) {
  api.drain();
  EXPECT_EQ(status("GET", "/health"), 200u);
  EXPECT_EQ(status("GET", "/ready"), 503u);
  const HttpResponse response = ask("POST", "/v1/chat/completions");
  EXPECT_EQ(response.status, 503u);
  EXPECT_NE(response.body.find("shutting_down"), std::string::npos);
  EXPECT_NE(header(response, "Retry-After"), "");
}

TEST_F(ApiTest, PathsAndMethodsThatAreNone) {
  for (const char* path : {"", "*", "/v1", "/v1/models2", "/V1/models", "/v1/chat/completions/", "//health",
                           "http://localhost/health", "/v1/%6dodels"}) {
    const HttpResponse response = ask("GET", path);
    EXPECT_EQ(response.status, 404u) << path;
    EXPECT_EQ(response.body.find("{\"error\":{\"message\":\""), 0u) << path;
  }
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "post", "X"}) {
    const HttpResponse response = ask(method, "/v1/completions");
    EXPECT_EQ(response.status, 405u) << method;
    EXPECT_EQ(header(response, "Allow"), "POST") << method;
  }
  EXPECT_EQ(header(ask("POST", "/v1/models"), "Allow"), "GET, HEAD");
  EXPECT_EQ(status("HEAD", "/v1/models"), 200u);
}

TEST_F(ApiTest, ErrorsHaveTheShapeOfTheApiThatThePathBelongsTo) {
  const std::pair<const char*, const char*> shapes[] = {{"/v1/nothing", R"({"error":{"message":)"},
                                                        {"/v1/messagesx", R"({"error":{"message":)"},
                                                        {"/api", R"({"error":{"message":)"},
                                                        {"/v1/messages/nothing", R"({"type":"error","error":{"type":)"},
                                                        {"/api/nothing", R"({"error":"there is nothing)"}};
  for (const auto& [path, begins] : shapes) {
    const HttpResponse response = ask("POST", path);
    EXPECT_EQ(response.status, 404u) << path;
    EXPECT_EQ(response.body.find(begins), 0u) << response.body;
  }
  const Api guarded({.keys = {{"one"}}}, models);
  HttpRequest given = request("POST", "/v1/messages/batches");
  given.id = "req_1";
  const HttpResponse refused = guarded.refuse(given).value();
  EXPECT_EQ(refused.status, 401u);
  EXPECT_NE(refused.body.find("\"authentication_error\""), std::string::npos);
  EXPECT_NE(refused.body.find("\"request_id\":\"req_1\""), std::string::npos);
  const HttpResponse large = api.malformed(request("POST", "/api/nothing"), 413, "too large");
  EXPECT_EQ(large.body, "{\"error\":\"too large\"}\n");
}

TEST_F(ApiTest, OpenAisErrorsAreTypedAsItsOwn) {
  const auto type = [](const HttpResponse& response) {
    return std::string(boost::json::parse(response.body).at("error").at("type").as_string());
  };
  EXPECT_EQ(type(ask("GET", "/v1/models/x")), "invalid_request_error");
  EXPECT_EQ(type(ask("GET", "/v1/nothing")), "invalid_request_error");
  const Api guarded({.keys = {{"one"}}}, models);
  HttpRequest given = request("GET", "/v1/models");
  EXPECT_EQ(type(guarded.refuse(given).value()), "invalid_request_error");
  api.drain();
  EXPECT_EQ(type(ask("POST", "/v1/completions")), "server_error");
}

TEST_F(ApiTest, AnthropicsClientsGetItsErrorsEverywhere) {
  const HttpResponse response = ask("GET", "/v1/models/x", {{"anthropic-version", "2023-06-01"}});
  EXPECT_EQ(response.status, 404u);
  EXPECT_EQ(response.body.find(R"({"type":"error","error":{"type":"not_found_error")"), 0u) << response.body;
}

TEST_F(ApiTest, FieldsHaveTheNamesOfTheApi) {
  const FieldName names[] = {{"a.b", "x"}, {"a", "y"}, {".in.", "."}};
  const auto said = [&](const std::string& param, const std::string& rest) {
    const ApiError error = with_names(invalid_field(param, param + rest), names);
    return error.param + "|" + error.message;
  };
  EXPECT_EQ(said("a", " is wrong"), "y|y is wrong");
  EXPECT_EQ(said("a.b.c", ": a.b.c"), "x.c|x.c: a.b.c");
  EXPECT_EQ(said("a[1]", " is wrong"), "y[1]|y[1] is wrong");
  EXPECT_EQ(said("ab", " is wrong"), "ab|ab is wrong");
  EXPECT_EQ(said("t[0].in.name", " is wrong"), "t[0].name|t[0].name is wrong");
  EXPECT_EQ(said("", "all is wrong"), "|all is wrong");
  EXPECT_EQ(with_names(invalid_field("a", "something else"), names).message, "something else");
}

TEST_F(ApiTest, BodiesAreJson) {
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                           "application/jsonx", "application/xml"}) {
    EXPECT_EQ(status("POST", "/v1/completions", {{"Content-Type", type}}), 415u) << type;
  }
  for (const char* type : {"", "application/json", "Application/JSON; charset=utf-8", "application/json ;x"}) {
    EXPECT_EQ(status("POST", "/v1/completions", {{"Content-Type", type}}), 400u) << type;
  }
}

TEST_F(ApiTest, OllamasBodiesAreJsonWhateverBrowsersAndCurlCallThem) {
  for (const char* type : {"text/plain;charset=UTF-8", "Text/Plain", "application/x-www-form-urlencoded"}) {
    EXPECT_EQ(status("POST", "/api/chat", {{"Content-Type", type}}), 400u) << type;
    EXPECT_EQ(status("POST", "/api/chat", {{"Content-Type", type}, {"Origin", "https://evil.example"}}), 403u) << type;
  }
  for (const char* type : {"text/html", "text/plainx", "multipart/form-data; boundary=x"}) {
    EXPECT_EQ(status("POST", "/api/chat", {{"Content-Type", type}}), 415u) << type;
  }
}

TEST_F(ApiTest, CompressedBodiesAreRefused) {
  for (const char* coding : {"gzip", "br", "identity, gzip", "x"}) {
    const HttpResponse response = ask("POST", "/v1/completions", {{"content-encoding", coding}});
    EXPECT_EQ(response.status, 415u) << coding;
    EXPECT_NE(response.body.find("Content-Encoding"), std::string::npos);
    EXPECT_EQ(header(response, "Accept-Encoding"), "identity");
  }
  for (const char* coding : {"", "Identity"}) {
    EXPECT_EQ(status("POST", "/v1/completions", {{"Content-Encoding", coding}}), 400u) << coding;
  }
}

TEST_F(ApiTest, ErrorsAreTextWhateverTheRequestHas) {
  const HttpResponse response = ask("GET", std::string("/\xff\"\n") + std::string(5000, 'x'));
  EXPECT_EQ(response.status, 404u);
  EXPECT_LT(response.body.size(), 1000u);
  EXPECT_EQ(response.body.find('\n'), response.body.size() - 1);
  EXPECT_EQ(response.body.find('\xff'), std::string::npos);
}

}  // namespace
}  // namespace ingle
