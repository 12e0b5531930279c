// From a request to its answer: the table of paths, who may ask, and what holds for all of them. The network asks
// refuse() once it has the headers, and handle() once it has the body. Any thread, several at a time.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "server/access.h"
#include "server/api_call.h"
#include "server/http.h"
#include "server/metrics.h"
#include "server/served_model.h"

namespace ingle {

class Api {
 public:
  Api(const AccessOptions& access, ServedModels& models)
      : access_(access), open_metrics_(access.open_metrics), models_(models) {}

  // What can be said without the body: nothing if the request may go on. Sets its account, and counts it there.
  std::optional<HttpResponse> refuse(HttpRequest& request) const;
  // The request passed refuse(). Whatever goes wrong is an answer too.
  std::unique_ptr<Answer> handle(const HttpRequest& request);
  // May handle() take so long that it belongs on a worker?
  bool is_slow(const HttpRequest& request) const;
  // To a request that is none, or too large; as much of it as could be read.
  HttpResponse malformed(const HttpRequest& request, unsigned status, std::string message) const;

  // What every answer to the request has, besides its own headers.
  HttpHeaders common_headers(const HttpRequest& request) const;
  // An answer to the request has begun, with this status.
  void count(const HttpRequest& request, unsigned status) const;

  // From now on not ready, and no new work.
  void drain() { draining_ = true; }
  // Requests that wait for a grammar don't any longer: the server has ended.
  void end_waits();

 private:
  std::optional<ApiError> refusal(HttpRequest& request, HttpHeaders& more) const;
  HttpResponse health() const;
  HttpResponse ready() const;
  Reply route(const HttpRequest& request);
  Reply route_safely(const HttpRequest& request);

  const Access access_;
  const bool open_metrics_;
  ServedModels& models_;
  mutable ServerMetrics metrics_;
  const std::shared_ptr<ResponseStore> responses_ = std::make_shared<ResponseStore>();
  std::atomic<bool> draining_{false};
};

}  // namespace ingle
