"""serve: OpenAI's API on a tiny model, as clients see it."""
import concurrent.futures
import gzip
import json
import os
import resource
import signal
import socket
import time
import unittest

from harness import TINY, CliTest
from server_harness import Server, ServerTest, chat, events, post_bytes, read_all

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


def content(answer):
    return [choice["message"]["content"] for choice in answer["choices"]]


class ApiTest(ServerTest):
    ARGS = ("--alias", "other")

    def test_chat(self):
        answer = self.ok(CHAT, chat(model="tiny-llama"))
        self.assertEqual(answer["object"], "chat.completion")
        self.assertTrue(answer["id"].startswith("chatcmpl-"))
        self.assertTrue(answer["system_fingerprint"].startswith("fp_"))
        self.assertEqual(answer["choices"][0]["message"]["role"], "assistant")
        usage = answer["usage"]
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])
        self.assertEqual(answer["choices"][0]["finish_reason"], "length")
        self.assertEqual(usage["completion_tokens"], 12)

    def test_a_stream_says_what_the_whole_answer_does(self):
        for fields in ({}, {"n": 3}, {"stop": ["y"]}, {"logprobs": True, "top_logprobs": 2}):
            whole = self.ok(CHAT, chat(temperature=1.5, **fields))
            said = events(self.ok(CHAT, chat(temperature=1.5, stream=True, stream_options={"include_usage": True}, **fields)))
            self.assertEqual(said[-1]["choices"], [])
            self.assertEqual(said[-1]["usage"]["total_tokens"], whole["usage"]["total_tokens"])
            for choice in whole["choices"]:
                mine = [c for e in said for c in e["choices"] if c["index"] == choice["index"]]
                self.assertEqual(mine[0]["delta"], {"role": "assistant", "content": ""})
                self.assertEqual("".join(c["delta"].get("content", "") for c in mine), choice["message"]["content"])
                self.assertEqual([c["finish_reason"] for c in mine if c["finish_reason"]], [choice["finish_reason"]])
                if choice["logprobs"]:
                    tokens = [t for c in mine if c["logprobs"] for t in c["logprobs"]["content"]]
                    self.assertEqual(tokens, choice["logprobs"]["content"])
                    self.assertEqual({len(t["top_logprobs"]) for t in tokens}, {2})
        self.assertNotIn("usage", events(self.ok(CHAT, chat(stream=True)))[0])

    def test_messages_in_all_their_forms(self):
        plain = content(self.ok(CHAT, chat("a\nb")))
        parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        self.assertEqual(content(self.ok(CHAT, chat(parts))), plain)
        system, developer = ({"messages": [{"role": role, "content": "x"}, {"role": "user", "content": "y"}], "seed": 1,
                              "max_tokens": 8} for role in ("system", "developer"))
        self.assertEqual(content(self.ok(CHAT, system)), content(self.ok(CHAT, developer)))

    def test_tools(self):
        tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
        prompt = lambda **fields: self.ok(CHAT, chat(**fields))["usage"]["prompt_tokens"]
        plain = prompt()
        self.assertGreater(prompt(tools=[tool]), plain + 20)
        self.assertEqual(prompt(tools=[tool], tool_choice="none"), plain)
        body = chat(tools=[tool], temperature=1.5, n=2, parallel_tool_calls=False)
        self.assertEqual(self.answer(body, stream=True), self.answer(body, stream=False))
        call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
        history = [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": [call]},
                   {"role": "tool", "tool_call_id": "call_1", "content": "rain"}]
        self.ok(CHAT, {"messages": history, "tools": [tool], "max_tokens": 4})
        for fields, param in (({"tools": [1]}, "tools[0]"), ({"tools": [tool, tool]}, "tools"), ({"functions": []}, "functions"),
                              ({"tool_choice": "any"}, "tool_choice")):
            self.assertEqual(self.refused(400, CHAT, chat(**fields))["param"], param)

    def test_limits_of_the_answer(self):
        full = content(self.ok(CHAT, chat(temperature=0, ignore_eos=True)))[0]
        self.assertTrue(full)
        self.assertEqual(content(self.ok(CHAT, chat(temperature=0, ignore_eos=True, max_tokens=None, max_completion_tokens=12)))[0], full)
        stopped = self.ok(CHAT, chat(temperature=0, ignore_eos=True, stop=full[2:4]))
        self.assertEqual(content(stopped)[0], full[:full.index(full[2:4])])
        self.assertEqual(stopped["choices"][0]["finish_reason"], "stop")

    def test_seeds_and_choices(self):
        hot = dict(temperature=3, top_k=0, top_p=1, min_p=0)
        one, again = (content(self.ok(CHAT, chat(n=4, **hot))) for _ in range(2))
        self.assertEqual(one, again)
        self.assertEqual(len(set(one)), 4)
        self.assertEqual(content(self.ok(CHAT, chat(**hot)))[0], one[0])
        unseeded = {content(self.ok(CHAT, chat(**{**hot, "seed": None})))[0] for _ in range(4)}
        self.assertEqual(len(unseeded), 4)

    def test_completions(self):
        text = self.ok(COMPLETIONS, {"prompt": "the rain", "seed": 1})
        self.assertEqual(text["usage"]["completion_tokens"], 16)
        ids = self.ok("/tokenize", {"prompt": "the rain"})["tokens"]
        by_ids = self.ok(COMPLETIONS, {"prompt": ids, "seed": 1})
        self.assertEqual(by_ids["choices"], text["choices"])
        many = self.ok(COMPLETIONS, {"prompt": [ids, ids], "seed": 1, "n": 2})
        self.assertEqual([c["index"] for c in many["choices"]], [0, 1, 2, 3])
        self.assertEqual(many["choices"][2]["text"], text["choices"][0]["text"])
        echo = self.ok(COMPLETIONS, {"prompt": "the rain", "seed": 1, "echo": True})
        self.assertEqual(echo["choices"][0]["text"], "the rain" + text["choices"][0]["text"])
        for fields in ({}, {"echo": True}, {"logprobs": 2}):
            body = {"prompt": ["the rain", "x"], "seed": 1, **fields}
            whole, said = self.ok(COMPLETIONS, body), events(self.ok(COMPLETIONS, {**body, "stream": True}))
            for choice in whole["choices"]:
                mine = [c for e in said for c in e["choices"] if c["index"] == choice["index"]]
                self.assertEqual("".join(c["text"] for c in mine), choice["text"])
                self.assertEqual(mine[-1]["finish_reason"], choice["finish_reason"])
                if choice["logprobs"]:
                    for key, values in choice["logprobs"].items():
                        self.assertEqual([v for c in mine for v in c["logprobs"][key]], values)

    def test_a_bias_forces_a_token(self):
        forced = self.ok("/tokenize", {"prompt": "y", "add_special_tokens": False})["tokens"][-1]
        answer = self.ok(COMPLETIONS, {"prompt": "a", "logit_bias": {str(forced): 100}, "max_tokens": 3, "temperature": 0})
        self.assertEqual(answer["choices"][0]["text"], "yyy")

    def test_tokens_there_and_back(self):
        text = "the rain in Spain €"
        ids = self.ok("/tokenize", {"prompt": text, "add_special_tokens": False})
        self.assertEqual(ids["count"], len(ids["tokens"]))
        self.assertEqual(self.ok("/detokenize", {"tokens": ids["tokens"]})["prompt"].strip(), text)
        self.refused(400, "/detokenize", {"tokens": [10**30]})
        self.refused(400, "/detokenize", {"tokens": "x"})

    def test_models_and_their_names(self):
        status, _, listed = self.server.request("GET", "/v1/models")
        self.assertEqual([(m["id"], m["root"]) for m in listed["data"]], [("tiny-llama", "tiny-llama"), ("other", "tiny-llama")])
        self.assertEqual(self.server.request("GET", "/v1/models/other")[2], listed["data"][1])
        self.assertEqual(self.server.request("GET", "/v1/models/tiny-llama")[2], listed["data"][0])
        self.assertEqual(self.server.request("GET", "/v1/models/ti%6ey-llama")[0], 200)
        self.assertEqual(self.server.request("GET", "/v1/models/nobody")[0], 404)
        self.assertEqual(self.ok(CHAT, chat(model="other"))["model"], "tiny-llama")
        self.assertEqual(self.refused(404, CHAT, chat(model="gpt-4o"))["code"], "model_not_found")

    def test_health_ids_and_methods(self):
        self.assertEqual(self.server.request("GET", "/health")[2], {"status": "ok"})
        self.assertEqual(self.server.request("GET", "/ready")[0], 200)
        status, headers, body = self.server.request("HEAD", "/health")
        self.assertEqual((status, body), (200, b""))
        self.assertEqual(self.server.request("GET", "/health", headers={"X-Request-Id": "abc"})[1]["x-request-id"], "abc")
        self.assertNotIn(" ", self.server.request("GET", "/health", headers={"X-Request-Id": "a b"})[1]["x-request-id"])
        status, headers, _ = self.server.request("GET", CHAT)
        self.assertEqual((status, headers["Allow"]), (405, "POST"))
        self.assertEqual(self.server.request("DELETE", "/v1/models")[0], 405)
        self.assertEqual(self.server.request("GET", "/nothing")[0], 404)

    def test_bad_requests(self):
        table = [
            ("{", "not valid"), ("", "not valid"), ("[]", "object"), ('"x"', "object"), ('{"messages": NaN}', "not valid"),
            ('{"messages":[{"role":"user","content":"\xff"}]}'.encode("latin-1"), "not valid"),
            ('{"a":' + "[" * 100000 + "]" * 100000 + "}", "not valid"),
            ('{"a":[' + "0," * 2_000_001 + "0]}", "values"),
            ({}, "messages"), ({"messages": []}, "messages"), ({"messages": [1]}, "messages[0]"),
            ({"messages": [{"role": "king", "content": "x"}]}, "role"), ({"messages": [{"role": "user"}]}, "content"),
            ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "text only"),
            (chat(temperature="hot"), "temperature"), (chat(temperature=-1), "temperature"), (chat(temperature=True), "temperature"),
            ('{"messages":[{"role":"user","content":"x"}],"temperature":1e999}', "temperature"),
            (chat(max_tokens=0), "max_tokens"), (chat(max_tokens=1.5), "max_tokens"), (chat(max_tokens=10**40), "max_tokens"),
            (chat(n=0), "n must"), (chat(n=129), "n must"), (chat(seed="x"), "seed"), (chat(stop=[""]), "stop"), (chat(stop=3), "stop"),
            (chat(stop=["x"] * 65), "stop"), (chat(logit_bias={"x": 1}), "logit_bias"), (chat(logit_bias={"1": 101}), "logit_bias"),
            (chat(logit_bias={"99999999": 1}), "logit_bias"), (chat(stream="yes"), "stream"), (chat(model=7), "model"),
            (chat(stream_options={"include_usage": True}), "stream_options"), (chat(top_logprobs=1), "top_logprobs"),
            (chat(response_format={"type": "xml"}), "response_format"), (chat(tools={}), "tools"), (chat(tools=[1]), "tools"),
            (chat(tools=[{"type": "function", "function": {"name": "f", "parameters": []}}]), "tools[0].function.parameters"),
            (chat(tool_choice="required"), "tool_choice"), (chat(functions=[]), "functions"), (chat(n=1000), "n must"),
            ({"messages": "hi"}, "messages"), (chat(seed=2**63), "seed"), (chat(max_tokens=-1), "max_tokens"),
            (chat(stop={"a": 1}), "stop"), (chat(stop=["x" * 10**6]), "stop"), (chat(logit_bias={"-1": 1}), "logit_bias"),
            (chat(chat_template_kwargs={"messages": []}), "chat_template_kwargs"), (chat(min_tokens=20), "min_tokens"), (chat(priority=1001), "priority"), (chat(priority=0.5), "priority"),
        ]
        for body, says in table:
            error = self.refused(400, CHAT, body, says)
            self.assertEqual(error["type"], "invalid_request_error")
        for body, says in [({}, "prompt"), ({"prompt": []}, "prompt"), ({"prompt": [[]]}, "prompt"), ({"prompt": {}}, "prompt"),
                           ({"prompt": [1, "x"]}, "prompt"), ({"prompt": [-1]}, "prompt"), ({"prompt": [10**12]}, "prompt"),
                           ({"prompt": ["x"] * 129}, "prompt"), ({"prompt": "x", "suffix": "y"}, "suffix"),
                           ({"prompt": "x", "best_of": 2}, "best_of"), ({"prompt": "x", "logprobs": 99}, "logprobs")]:
            self.refused(400, COMPLETIONS, body, says)
        self.assertEqual(self.refused(400, CHAT, chat(temperature="x"))["param"], "temperature")
        self.refused(415, CHAT, json.dumps(chat()), **{"Content-Type": "text/plain"})
        self.refused(415, CHAT, gzip.compress(json.dumps(chat()).encode()), "Content-Encoding", **{"Content-Encoding": "gzip"})

    def test_unknown_fields_are_ignored_and_null_is_absent(self):
        plain = content(self.ok(CHAT, chat()))
        self.assertEqual(content(self.ok(CHAT, chat(priority=-1000, user="somebody"))), plain)
        self.assertEqual(content(self.ok(CHAT, chat(store=True, user={"a": [1]}, temperature=None, stop=None, tools=None))), plain)

    def test_a_context_that_overflows_is_refused_with_both_counts(self):
        error = self.refused(400, COMPLETIONS, {"prompt": "x " * 2000})
        self.assertEqual(error["code"], "context_length_exceeded")
        self.assertIn("512", error["message"])
        self.assertRegex(error["message"], r"has \d{4} tokens")

    def answer(self, body, stream):
        """All that a chat answer says, the same from a stream or not: by choice text, reason and log-probabilities."""
        if not stream:
            return [(c["message"]["content"], c["finish_reason"], c["logprobs"] and c["logprobs"]["content"])
                    for c in self.ok(CHAT, body)["choices"]]
        said = [c for event in events(self.ok(CHAT, {**body, "stream": True})) for c in event["choices"]]
        out = []
        for index in sorted({c["index"] for c in said}):
            mine = [c for c in said if c["index"] == index]
            scores = [t for c in mine if c["logprobs"] for t in c["logprobs"]["content"]]
            out.append(("".join(c["delta"].get("content", "") for c in mine), mine[-1]["finish_reason"], scores or None))
        return out

    def test_concurrent_answers_are_those_of_each_alone(self):
        bodies = [chat(f"{'tell me more ' * (2 * i)}{i}", seed=i, temperature=1, max_tokens=20 + 5 * i, ignore_eos=True,
                       logprobs=i % 2 == 0, top_logprobs=3 if i % 2 == 0 else None, n=1 + i % 3) for i in range(12)]
        alone = [self.answer(body, stream=False) for body in bodies]
        self.assertEqual([self.answer(body, stream=True) for body in bodies], alone)
        self.assertEqual(len({repr(answer) for answer in alone}), len(alone))
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            for turn in range(4):
                together = list(pool.map(lambda i: self.answer(bodies[i], stream=(i + turn) % 2 == 0), range(12)))
                self.assertEqual(together, alone)

    def test_pages_of_other_sites_are_refused(self):
        at = f"127.0.0.1:{self.server.port}"
        for headers, status in [({"Host": "evil.example"}, 403), ({"Host": at, "Origin": "http://evil.example"}, 403),
                                ({"Host": at, "Origin": "null"}, 403), ({"Host": at, "Origin": f"http://{at}"}, 200),
                                ({"Host": "localhost:1"}, 200), ({"Host": "[::1]:80"}, 200), ({"Host": "localhost.evil.example"}, 403),
                                ({"Host": "127.0.0.1.evil.example"}, 403), ({"Host": "host.docker.internal:11434"}, 200),
                                ({"Host": socket.gethostname()}, 200)]:
            self.assertEqual(self.server.request("GET", "/v1/models", headers=headers)[0], status, headers)

    def test_the_target_may_be_a_whole_url_whose_host_counts(self):
        for target, host, status in [("http://localhost:1/v1/models", "localhost:1", 200), ("http://localhost:1", "localhost:1", 200),
                                     ("http://localhost:1/v1/models?a=b", "evil.example", 200), ("http://localhost:1/nothing", "localhost:1", 404),
                                     ("http://evil.example/v1/models", "localhost:1", 403), ("ftp://localhost:1/v1/models", "localhost:1", 404)]:
            self.assertEqual(self.server.request("GET", target, headers={"Host": host})[0], status, target)


