#include "server/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <functional>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "kv/kv_types.h"

namespace ingle {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;
using Models = std::vector<std::shared_ptr<ServedModel>>;

// As vLLM has them; an engine's number tells those of one model apart, of which there is one here.
Labels labels_of(const ServedModel& model, Labels more = {}) {
  Labels labels = {{"model_name", model.id}, {"engine", "0"}};
  labels.insert(labels.end(), more.begin(), more.end());
  return labels;
}

ClientMetric gauge_of(Labels labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  return metric;
}

ClientMetric counter_of(Labels labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = value;
  return metric;
}

ClientMetric histogram_of(Labels labels, const MetricHistogram& histogram) {
  const MetricHistogram::Snapshot seen = histogram.snapshot();
  ClientMetric metric;
  metric.label = std::move(labels);
  uint64_t count = 0;
  for (size_t i = 0; i < histogram.bounds().size(); i++) {
    count += seen.counts[i];
    metric.histogram.bucket.push_back({count, histogram.bounds()[i]});
  }
  metric.histogram.sample_count = count + seen.counts.back();
  metric.histogram.sample_sum = seen.sum;
  return metric;
}

// The families of all engines, one after the other.
class EngineFamilies {
 public:
  explicit EngineFamilies(const Models& models) : models_(models) {}

  template <typename Value>
  void gauge(const char* name, const char* help, Value value) {
    add(name, help, MetricType::Gauge, [&](const ServedModel& model, const EngineMetrics& metrics) {
      return gauge_of(labels_of(model), static_cast<double>(value(metrics)));
    });
  }
  void counter(const char* name, const char* help, std::atomic<uint64_t> EngineMetrics::*value) {
    add(name, help, MetricType::Counter, [&](const ServedModel& model, const EngineMetrics& metrics) {
      return counter_of(labels_of(model), static_cast<double>((metrics.*value).load()));
    });
  }
  void histogram(const char* name, const char* help, MetricHistogram EngineMetrics::*value) {
    add(name, help, MetricType::Histogram, [&](const ServedModel& model, const EngineMetrics& metrics) {
      return histogram_of(labels_of(model), metrics.*value);
    });
  }
  void ends() {
    constexpr std::pair<const char*, std::atomic<uint64_t> EngineMetrics::*> kReasons[] = {
        {"stop", &EngineMetrics::ended_by_stop},
        {"length", &EngineMetrics::ended_by_length},
        {"abort", &EngineMetrics::cancelled},
        {"error", &EngineMetrics::failed}};
    MetricFamily family{"vllm:request_success_total", "Requests that have ended, by reason.", MetricType::Counter, {}};
    for (const auto& model : models_) {
      for (const auto& [reason, value] : kReasons) {
        const auto count = static_cast<double>((model->engine->metrics().*value).load());
        family.metric.push_back(counter_of(labels_of(*model, {{"finished_reason", reason}}), count));
      }
    }
    families.push_back(std::move(family));
  }
  void add(const char* name, const char* help, MetricType type,
           const std::function<ClientMetric(const ServedModel&, const EngineMetrics&)>& metric) {
    MetricFamily family{name, help, type, {}};
    for (const auto& model : models_) family.metric.push_back(metric(*model, model->engine->metrics()));
    families.push_back(std::move(family));
  }

  std::vector<MetricFamily> families;

