"""serve: what /metrics says, read as Prometheus does."""
import json
import re
import time
import unittest

from harness import CliTest
from server_harness import Server, ServerTest, chat

CHAT = "/v1/chat/completions"
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\.)*)"')


def parse(text):
    """{(name, labels): value} of a text in Prometheus' format, and {name: type}."""
    samples, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"{name} twice"
            types[name] = kind
        elif not line.startswith("#"):
            found = SAMPLE.match(line)
            assert found, line
            labels = frozenset(LABEL.findall(found.group(2) or ""))
            assert (found.group(1), labels) not in samples, line
            samples[found.group(1), labels] = float(found.group(3))
    for name, _ in samples:
        assert name in types or re.sub("_(bucket|sum|count)$", "", name) in types, name
    return samples, types


class MetricsTest(ServerTest):
    def scrape(self):
        status, headers, body = self.server.request("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        return parse(body.decode())

    def value(self, name, **labels):
        wanted = {"model_name": "tiny-llama", "engine": "0", **labels} if name.startswith("vllm:") else labels
        return self.scrape()[0][name, frozenset(wanted.items())]

    def test_all_that_gateways_look_for_is_there(self):
        self.ok(CHAT, chat())
        samples, types = self.scrape()
        names = {name for name, _ in samples}
        for kind, wanted in {
            "gauge": ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc",
                      "vllm:cache_config_info", "vllm:lora_requests_info"),
            "counter": ("vllm:prompt_tokens_total", "vllm:generation_tokens_total", "vllm:request_success_total",
                        "vllm:num_preemptions_total", "vllm:prefix_cache_queries_total", "vllm:prefix_cache_hits_total",
                        "ingle_http_requests_total", "ingle_key_refusals_total", "ingle_steps_total"),
            "histogram": ("vllm:time_to_first_token_seconds", "vllm:inter_token_latency_seconds",
                          "vllm:time_per_output_token_seconds", "vllm:e2e_request_latency_seconds",
                          "vllm:request_queue_time_seconds", "ingle_step_seconds"),
        }.items():
            for name in wanted:
                self.assertEqual(types.get(name), kind, name)
                self.assertIn(name + "_count" if kind == "histogram" else name, names)
        info = next(dict(labels) for name, labels in samples if name == "vllm:cache_config_info")
        self.assertEqual(info["block_size"], "32")
        self.assertGreater(int(info["num_gpu_blocks"]), 0)

    def test_numbers_follow_what_happens(self):
        counters = {"vllm:generation_tokens_total": 12, "vllm:time_to_first_token_seconds_count": 1,
                    "vllm:inter_token_latency_seconds_count": 11, "vllm:e2e_request_latency_seconds_count": 1,
                    "vllm:request_queue_time_seconds_count": 1}
        before = {name: self.value(name) for name in counters}
        prompts = self.value("vllm:prompt_tokens_total")
        ends = self.value("vllm:request_success_total", finished_reason="length")
        answer = self.ok(CHAT, chat(ignore_eos=True))
        for name, more in counters.items():
            self.assertEqual(self.value(name) - before[name], more, name)
        self.assertEqual(self.value("vllm:prompt_tokens_total") - prompts, answer["usage"]["prompt_tokens"])
        self.assertEqual(self.value("vllm:request_success_total", finished_reason="length") - ends, 1)
        self.assertEqual(self.value("vllm:num_requests_running"), 0)
        self.assertEqual(self.value("vllm:kv_cache_usage_perc"), 0)

    def test_hits_are_those_of_the_answers(self):
        text = "once more " * 30
        self.ok(CHAT, chat(text))
        hits, queries = (self.value(f"vllm:prefix_cache_{name}_total") for name in ("hits", "queries"))
        usage = self.ok(CHAT, chat(text))["usage"]
        self.assertGreater(usage["prompt_tokens_details"]["cached_tokens"], 0)
        self.assertEqual(self.value("vllm:prefix_cache_hits_total") - hits, usage["prompt_tokens_details"]["cached_tokens"])
        self.assertEqual(self.value("vllm:prefix_cache_queries_total") - queries, usage["prompt_tokens"])

    def test_running_answers_are_seen_and_those_cancelled_are_counted(self):
        cancelled = lambda: self.value("vllm:request_success_total", finished_reason="abort")
        before = cancelled()
        body = json.dumps(chat(stream=True, max_tokens=None, ignore_eos=True, n=40)).encode()
        with self.server.raw(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body) as client:
            self.assertIn(b" 200 ", client.recv(100))
            samples = self.scrape()[0]
            labels = frozenset({("model_name", "tiny-llama"), ("engine", "0")})
            running, waiting = (samples[f"vllm:num_requests_{state}", labels] for state in ("running", "waiting"))
            self.assertLessEqual(running, 32)
            self.assertGreater(running + waiting, 0)
        until = time.monotonic() + 20
        while self.value("vllm:num_requests_running") + self.value("vllm:num_requests_waiting") > 0:
            self.assertLess(time.monotonic(), until)
        self.assertGreater(cancelled(), before)

    def test_histograms_are_cumulative(self):
        self.ok(CHAT, chat())
        samples, types = self.scrape()
        for name in (n for n, kind in types.items() if kind == "histogram"):
            buckets = sorted((float(dict(labels)["le"]), value) for (n, labels), value in samples.items() if n == name + "_bucket")
            values = [value for _, value in buckets]
            self.assertEqual(values, sorted(values), name)
            self.assertEqual(buckets[-1][0], float("inf"))
            self.assertEqual([v for (n, _), v in samples.items() if n == name + "_count"], [values[-1]], name)

    def test_paths_are_bounded_whatever_is_asked_for(self):
        for i in range(20):
            self.server.request("GET", f"/nothing-{i}")
        self.server.request("GET", "/v1/models/x")
        self.assertGreaterEqual(self.value("ingle_http_requests_total", path="other", status="404"), 20)
        paths = {dict(labels)["path"] for name, labels in self.scrape()[0] if name == "ingle_http_requests_total"}
        self.assertIn("/v1/models/", paths)
        self.assertFalse([path for path in paths if "nothing" in path])


class AccessTest(CliTest):
    def test_metrics_need_a_key_where_there_are_keys(self):
        server = Server("--api-key", "secret")
        self.addCleanup(server.stop)
        scrape = lambda **headers: server.request("GET", "/metrics", headers=headers)
        self.assertEqual(scrape()[0], 401)
        self.assertEqual(scrape(Authorization="Bearer wrong")[0], 401)
        status, _, body = scrape(Authorization="Bearer secret")
        self.assertEqual(status, 200)
        self.assertEqual(parse(body.decode())[0]["ingle_key_refusals_total", frozenset({("reason", "unknown_key")})], 2)
        self.assertEqual(server.stop(), 0)
        server = Server("--api-key", "secret", "--open-metrics")
        self.addCleanup(server.stop)
        self.assertEqual(server.request("GET", "/metrics")[0], 200)
        self.assertEqual(server.request("GET", "/v1/models")[0], 401)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
