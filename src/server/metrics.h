// GET /metrics in Prometheus' text format. The engines' numbers have the names, labels and buckets of vLLM's, so that
// its dashboards and gateways work unchanged; what only this server has begins with ingle_. Any thread; the engines
// never wait for a reader.
#pragma once

#include <prometheus/registry.h>

#include <string_view>

#include "server/api_error.h"
#include "server/http.h"
#include "server/served_model.h"

namespace ingle {

class ServerMetrics {
 public:
  ServerMetrics();

  // An HTTP answer began. `path`: one of a bounded number.
  void count_request(std::string_view path, unsigned status);
  // Counts it if it was for want of a key, or over the limits of one.
  void count_refusal(const ApiError& error);

  HttpResponse response(ServedModels& models) const;

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>&requests_, &refusals_;
};

}  // namespace ingle
