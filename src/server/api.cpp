#include "server/api.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <new>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "server/anthropic.h"
#include "server/api_error.h"
#include "server/ollama.h"
#include "server/openai.h"
#include "server/openai_common.h"
#include "text/jinja_value.h"

namespace ingle {
namespace {

// What is made of a request before its handler sees it.
enum class Body : uint8_t {
  kNone,       // it is not looked at
  kFields,     // parsed
  kModel,      // and the model found that "model" names
  kTextModel,  // which has to be one that generates text
};

struct Route {
  std::string_view method, path;  // a path that ends in / stands for all that begin with it
  Handler handler = nullptr;      // none: health and its like, which are the server's own
  Body body = Body::kNone;
};

constexpr size_t kLargeBodyBytes = size_t{1} << 20;
constexpr std::string_view kHealth = "/health", kReady = "/ready", kMetrics = "/metrics";
constexpr std::array kRoutes{
    Route{"POST", "/v1/chat/completions", openai_chat, Body::kTextModel},
    Route{"POST", "/v1/completions", openai_completions, Body::kTextModel},
    Route{"POST", "/v1/responses", openai_responses, Body::kTextModel},
    Route{"POST", "/v1/responses/input_tokens", openai_count_input, Body::kTextModel},
    Route{"GET", "/v1/responses/", openai_get_response},
    Route{"DELETE", "/v1/responses/", openai_delete_response},
    Route{"POST", "/v1/embeddings", openai_embeddings, Body::kModel},
    Route{"GET", "/v1/models", openai_models},
    Route{"GET", "/v1/models/", openai_model},
    Route{"POST", "/tokenize", tokenize, Body::kModel},
    Route{"POST", "/detokenize", detokenize, Body::kModel},
    Route{"POST", "/api/generate", ollama_generate, Body::kTextModel},
    Route{"POST", "/api/chat", ollama_chat, Body::kTextModel},
    Route{"POST", "/api/embed", ollama_embed, Body::kModel},
    Route{"POST", "/api/embeddings", ollama_embeddings, Body::kModel},
    Route{"GET", "/api/tags", ollama_tags},
    Route{"POST", "/api/show", ollama_show, Body::kFields},
    Route{"GET", "/api/ps", ollama_ps},
    Route{"GET", "/api/version", ollama_version},
    Route{"POST", "/api/copy", ollama_copy, Body::kFields},
    Route{"DELETE", "/api/delete", ollama_delete, Body::kFields},
    Route{"GET", "/", ollama_alive},
    Route{"POST", "/v1/messages", anthropic_messages, Body::kTextModel},
    Route{"POST", "/v1/messages/count_tokens", anthropic_count_tokens, Body::kModel},
    Route{"GET", "/tokenizer_info", tokenizer_info},
    Route{"GET", kHealth},
    Route{"GET", kReady},
    Route{"GET", kMetrics},
};

bool leads_to(const Route& route, std::string_view path) {
  return route.path == path || (route.path.size() > 1 && route.path.ends_with('/') && path.starts_with(route.path));
}

bool fits(const Route& route, std::string_view method) {
  return method == route.method || (method == "HEAD" && route.method == "GET");
}

const Route* find_route(std::string_view method, std::string_view path) {
  for (const Route& route : kRoutes) {
    if (leads_to(route, path) && fits(route, method)) return &route;
  }
  return nullptr;
}

// "GET, HEAD, DELETE"; empty if there is no such path.
std::string methods_of(std::string_view path) {
  std::string out;
  for (const Route& route : kRoutes) {
    if (!leads_to(route, path)) continue;
    if (!out.empty()) out += ", ";
    out += route.method;
    if (route.method == "GET") out += ", HEAD";
  }
  return out;
}

// What Ollama's API takes is not always said to be JSON, since Ollama does not look: curl -d says that it sends a form,
// and a browser's fetch that it sends text. Pages of other sites can send both unasked; their Origin gives them away.
bool is_json(const HttpRequest& request) {
  const std::string_view content_type = request.header("Content-Type");
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  const bool is_default =
      equal_ignoring_case(type, "application/x-www-form-urlencoded") || equal_ignoring_case(type, "text/plain");
  if (is_default && error_form(request).shape == ErrorShape::kOllama) return true;
  return type.empty() || equal_ignoring_case(type, "application/json");
}

bool is_compressed(const HttpRequest& request) {
  const std::string_view coding = request.header("Content-Encoding");
  return !coding.empty() && !equal_ignoring_case(coding, "identity");
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

ApiError makes_embeddings(const std::string& model) {
  return invalid_field("model", "the model \"" + model +
                                    "\" makes embeddings, it can't generate text (use "
                                    "/v1/embeddings, or another model)");
}

HttpResponse status_body(unsigned status, const char* word) {
  HttpResponse response;
  response.status = status;
  response.body = std::string("{\"status\":\"") + word + "\"}\n";
  return response;
}

}  // namespace

std::optional<HttpResponse> Api::refuse(HttpRequest& request) const {
  if (std::optional<HttpResponse> yes = access_.preflight(request, methods_of(request.path))) return yes;
  HttpHeaders more;
  const std::optional<ApiError> refused = refusal(request, more);
  if (!refused) return std::nullopt;
  metrics_.count_refusal(*refused);
  HttpResponse response = error_response(*refused, error_form(request));
  response.headers.insert(response.headers.end(), more.begin(), more.end());
  return response;
}

std::optional<ApiError> Api::refusal(HttpRequest& request, HttpHeaders& more) const {
  const bool open = request.path == kHealth || request.path == kReady || (open_metrics_ && request.path == kMetrics);
  if (std::optional<ApiError> refused = access_.refuse(request, open)) return refused;
  const Route* route = find_route(request.method, request.path);
  if (route == nullptr) {
    const std::string methods = methods_of(request.path);
    if (methods.empty()) return error(404, "there is nothing at " + request.path.substr(0, 200));
    more.emplace_back("Allow", methods);
    return error(405, "this path takes " + methods);
  }
  if (route->method == "GET") return std::nullopt;
  if (!is_json(request)) return error(415, "the body must be application/json");
  if (is_compressed(request)) {
    more.emplace_back("Accept-Encoding", "identity");
    return error(415, "the body must not be compressed: its Content-Encoding may only be identity");
  }
  if (draining_) return shutting_down();
  return request.account != nullptr ? request.account->count_request(KeyAccount::Clock::now()) : std::nullopt;
}

HttpHeaders Api::common_headers(const HttpRequest& request) const {
  HttpHeaders headers = access_.cors_headers(request);
  headers.emplace_back("Date", http_date(std::time(nullptr)));
  return headers;
}

// What handlers do may ask the file system, which may take its time.
bool Api::is_slow(const HttpRequest& request) const {
  const Route* route = find_route(request.method, request.path);
  return route != nullptr && route->handler != nullptr;
}

std::unique_ptr<Answer> Api::handle(const HttpRequest& request) {
  Reply reply = route_safely(request);
  if (request.body.size() > kLargeBodyBytes) give_back_freed_memory();
  if (const ApiError* refused = std::get_if<ApiError>(&reply)) {
    metrics_.count_refusal(*refused);
    return answer_with(error_response(*refused, error_form(request)));
  }
  return std::move(std::get<0>(reply));
}

Reply Api::route_safely(const HttpRequest& request) {
  try {
    return route(request);
  } catch (const jinja::TemplateError& limit) {
    return error(400, limit.message);
  } catch (const std::bad_alloc&) {
    return error(503, "the server has no memory left for this request");
  } catch (const std::exception&) {
    return error(500, "the server failed at this request");
  }
}

Reply Api::route(const HttpRequest& request) {
  if (request.path == kHealth) return answer_with(health());
  if (request.path == kReady) return answer_with(ready());
  if (request.path == kMetrics) return answer_with(metrics_.response(models_));
  const Route& route = *find_route(request.method, request.path);
  jinja::Value body = jinja::Value::dict({});
  if (route.body != Body::kNone) {
    if (std::optional<ApiError> unreadable = parse_object(request.body, body)) return *unreadable;
  }
  RequestFields fields(body);
  std::shared_ptr<ServedModel> model;
  if (route.body == Body::kModel || route.body == Body::kTextModel) {
    std::string name;
    // Older clients of Ollama say name.
    const bool older = error_form(request).shape == ErrorShape::kOllama && !fields.has("model");
    fields.read(older ? "name" : "model", name);
    if (fields.error()) return *fields.error();
    model = models_.find(name);
    if (model == nullptr) return model_not_found(name);
    if (route.body == Body::kTextModel && !model->engine->info().generates) return makes_embeddings(model->id);
  }
  ApiCall call{
      .request = request, .models = models_, .fields = fields, .responses = responses_, .model = std::move(model)};
  return route.handler(call);
}

void Api::count(const HttpRequest& request, unsigned status) const {
  const auto leads = [&](const Route& route) { return leads_to(route, request.path); };
  const auto route = std::find_if(kRoutes.begin(), kRoutes.end(), leads);
  metrics_.count_request(route == kRoutes.end() ? "other" : route->path, status);
}

void Api::end_waits() {
  for (const auto& model : models_.list()) model->grammars->end_waits();
}

HttpResponse Api::malformed(const HttpRequest& request, unsigned status, std::string message) const {
  return error_response(error(status, std::move(message)), error_form(request));
}

HttpResponse Api::health() const {
  return models_.healthy() ? status_body(200, "ok") : status_body(503, "an engine has hung");
}

HttpResponse Api::ready() const {
  if (draining_) return status_body(503, "shutting down");
  return models_.healthy() ? status_body(200, "ready") : status_body(503, "an engine has hung");
}

}  // namespace ingle