 private:
  const Models& models_;
};

void add_state(EngineFamilies& out) {
  const auto usage = [](const EngineMetrics& m) { return m.pages_held.load() / std::max(1.0, 1.0 * m.pages.load()); };
  out.gauge("vllm:num_requests_running", "Answers that are generated now.",
            [](const EngineMetrics& m) { return m.running.load(); });
  out.gauge("vllm:num_requests_waiting", "Answers that wait for a place.",
            [](const EngineMetrics& m) { return m.waiting(); });
  out.gauge("vllm:kv_cache_usage_perc", "Part of the KV pages that running answers hold; 1 is all of them.", usage);
  out.gauge("vllm:gpu_cache_usage_perc", "The same, by the name that it had in earlier versions of vLLM.", usage);
  out.add("vllm:cache_config_info", "How the KV pages are laid out.", MetricType::Gauge,
          [](const ServedModel& model, const EngineMetrics& metrics) {
            return gauge_of(labels_of(model, {{"block_size", std::to_string(kPageTokens)},
                                              {"num_gpu_blocks", std::to_string(metrics.pages.load())}}),
                            1);
          });
  // There are no adapters, but gateways ask; the value is the time.
  ClientMetric none = gauge_of({{"max_lora", "0"}, {"running_lora_adapters", ""}, {"waiting_lora_adapters", ""}},
                               static_cast<double>(std::time(nullptr)));
  out.families.push_back({"vllm:lora_requests_info", "LoRA adapters: none.", MetricType::Gauge, {std::move(none)}});
}

void add_counters(EngineFamilies& out) {
  using M = EngineMetrics;
  out.counter("vllm:prompt_tokens_total", "Tokens of prompts.", &M::prompt_tokens);
  out.counter("vllm:generation_tokens_total", "Tokens generated.", &M::generated_tokens);
  out.counter("vllm:num_preemptions_total", "Times that an answer lost its pages and was computed again.",
              &M::preemptions);
  out.counter("vllm:prefix_cache_queries_total", "Tokens of prompts that were looked for in the prefix cache.",
              &M::cache_queries);
  out.counter("vllm:prefix_cache_hits_total", "Those of them that were found.", &M::cache_hits);
  out.ends();
}

void add_histograms(EngineFamilies& out) {
  using M = EngineMetrics;
  out.histogram("vllm:time_to_first_token_seconds", "From a request to its first token.", &M::first_token);
  out.histogram("vllm:inter_token_latency_seconds", "Between two tokens of an answer.", &M::between_tokens);
  out.histogram("vllm:time_per_output_token_seconds", "The same, by the name that it had in earlier versions of vLLM.",
                &M::between_tokens);
  out.histogram("vllm:e2e_request_latency_seconds", "From a request to the end of its answer.", &M::request);
  out.histogram("vllm:request_queue_time_seconds", "From a request to its first step.", &M::queue);
  out.histogram("vllm:request_prefill_time_seconds", "From a request's first step to its first token.", &M::prefill);
  out.histogram("vllm:request_decode_time_seconds", "From an answer's first token to its last.", &M::decode);
  out.histogram("vllm:request_inference_time_seconds", "From a request's first step to its last token.", &M::inference);
  out.histogram("vllm:request_time_per_output_token_seconds", "Of an answer: its mean time between two tokens.",
                &M::mean_between_tokens);
  out.histogram("vllm:request_params_max_tokens", "What requests set max_tokens to.", &M::answer_limit);
  out.histogram("vllm:request_prompt_tokens", "Tokens of a prompt.", &M::prompt_length);
  out.histogram("vllm:request_generation_tokens", "Tokens of an answer.", &M::answer_length);
  out.histogram("vllm:iteration_tokens_total", "Tokens computed in a step.", &M::step_length);
  out.histogram("ingle_step_seconds", "What a step takes.", &M::step);
}

// Nearly all of a step's traffic are the weights, which it reads once; dense models read all of them.
void add_traffic(EngineFamilies& out) {
  out.counter("ingle_steps_total", "Steps computed.", &EngineMetrics::steps);
  out.add("ingle_weight_bytes_read_total", "Bytes of weights that steps have read: their number times the file's size.",
          MetricType::Counter, [](const ServedModel& model, const EngineMetrics& metrics) {
            const auto bytes = static_cast<double>(model.engine->info().file_bytes);
            return counter_of(labels_of(model), static_cast<double>(metrics.steps.load()) * bytes);
          });
}

}  // namespace

ServerMetrics::ServerMetrics()
    : requests_(prometheus::BuildCounter()
                    .Name("ingle_http_requests_total")
                    .Help("HTTP requests answered, by path and status.")
                    .Register(registry_)),
      refusals_(prometheus::BuildCounter()
                    .Name("ingle_key_refusals_total")
                    .Help("Requests refused for want of a key that is known, or over the limits of one.")
                    .Register(registry_)) {
  for (const char* reason : {"unknown_key", "limit"}) refusals_.Add({{"reason", reason}});
}

void ServerMetrics::count_request(std::string_view path, unsigned status) {
  requests_.Add({{"path", std::string(path)}, {"status", std::to_string(status)}}).Increment();
}

void ServerMetrics::count_refusal(const ApiError& error) {
  if (error.status == 401) refusals_.Add({{"reason", "unknown_key"}}).Increment();
  if (error.code == "rate_limit_exceeded") refusals_.Add({{"reason", "limit"}}).Increment();
}

HttpResponse ServerMetrics::response(ServedModels& models) const {
  const Models served = models.list();
  EngineFamilies engines(served);
  add_state(engines);
  add_counters(engines);
  add_histograms(engines);
  add_traffic(engines);
  std::vector<MetricFamily> own = registry_.Collect();
  std::move(own.begin(), own.end(), std::back_inserter(engines.families));
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, engines.families);
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = text.str();
  return response;
}

}  // namespace ingle
