#include "server/api.h"

#include <array>
#include <cstdlib>
#include <exception>
#include <new>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "server/api_error.h"
#include "server/openai.h"
#include "text/jinja_value.h"

namespace ingle {
namespace {

using Handler = std::unique_ptr<Answer> (*)(ServedModels&, const HttpRequest&);

struct Route {
  std::string_view method, path;  // a path that ends in / stands for all that begin with it
  Handler handler = nullptr;      // none: health and readiness, which are the server's own
};

constexpr size_t kLargeBodyBytes = size_t{1} << 20;
constexpr std::string_view kHealth = "/health", kReady = "/ready";
constexpr std::array kRoutes{
    Route{"POST", "/v1/chat/completions", openai_chat},
    Route{"POST", "/v1/completions", openai_completions},
    Route{"GET", "/v1/models", openai_models},
    Route{"GET", "/v1/models/", openai_model},
    Route{"POST", "/tokenize", tokenize},
    Route{"POST", "/detokenize", detokenize},
    Route{"GET", kHealth},
    Route{"GET", kReady},
};

const Route* find_route(std::string_view path) {
  for (const Route& route : kRoutes) {
    if (route.path == path || (route.path.ends_with('/') && path.starts_with(route.path))) return &route;
  }
  return nullptr;
}

bool fits(const Route& route, std::string_view method) {
  return method == route.method || (method == "HEAD" && route.method == "GET");
}

bool is_json(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type.empty() || equal_ignoring_case(type, "application/json");
}

// The C library keeps for each worker what the values of a large request took, which is many times its size.
void give_back_freed_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

ApiError error(unsigned status, std::string message) {
  return {.status = status, .message = std::move(message), .param = {}, .code = {}};
}

HttpResponse status_body(unsigned status, const char* word) {
  HttpResponse response;
  response.status = status;
  response.body = std::string("{\"status\":\"") + word + "\"}\n";
  return response;
}

}  // namespace

std::optional<HttpResponse> Api::refuse(HttpRequest& request) const {
  const bool open = request.path == kHealth || request.path == kReady;
  if (const std::optional<ApiError> refused = access_.refuse(request, open)) return openai_error(*refused);
  const Route* route = find_route(request.path);
  if (route == nullptr) return openai_error(error(404, "there is nothing at " + request.path.substr(0, 200)));
  if (!fits(*route, request.method)) {
    HttpResponse response = openai_error(error(405, "this path takes " + std::string(route->method)));
    response.headers.emplace_back("Allow", route->method == "GET" ? "GET, HEAD" : std::string(route->method));
    return response;
  }
  if (route->method == "POST" && !is_json(request.header("Content-Type"))) {
    return openai_error(error(415, "the body must be application/json"));
  }
  if (route->method == "POST" && draining_) return openai_error(shutting_down());
  if (!open) access_.identify(request);
  if (route->method != "POST" || request.account == nullptr) return std::nullopt;
  const std::optional<ApiError> refused = request.account->count_request(KeyAccount::Clock::now());
  return refused ? std::optional(openai_error(*refused)) : std::nullopt;
}

std::unique_ptr<Answer> Api::handle(const HttpRequest& request) {
  std::unique_ptr<Answer> answer = route_safely(request);
  if (request.body.size() > kLargeBodyBytes) give_back_freed_memory();
  return answer;
}

std::unique_ptr<Answer> Api::route_safely(const HttpRequest& request) {
  try {
    return route(request);
  } catch (const jinja::TemplateError& limit) {
    return answer_with(openai_error(error(400, limit.message)));
  } catch (const std::bad_alloc&) {
    return answer_with(openai_error(error(503, "the server has no memory left for this request")));
  } catch (const std::exception&) {
    return answer_with(openai_error(error(500, "the server failed at this request")));
  }
}

std::unique_ptr<Answer> Api::route(const HttpRequest& request) {
  if (request.path == kHealth) return answer_with(health());
  if (request.path == kReady) return answer_with(ready());
  return find_route(request.path)->handler(models_, request);
}

HttpResponse Api::malformed(unsigned status, std::string message) const {
  return openai_error(error(status, std::move(message)));
}

HttpResponse Api::health() const {
  return models_.healthy() ? status_body(200, "ok") : status_body(503, "an engine has hung");
}

HttpResponse Api::ready() const {
  if (draining_) return status_body(503, "shutting down");
  return models_.healthy() ? status_body(200, "ready") : status_body(503, "an engine has hung");
}

}  // namespace ingle
