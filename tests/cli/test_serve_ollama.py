"""serve: Ollama's API on a tiny model, as clients see it."""
import json
import unittest

from harness import TINY, TINY_OTHER, CliTest
from server_harness import Server, ServerTest

CHAT, GENERATE = "/api/chat", "/api/generate"
DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


def lines(raw):
    return [json.loads(line) for line in raw.decode().splitlines()]


def chat(content="the rain", options=None, **fields):
    return {"model": "tiny-llama", "messages": [{"role": "user", "content": content}], "stream": False,
            "options": {"num_predict": 12, "seed": 1, **(options or {})}, **fields}


def generate(prompt="the rain", options=None, **fields):
    return {"model": "tiny-llama", "prompt": prompt, "stream": False,
            "options": {"num_predict": 12, "seed": 1, **(options or {})}, **fields}


class OllamaTest(ServerTest):
    def refused(self, status, path, body, says="", method="POST", **headers):
        got, _, answer = self.server.request(method, path, body, headers)
        self.assertEqual(got, status, f"{str(body)[:300]}: {answer}")
        self.assertEqual(set(answer), {"error"})
        self.assertIn(says, answer["error"])
        return answer["error"]


class AnswerTest(OllamaTest):
    def test_chat(self):
        answer = self.ok(CHAT, chat())
        self.assertEqual(answer["message"]["role"], "assistant")
        self.assertEqual((answer["model"], answer["done"], answer["done_reason"]), ("tiny-llama", True, "length"))
        self.assertEqual(answer["eval_count"], 12)
        self.assertGreater(answer["prompt_eval_count"], 0)
        for name in DURATIONS:
            self.assertIsInstance(answer[name], int)
        self.assertGreaterEqual(answer["total_duration"], answer["prompt_eval_duration"] + answer["eval_duration"])

    def test_a_stream_says_what_the_whole_answer_does_and_is_the_default(self):
        for path, body, say in ((CHAT, chat(), lambda line: line["message"]["content"]), (GENERATE, generate(), lambda line: line["response"])):
            whole = self.ok(path, body)
            for stream in (True, None):
                said = lines(self.ok(path, {**body, "stream": stream}))
                self.assertEqual([line["done"] for line in said], [False] * (len(said) - 1) + [True])
                self.assertGreaterEqual(len(said), 2)
                self.assertEqual("".join(map(say, said)), say(whole))
                self.assertEqual(said[-1]["eval_count"], whole["eval_count"])
                self.assertEqual(said[-1]["done_reason"], whole["done_reason"])
                self.assertNotIn("eval_count", said[0])
        status, headers, _ = self.server.post(CHAT, chat(stream=True))
        self.assertEqual(headers["Content-Type"], "application/x-ndjson")

    def test_the_answers_are_those_of_the_other_apis(self):
        openai = self.ok("/v1/chat/completions", {"messages": chat()["messages"], "max_tokens": 12, "seed": 1, "temperature": 1.5})
        mine = self.ok(CHAT, chat(options={"temperature": 1.5}))
        self.assertEqual(mine["message"]["content"], openai["choices"][0]["message"]["content"])
        raw = self.ok(GENERATE, generate(raw=True))
        plain = self.ok("/v1/completions", {"prompt": "the rain", "max_tokens": 12, "seed": 1})
        self.assertEqual(raw["response"], plain["choices"][0]["text"])
        self.assertEqual(self.ok(GENERATE, generate())["response"], self.ok(CHAT, chat())["message"]["content"])
        system = self.ok(GENERATE, generate(system="x"))
        both = chat()
        both["messages"].insert(0, {"role": "system", "content": "x"})
        self.assertEqual(system["response"], self.ok(CHAT, both)["message"]["content"])

    def test_options(self):
        full = self.ok(CHAT, chat(options={"temperature": 0}))["message"]["content"]
        stopped = self.ok(CHAT, chat(options={"temperature": 0, "stop": [full[2:4]]}))
        self.assertEqual(stopped["message"]["content"], full[:full.index(full[2:4])])
        self.assertEqual(stopped["done_reason"], "stop")
        hot = {"temperature": 3, "top_k": 0, "top_p": 1, "min_p": 0}
        drawn = {self.ok(CHAT, chat(options={**hot, "seed": seed}))["message"]["content"] for seed in (-1, -1, None, 7, 7)}
        self.assertEqual(len(drawn), 4)
        loading = dict(num_ctx=10**6, num_keep=3, num_gpu=1, num_thread=2, use_mmap=True, low_vram=False, numa=False)
        self.assertEqual(self.ok(CHAT, chat(options={"temperature": 0, **loading}))["message"]["content"], full)
        self.assertEqual(self.ok(CHAT, chat(options={"temperature": 0, "mirostat": 0, "tfs_z": 1.0}))["message"]["content"], full)
        endless = self.ok(CHAT, chat(options={"num_predict": -1}))
        if endless["done_reason"] == "length":
            self.assertEqual(endless["eval_count"] + endless["prompt_eval_count"], 512)

    def test_log_probabilities(self):
        openai = self.ok("/v1/chat/completions", {"messages": chat()["messages"], "max_tokens": 12, "seed": 1, "logprobs": True, "top_logprobs": 2})
        expected = openai["choices"][0]["logprobs"]["content"]
        asked = {"logprobs": True, "top_logprobs": 2}
        self.assertEqual(self.ok(CHAT, chat(**asked))["logprobs"], expected)
        self.assertEqual(self.ok(GENERATE, generate(**asked))["logprobs"], expected)
        said = lines(self.ok(CHAT, chat(**asked, stream=True)))
        self.assertEqual([token for line in said for token in line.get("logprobs", [])], expected)

    def test_tools_go_to_the_template(self):
        tool = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}}
        self.assertGreater(self.ok(CHAT, chat(tools=[tool]))["prompt_eval_count"], self.ok(CHAT, chat())["prompt_eval_count"])
        self.assertEqual(self.ok(CHAT, chat(tools=[], think=False))["message"], self.ok(CHAT, chat())["message"])

    def test_a_context_goes_on(self):
        first = self.ok(GENERATE, generate())
        self.assertEqual(len(first["context"]), first["prompt_eval_count"] + first["eval_count"])
        next_one = self.ok(GENERATE, generate("more", context=first["context"]))
        self.assertGreater(next_one["prompt_eval_count"], len(first["context"]))
        self.assertEqual(next_one["context"][:len(first["context"])], first["context"])
        self.refused(400, GENERATE, generate(context=[-1]), "context")
        self.refused(400, GENERATE, generate(context="x"), "context")
        self.assertNotIn("context", self.ok(GENERATE, generate(raw=True)))

    def test_names_and_loading(self):
        for name in ("tiny-llama", "tiny-llama:latest"):
            self.assertEqual(self.ok(CHAT, chat(model=name))["model"], name)
        self.refused(404, CHAT, chat(model="tiny-llama:7b"), "tiny-llama:7b")
        for body, reason in (({"model": "tiny-llama"}, "load"), ({"model": "tiny-llama", "prompt": "", "keep_alive": 0}, "unload"),
                             ({"name": "tiny-llama", "keep_alive": "5m"}, "load"), ({"model": "tiny-llama", "keep_alive": "0s"}, "unload")):
            answer = self.ok(GENERATE, body)
            self.assertEqual((answer["response"], answer["done"], answer["done_reason"]), ("", True, reason))
        self.assertEqual(self.ok(CHAT, {"model": "tiny-llama", "messages": []})["done_reason"], "load")

    def test_messages(self):
        call = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}
        result = {"role": "tool", "tool_name": "f", "content": "4"}
        answer = self.ok(CHAT, {**chat(), "messages": [{"role": "user", "content": "x", "images": []}, call, result]})
        self.assertTrue(answer["done"])
        thought = {"role": "assistant", "content": "y", "thinking": "hm", "tool_calls": []}
        self.ok(CHAT, {**chat(), "messages": [{"role": "user", "content": "x"}, thought, {"role": "user", "content": "z"}]})

    def test_a_last_message_of_the_assistant_is_continued(self):
        messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "the rain"}]
        mine = self.ok(CHAT, {**chat(), "messages": messages})
        openai = self.ok("/v1/chat/completions", {"messages": messages, "max_tokens": 12, "seed": 1, "add_generation_prompt": False, "continue_final_message": True})
        self.assertEqual(mine["message"]["content"], openai["choices"][0]["message"]["content"])
        self.assertEqual(mine["prompt_eval_count"], openai["usage"]["prompt_tokens"])

    def test_bad_requests(self):
        for body, says in ((chat(options={"temperature": "hot"}), "temperature"), (chat(options={"num_predict": -3}), "num_predict"),
                           (chat() | {"options": 7}, "options"), (chat(options={"mirostat": 2}), "mirostat"), (chat(options={"tfs_z": 0.5}), "tfs_z"),
                           (chat(options={"stop": [""]}), "stop"), (chat(options={"seed": "x"}), "seed"), (chat(options={"top_p": 2}), "options.top_p must be"),
                           (chat(format="yaml"), "format"), (chat(think="hard"), "think"), (chat(stream="yes"), "stream"), (chat(logprobs=3), "logprobs"), (chat(top_logprobs=2), "top_logprobs"), (chat(think=True), "think"),
                           (chat(tools={}), "tools"), (chat(tools=[1]), "tools[0]"), (chat(keep_alive=[]), "keep_alive"), (chat(keep_alive="soon"), "keep_alive"),
                           (chat() | {"messages": "x"}, "messages"), (chat() | {"messages": [1]}, "messages[0]"),
                           (chat() | {"messages": [{"role": "user", "content": "x", "images": ["aGk="]}]}, "messages[0].images"),
                           (chat() | {"messages": [{"role": "king", "content": "x"}]}, "role"), (chat(model=7), "model"),
                           ("{", "not valid"), ("[]", "object"), (chat("x " * 2000), "This model's maximum context length is 512 tokens. However, the prompt has")):
            self.refused(400, CHAT, body, says)
        for body, says in ((generate(images=["aGk="]), "images"), (generate(template="{{ .Prompt }}"), "template"), (generate(7), "prompt"),
                           (generate(raw=True, system="x"), "system"), (generate(raw="yes"), "raw")):
            self.refused(400, GENERATE, body, says)
        self.refused(413, CHAT, chat("x" * (17 << 20)))
        self.refused(405, CHAT, None, "POST", method="GET")
        self.refused(404, "/api/nothing", {})
        self.refused(415, CHAT, json.dumps(chat()), **{"Content-Type": "text/html"})

    def test_what_curl_and_fetch_send(self):
        for label in ("application/x-www-form-urlencoded", "text/plain;charset=UTF-8"):
            self.assertTrue(self.ok(GENERATE, json.dumps(generate()), **{"Content-Type": label})["done"])