class ConnectionTest(ServerTest):
    ARGS = ("--max-sequences", 2, "--max-waiting", 1, "--max-body-mib", 1)

    def test_several_requests_at_once_are_answered_in_order(self):
        last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        data = post_bytes(CHAT, chat()) + post_bytes("/tokenize", {"prompt": "x"}) + last
        with self.server.raw(data) as connection:
            answer = read_all(connection)
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 3)
        self.assertLess(answer.index(b"chat.completion"), answer.index(b'"count"'))
        self.assertLess(answer.index(b'"count"'), answer.index(b'"status":"ok"'))

    def test_http_1_0_streams_end_with_the_connection(self):
        data = post_bytes(CHAT, chat(stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        with self.server.raw(data) as connection:
            answer = read_all(connection)
        self.assertNotIn(b"chunked", answer)
        self.assertTrue(answer.endswith(b"data: [DONE]\n\n"))

    def test_a_client_that_leaves_makes_room(self):
        endless = chat(max_tokens=None, ignore_eos=True, stream=True, n=3)
        for _ in range(10):
            connection = self.server.raw(post_bytes(CHAT, endless))
            self.assertIn(b"200 OK", connection.recv(100))
            connection.close()
            self.all_places_are_free()

    def all_places_are_free(self):
        until = time.monotonic() + 20
        while (status := self.server.post(CHAT, chat(n=3, max_tokens=1))[0]) == 429 and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(status, 200)

    def test_a_full_queue_is_429(self):
        endless = chat(max_tokens=None, ignore_eos=True, stream=True, n=3)
        with self.server.raw(post_bytes(CHAT, endless)) as connection:
            self.assertIn(b"200 OK", connection.recv(100))
            status, headers, answer = self.server.post(CHAT, chat())
            self.assertEqual((status, answer["error"]["code"]), (429, "queue_full"))
            self.assertGreaterEqual(int(headers["Retry-After"]), 1)
        # What could never be taken is no matter of trying again.
        self.refused(400, CHAT, chat(n=4), "3 at most")
        self.all_places_are_free()

    def test_large_requests(self):
        self.refused(413, CHAT, chat("x" * (2 << 20)))
        with self.server.raw(b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n") as connection:
            self.assertIn(b" 413 ", connection.recv(100))
        with self.server.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100000) as connection:
            self.assertIn(b" 431 ", connection.recv(100))
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        with self.server.raw(b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 17) as connection:
            self.assertIn(b" 413 ", connection.recv(100))

    def test_what_is_no_http_is_400(self):
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET\r\n\r\n", b"GET /health HTTP/2.0\r\nHost: x\r\n\r\n",
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /health HTTP/1.1\nHost: localhost\n\n", b"GET /health HTTP/1.1\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n", b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n"):
            with self.server.raw(data) as connection:
                self.assertIn(b" 400 ", read_all(connection), data)

    def test_bodies_that_two_servers_could_read_in_two_ways_are_refused(self):
        body = b'5\r\n{"a":\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
        for headers in (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 5",
                        b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 5\r\nContent-Length: 5", b"Content-Length: 5, 5",
                        b"Content-Length: +5", b"Content-Length: 0x5", b"Content-Length: 5 5", b"Content-Length:",
                        b"Content-Length: 99999999999999999999999", b"Transfer-Encoding: xchunked", b"Transfer-Encoding: identity",
                        b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: gzip\r\nContent-Length: 5",
                        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding : chunked"):
            with self.server.raw(b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n\r\n" + body) as connection:
                answer = read_all(connection)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), (headers, answer))
            self.assertEqual(answer.count(b"HTTP/1.1"), 1, (headers, answer))

    def test_chunked_bodies(self):
        head = b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        for body, says in ((b'5\r\n{"pro\r\nA;x=y\r\nmpt": "x"}\r\n0\r\nX-Trailer: 1\r\n\r\n', b" 200 "), (b"0\r\n\r\n", b" 400 "),
                           (b"x\r\n", b" 400 "), (b"-1\r\n", b" 400 "), (b"5\r\nabcdefg\r\n", b" 400 "), (b"fffffffffffffffff\r\n", b" 400 "),
                           (b"ffffffffffffffff\r\n", b" 413 "), (b"7fffffff\r\n", b" 413 "),
                           (b"1;" + b"x" * 200000 + b"\r\n", b" 4"), (b"0\r\n" + b"X: y\r\n" * 20000 + b"\r\n", b" 4")):
            with self.server.raw(head + body) as connection:
                self.assertIn(says, read_all(connection)[:40], body[:100])

    def test_a_client_that_goes_amid_its_request_harms_nobody(self):
        data = post_bytes(CHAT, chat())
        for end in range(0, len(data), 7):
            self.server.raw(data[:end]).close()
        self.ok(CHAT, chat())

    def test_many_slow_connections_cost_no_thread(self):
        tasks = lambda: len(os.listdir(f"/proc/{self.server.process.pid}/task"))
        before = tasks()
        limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(limit, 2500), most), most))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (limit, most))
        slow = [self.server.raw(b"POST /v1/chat/completions HTTP/1.1\r\nHost:") for _ in range(2000 if most >= 2500 else 300)]
        self.ok(CHAT, chat())
        self.assertEqual(tasks(), before)
        for connection in slow:
            connection.close()

    def test_a_slow_reader_holds_up_nobody(self):
        self.assert_a_slow_reader_holds_up_nobody(max_tokens=300)

    def test_expect_100_continue(self):
        data = post_bytes("/tokenize", {"prompt": "x"}, "Expect: 100-continue\r\nConnection: close\r\n")
        head, body = data.split(b"\r\n\r\n")
        with self.server.raw(head + b"\r\n\r\n") as connection:
            self.assertEqual(connection.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(body)
            self.assertIn(b'"count"', read_all(connection))


class KeyTest(ServerTest):
    ARGS = ("--api-key", "secret-1", "--api-key", "secret-2")

    def test_keys(self):
        for headers, status in [({}, 401), ({"Authorization": "Bearer secret-1"}, 200), ({"Authorization": "bearer secret-2"}, 200),
                                ({"x-api-key": "secret-2"}, 200), ({"api-key": "secret-2"}, 200), ({"api-key": "secret-3"}, 401),
                                ({"Authorization": "Bearer secret-"}, 401),
                                ({"Authorization": "Bearer secret-11"}, 401), ({"Authorization": "Bearer "}, 401),
                                ({"Authorization": "Basic secret-1"}, 401)]:
            self.assertEqual(self.server.request("GET", "/v1/models", headers=headers)[0], status, headers)
        self.assertEqual(self.refused(401, CHAT, chat())["code"], "invalid_api_key")
        self.assertEqual(self.server.request("GET", "/health")[0], 200)
        self.assertEqual(self.server.request("GET", "/nothing")[0], 401)


class KeyLimitTest(CliTest):
    def test_a_key_that_asks_for_much_leaves_room_for_others(self):
        keys = self.write("keys", b"greedy\nother\n")
        server = Server("--max-sequences", 4, "--max-waiting", 12, "--api-key-file", keys)
        post = lambda key, **fields: server.post(CHAT, chat(**fields), **{"x-api-key": key})
        self.assertEqual(post("greedy", n=15)[0], 400)
        connection = server.connect()
        endless = chat(max_tokens=None, ignore_eos=True, stream=True, n=14)
        connection.request("POST", CHAT, json.dumps(endless), {"Content-Type": "application/json", "x-api-key": "greedy"})
        self.assertEqual(connection.getresponse().status, 200)
        self.assertEqual(post("greedy", max_tokens=1)[2]["error"]["code"], "queue_full")
        self.assertEqual(post("other", max_tokens=1)[0], 200)
        connection.close()
        self.assertEqual(server.stop(), 0)

    def test_limits_of_keys(self):
        server = Server("--api-key-file", self.write("keys", b"few answers=2\nslow requests=3\nshort tokens=40\nfree\n"))
        post = lambda key, **fields: server.post(CHAT, chat(**fields), **{"x-api-key": key})
        self.assertEqual(post("few", n=2)[0], 200)
        self.assertEqual(post("few", n=3)[0], 400)
        endless = chat(max_tokens=None, ignore_eos=True, stream=True, n=2)
        connection = server.connect()
        connection.request("POST", CHAT, json.dumps(endless), {"Content-Type": "application/json", "x-api-key": "few"})
        self.assertEqual(connection.getresponse().status, 200)
        status, headers, answer = post("few")
        self.assertEqual((status, answer["error"]["code"]), (429, "rate_limit_exceeded"))
        self.assertEqual(post("free")[0], 200)
        connection.close()
        until = time.monotonic() + 20
        while (status := post("few")[0]) == 429 and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(status, 200)
        self.assertEqual([post("slow")[0] for _ in range(4)], [200, 200, 200, 429])
        self.assertEqual(server.request("GET", "/v1/models", headers={"x-api-key": "slow"})[0], 200)
        self.assertEqual(post("short", max_tokens=60, ignore_eos=True)[0], 200)
        status, headers, answer = post("short")
        self.assertEqual(status, 429)
        self.assertIn("40 tokens per minute", answer["error"]["message"])
        self.assertGreaterEqual(int(headers["Retry-After"]), 10)
        self.assertEqual(server.stop(), 0)


class StartAndEndTest(CliTest):
    def test_other_machines_need_a_key(self):
        self.fails("serve", TINY, "--host", "0.0.0.0", "--port", "0", says="--no-auth")
        self.fails("serve", TINY, "--api-key", "a b", says="API key")
        self.fails("serve", TINY, "--api-key", "a", "--no-auth", says="exclude")
        self.fails("serve", TINY, "--api-key-file", self.write("none", b"# nothing\n"), says="no key")
        outcome = self.ingle("serve", TINY, "--host", "not an address", "--no-auth")
        self.assertEqual(outcome.code, 1)
        self.assertIn("--host", outcome.err)

    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            outcome = self.ingle("serve", TINY, "--port", taken.getsockname()[1])
        self.assertEqual(outcome.code, 1)
        self.assertIn("can't listen", outcome.err)

    def test_keys_from_a_file(self):
        server = Server("--api-key-file", self.write("keys", b"# two\nfirst\r\n\nsecond"))
        for key, status in (("first", 200), ("second", 200), ("# two", 401)):
            self.assertEqual(server.request("GET", "/v1/models", headers={"x-api-key": key})[0], status)
        self.assertEqual(server.stop(), 0)

    def stream(self, server, **fields):
        connection = server.connect()
        connection.request("POST", CHAT, json.dumps(chat(stream=True, ignore_eos=True, **fields)), {"Content-Type": "application/json"})
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        return connection, response

    def test_a_stream_is_finished_before_the_end(self):
        server = Server()
        idle = server.raw()
        connection, response = self.stream(server, max_tokens=400)
        server.process.send_signal(signal.SIGTERM)
        said = events(response.read())
        self.assertEqual(said[-1]["choices"][0]["finish_reason"], "length")
        self.assertEqual(server.process.wait(60), 0)
        self.assertEqual(idle.recv(1), b"")
        for one in (connection, idle):
            one.close()
        server.stop()

    def test_streams_are_told_of_the_end_at_the_deadline(self):
        server = Server("--drain-seconds", "0", "--max-sequences", "1")
        # The first keeps the others from being finished in time.
        streams = [self.stream(server, max_tokens=450, n=8) for _ in range(4)]
        server.process.send_signal(signal.SIGTERM)
        ends = [events(response.read())[-1] for _, response in streams]
        self.assertEqual(ends[-1]["error"]["code"], "shutting_down")
        self.assertEqual(server.process.wait(60), 0)
        for connection, _ in streams:
            connection.close()
        server.stop()


if __name__ == "__main__":
    unittest.main()