class EmbedTest(OllamaTest):
    def test_embeddings_are_those_of_the_other_api(self):
        texts = ["the rain", "in Spain", "the rain"]
        openai = [entry["embedding"] for entry in self.ok("/v1/embeddings", {"input": texts})["data"]]
        mine = self.ok("/api/embed", {"model": "tiny-llama", "input": texts, "keep_alive": "5m", "options": {"num_ctx": 2048}})
        self.assertEqual(mine["embeddings"], openai)
        self.assertEqual(mine["model"], "tiny-llama")
        self.assertGreater(mine["prompt_eval_count"], 3)
        self.assertIsInstance(mine["total_duration"], int)
        self.assertEqual(self.ok("/api/embed", {"model": "tiny-llama", "input": texts[1]})["embeddings"], openai[1:2])
        one = self.ok("/api/embeddings", {"model": "tiny-llama", "prompt": texts[0]})["embedding"]
        length = sum(x * x for x in one) ** 0.5
        for a, b in zip(one, openai[0], strict=True):
            self.assertAlmostEqual(a / length, b, places=5)
        for nothing in ({}, {"input": ""}, {"input": []}, {"input": None}):
            self.assertEqual(self.ok("/api/embed", {"model": "tiny-llama", **nothing})["embeddings"], [])
        self.assertEqual(self.ok("/api/embeddings", {"model": "tiny-llama"})["embedding"], [])

    def test_what_is_wrong(self):
        long = "x " * 2000
        self.assertEqual(len(self.ok("/api/embed", {"model": "tiny-llama", "input": long})["embeddings"]), 1)
        for body, says in (({"input": long, "truncate": False}, "maximum context length is 512 tokens. However, input 0 has"), ({"input": 3}, "input"), ({"input": ["x", 3]}, "input"), ({"input": {}}, "input"),
                           ({"input": ["x"] * 2049}, "2048"), ({"input": "x", "dimensions": 1}, "dimensions"), ({"input": "x", "truncate": 1}, "truncate")):
            self.refused(400, "/api/embed", body, says)
        self.refused(400, "/api/embeddings", {"prompt": 3}, "prompt")
        self.refused(404, "/api/embed", {"model": "nobody", "input": "x"}, "nobody")


class ModelsTest(CliTest):
    def setUp(self):
        super().setUp()
        self.ok("import", TINY, "--name", "tiny")
        self.ok("import", TINY_OTHER, "--name", "other:7b")

    def serve(self, *args, model="tiny"):
        server = Server(*args, model=model, env={"INGLE_HOME": str(self.home)})
        self.addCleanup(server.stop)
        return server

    def names(self, server):
        return [model["name"] for model in server.request("GET", "/api/tags")[2]["models"]]

    def test_list_show_and_ps(self):
        server = self.serve()
        tags = server.request("GET", "/api/tags")[2]["models"]
        self.assertEqual([m["model"] for m in tags], ["other:7b", "tiny:latest"])
        for model in tags:
            self.assertRegex(model["digest"], "^[0-9a-f]{64}$")
            self.assertRegex(model["modified_at"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
            self.assertGreater(model["size"], 1000)
        for name, family in (("tiny", "llama"), ("tiny:latest", "llama"), ("other:7b", "qwen2")):
            status, _, shown = server.post("/api/show", {"model": name})
            self.assertEqual(status, 200, shown)
            self.assertEqual(shown["details"]["family"], family)
            self.assertEqual(shown["model_info"]["general.architecture"], family)
            self.assertIsNone(shown["model_info"]["tokenizer.ggml.tokens"])
            self.assertNotIn("tokenizer.chat_template", shown["model_info"])
            self.assertIn("completion", shown["capabilities"])
            self.assertIn("temperature", shown["parameters"])
        verbose = server.post("/api/show", {"model": "tiny", "verbose": True})[2]["model_info"]
        self.assertEqual(len(verbose["tokenizer.ggml.tokens"]), verbose["llama.vocab_size"])
        self.assertEqual(server.post("/api/show", {"model": "tiny", "verbose": 1})[0], 400)
        self.assertEqual(server.post("/api/show", {"name": "nobody"})[0], 404)
        self.assertEqual(server.post("/api/show", {"name": "hf.co/who/../../x"})[0], 404)
        self.assertEqual(server.post("/api/show", {})[0], 400)
        running = server.request("GET", "/api/ps")[2]["models"]
        self.assertEqual([(m["name"], m["context_length"], m["size_vram"]) for m in running], [("tiny:latest", 512, 0)])
        self.assertRegex(server.request("GET", "/api/version")[2]["version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual(server.request("GET", "/")[0], 200)
        self.assertEqual(server.request("HEAD", "/")[::2], (200, b""))

    def test_copies_and_deletes(self):
        server = self.serve()
        self.assertEqual(server.post("/api/copy", {"source": "tiny", "destination": "mine:v1"})[0], 200)
        self.assertEqual(self.names(server), ["mine:v1", "other:7b", "tiny:latest"])
        self.assertTrue(server.post("/api/generate", {"model": "mine:v1", "prompt": "x", "stream": False, "options": {"num_predict": 1}})[2]["done"])
        self.assertEqual(server.post("/api/generate", {"model": "other:7b", "prompt": "x"})[0], 404)
        for body, status in (({"source": "nobody", "destination": "x"}, 404), ({"source": "tiny", "destination": "other:7b"}, 400),
                             ({"source": "tiny", "destination": "../x"}, 400), ({"source": "tiny"}, 400), ({"destination": "x"}, 400)):
            self.assertEqual(server.post("/api/copy", body)[0], status, body)
        for name, status in (("mine:v1", 200), ("mine:v1", 404), ("tiny", 400), ("TINY:Latest", 400), ("../x", 404), ("other:7b", 200), ("", 400)):
            self.assertEqual(server.request("DELETE", "/api/delete", {"model": name})[0], status, name)
        self.assertEqual(self.names(server), ["tiny:latest"])
        self.assertEqual(len(list((self.home / "blobs").iterdir())), 1)

    def test_a_model_by_its_path_is_listed_too(self):
        server = self.serve(model=TINY)
        self.assertEqual(sorted(self.names(server)), ["other:7b", "tiny-llama:latest", "tiny:latest"])
        self.assertEqual(server.post("/api/show", {"model": "tiny-llama"})[0], 200)

    def test_who_may_manage(self):
        keys = self.write("keys", b"user\nowner manage\n")
        server = self.serve("--api-key-file", keys)
        copy = {"source": "tiny", "destination": "mine"}
        for key, status in (("", 401), ("user", 403), ("owner", 200)):
            status_given, _, answer = server.post("/api/copy", copy, Authorization=f"Bearer {key}")
            self.assertEqual(status_given, status)
            if status != 200:
                self.assertEqual(set(answer), {"error"})
        self.assertEqual(server.request("DELETE", "/api/delete", {"model": "mine"}, {"x-api-key": "user"})[0], 403)
        self.assertEqual(server.request("DELETE", "/api/delete", {"model": "mine"}, {"x-api-key": "owner"})[0], 200)


if __name__ == "__main__":
    unittest.main()
