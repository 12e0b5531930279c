"""serve: Anthropic's Messages API on a tiny model, as clients see it."""
import json
import unittest

from server_harness import ServerTest

MESSAGES, COUNT = "/v1/messages", "/v1/messages/count_tokens"


def ask(content="the rain", **fields):
    return {"model": "tiny-llama", "max_tokens": 12, "seed": 1, "messages": [{"role": "user", "content": content}], **fields}


def turns(*given):
    return [{"role": role, "content": content} for role, content in given]


def events(raw):
    """(name, data) of each event; the data names itself too."""
    out = []
    for text in raw.decode().split("\n\n")[:-1]:
        name, data = text.split("\n")
        data = json.loads(data.removeprefix("data: "))
        assert name == f"event: {data['type']}", text
        out.append(data)
    return out


def text_of(answer):
    return "".join(block["text"] for block in answer["content"])


class MessagesTest(ServerTest):
    def refused(self, status, path, body, says="", kind="invalid_request_error", method="POST", **headers):
        got, headers_back, answer = self.server.request(method, path, body, headers)
        self.assertEqual(got, status, f"{str(body)[:300]}: {answer}")
        self.assertEqual((set(answer), answer["type"]), ({"type", "error", "request_id"}, "error"))
        self.assertEqual(answer["error"]["type"], kind)
        self.assertIn(says, answer["error"]["message"])
        self.assertEqual(answer["request_id"], headers_back["request-id"])

    def test_a_message(self):
        answer = self.ok(MESSAGES, ask())
        self.assertTrue(answer["id"].startswith("msg_"))
        self.assertEqual((answer["type"], answer["role"], answer["model"]), ("message", "assistant", "tiny-llama"))
        self.assertEqual([block["type"] for block in answer["content"]], ["text"])
        self.assertEqual((answer["stop_reason"], answer["stop_sequence"]), ("max_tokens", None))
        self.assertEqual(answer["usage"]["output_tokens"], 12)
        counted = self.ok(COUNT, {k: v for k, v in ask().items() if k not in ("max_tokens", "seed")})
        self.assertEqual(counted["input_tokens"], answer["usage"]["input_tokens"] + answer["usage"]["cache_read_input_tokens"])
        openai = self.ok("/v1/chat/completions", {"messages": ask()["messages"], "max_tokens": 12, "seed": 1})
        self.assertEqual(text_of(answer), openai["choices"][0]["message"]["content"])

    def test_a_stream_says_what_the_message_does(self):
        for fields in ({}, {"temperature": 1}, {"stop_sequences": ["y", "e"]}):
            whole = self.ok(MESSAGES, ask(**fields))
            said = events(self.ok(MESSAGES + "?beta=true", ask(stream=True, **fields), **{"anthropic-version": "2023-06-01", "anthropic-beta": "x-1,y-2"}))
            kinds = [event["type"] for event in said]
            self.assertEqual(kinds[:3] + kinds[-3:], ["message_start", "ping", "content_block_start", "content_block_stop", "message_delta", "message_stop"])
            start = said[0]["message"]
            self.assertEqual((start["content"], start["stop_reason"], start["usage"]["output_tokens"]), ([], None, 0))
            text = "".join(e["delta"]["text"] for e in said if e["type"] == "content_block_delta")
            self.assertEqual(text, text_of(whole))
            self.assertEqual({e["index"] for e in said if "index" in e}, {0})
            self.assertEqual(said[-2]["delta"], {"stop_reason": whole["stop_reason"], "stop_sequence": whole["stop_sequence"]})
            self.assertEqual(said[-2]["usage"]["output_tokens"], whole["usage"]["output_tokens"])

    def test_the_beginning_of_an_answer_may_be_given(self):
        talk = turns(("user", "the rain"), ("assistant", "in Sp"))
        mine = self.ok(MESSAGES, ask(messages=talk))
        openai = self.ok("/v1/chat/completions", {"messages": talk, "max_tokens": 12, "seed": 1, "continue_final_message": True, "add_generation_prompt": False})
        self.assertEqual(text_of(mine), openai["choices"][0]["message"]["content"])

    def test_stop_sequences(self):
        full = text_of(self.ok(MESSAGES, ask(temperature=0)))
        answer = self.ok(MESSAGES, ask(temperature=0, stop_sequences=["never there", full[3:6]]))
        self.assertEqual((answer["stop_reason"], answer["stop_sequence"]), ("stop_sequence", full[3:6]))
        self.assertEqual(text_of(answer), full[:full.index(full[3:6])])

    def same(self, *bodies):
        """All of them are the same prompt to the model."""
        counts = {self.ok(COUNT, body)["input_tokens"] for body in bodies}
        self.assertEqual(len(counts), 1)
        self.assertEqual(len({text_of(self.ok(MESSAGES, body)) for body in bodies}), 1)

    def test_blocks_say_what_texts_do(self):
        text = lambda words, **more: {"type": "text", "text": words, **more}
        self.same(ask("a\nb"), ask([text("a"), text("b", cache_control={"type": "ephemeral"})]),
                  ask(messages=turns(("user", "a"), ("user", [text("b")]))))
        system = [{"role": "system", "content": "x\ny"}, {"role": "user", "content": "z"}]
        self.same(ask("z", system="x\ny"), ask("z", system=[text("x", cache_control={"type": "ephemeral", "ttl": "1h"}), text("y")]), ask(messages=system))
        talk = turns(("user", "a"), ("assistant", "b"), ("user", "c"))
        self.same(ask(messages=talk), ask(messages=turns(("user", "a"), ("assistant", [text("b"), {"type": "redacted_thinking", "data": "xx"}]), ("user", "c"))))
        plain = ask()
        self.same(plain, {**plain, "metadata": {"user_id": "u"}, "service_tier": "auto", "context_management": {"edits": []}, "tools": [],
                          "thinking": {"type": "disabled"}, "mcp_servers": [], "unknown": {"x": [1]}, "top_k": None})

    def test_calls_and_results_in_the_history(self):
        use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
        for content in ("4", [{"type": "text", "text": "4"}], None, []):
            result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, "is_error": False}
            history = turns(("user", "x"), ("assistant", [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "y"}, use]),
                            ("user", [result, {"type": "text", "text": "z"}]))
            self.assertTrue(self.ok(MESSAGES, ask(messages=history))["id"])

    def test_tools_go_to_the_template(self):
        tool = {"name": "f", "description": "d", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}
        count = lambda **fields: self.ok(COUNT, ask(**fields))["input_tokens"]
        self.assertGreater(count(tools=[tool]), count())
        self.assertEqual(count(tools=[tool], tool_choice={"type": "none"}), count())
        self.assertTrue(self.ok(MESSAGES, ask(tools=[{**tool, "type": "custom"}], tool_choice={"type": "auto", "disable_parallel_tool_use": True}))["id"])

    def test_a_request_as_claude_code_sends_it(self):
        cached = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
        schema = {"$schema": "x", "type": "object", "additionalProperties": False}
        use = {"type": "tool_use", "id": "toolu_01", "name": "Read", "input": {"path": "a.c"}}
        body = {"model": "tiny-llama", "max_tokens": 32000, "stream": True, "temperature": 1, "metadata": {"user_id": "user_1_account__session_2"},
                "system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", **cached}],
                "tools": [{"name": "Read", "description": "Reads", "input_schema": schema}],
                "thinking": {"type": "enabled", "budget_tokens": 31999}, "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
                "messages": turns(("user", [{"type": "text", "text": "<system-reminder>"}, {"type": "text", "text": "Fix it.", **cached}]),
                                  ("assistant", [{"type": "thinking", "thinking": "c", "signature": "EqQ="}, use]),
                                  ("user", [{"type": "tool_result", "tool_use_id": "toolu_01", "content": "int x", "is_error": False, **cached}]))}
        headers = {"x-api-key": "any", "anthropic-version": "2023-06-01", "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14", "x-app": "cli",
                   "anthropic-dangerous-direct-browser-access": "true", "x-stainless-lang": "js", "x-stainless-retry-count": "0", "Accept": "application/json"}
        said = events(self.ok(MESSAGES + "?beta=true", body, **headers))
        self.assertEqual((said[0]["type"], said[-1]["type"]), ("message_start", "message_stop"))
        self.assertGreater(said[0]["message"]["usage"]["input_tokens"], 50)

    def test_cached_tokens_are_counted_apart(self):
        long = ask("tell me more " * 20)
        first, second = (self.ok(MESSAGES, long)["usage"] for _ in range(2))
        total = lambda usage: usage["input_tokens"] + usage["cache_read_input_tokens"]
        self.assertEqual(total(first), total(second))
        self.assertGreater(second["cache_read_input_tokens"], 0)

    def test_bad_requests(self):
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
        result = {"type": "tool_result", "tool_use_id": "1", "content": [image]}
        tool = {"name": "f", "input_schema": {"type": "object"}}
        for body, says in (
                ({k: v for k, v in ask().items() if k != "max_tokens"}, "max_tokens is missing"), (ask(max_tokens=0), "max_tokens"), (ask(max_tokens="x"), "max_tokens"),
                ({"max_tokens": 1}, "messages"), (ask(messages=[]), "messages"), (ask(messages="x"), "messages"), (ask(messages=[1]), "messages[0]"),
                (ask(messages=turns(("king", "x"))), "role"), (ask(messages=[{"role": "user"}]), "content"), (ask(3), "content"), (ask([3]), "content[0]"),
                (ask([{"type": "text"}]), "text"), (ask([image]), "text only"), (ask([{"type": "document", "source": {}}]), "text only"), (ask([result]), "text"),
                (ask([{"type": "tool_use", "id": "1", "name": "f", "input": {}}]), "not supported"), (ask([{"type": "tool_result"}]), "tool_use_id"),
                (ask(messages=turns(("user", "x"), ("assistant", [{"type": "tool_use", "id": "1", "name": "f", "input": "{}"}]), ("user", "y"))), "input"),
                (ask(system=3), "system"), (ask(system=[image]), "system[0]"),
                (ask(stop_sequences="x"), "stop_sequences"), (ask(stop_sequences=[""]), "stop_sequences"), (ask(temperature="x"), "temperature"), (ask(top_p=2), "top_p"),
                (ask(stream=1), "stream"), (ask(thinking=True), "thinking"), (ask(thinking={"type": "hard"}), "thinking"), (ask(tools=3), "tools"),
                (ask(tools=[{"type": "web_search_20250305", "name": "web_search"}]), "tools[0]"), (ask(tools=[{"name": "f"}]), "input_schema"),
                (ask(tools=[tool], tool_choice={"type": "tool"}), "tool_choice"), (ask(tools=[tool], tool_choice={"type": "never"}), "tool_choice"),
                (ask(tools=[tool], tool_choice="any"), "tool_choice"), (ask(mcp_servers=[{"url": "x"}]), "mcp_servers"),
                (ask(output_config={"format": {"type": "text"}}), "output_config"), (ask(model=7), "model"), ("{", "not valid"), ("[]", "object")):
            self.refused(400, MESSAGES, body, says)
        self.refused(400, COUNT, {"messages": []}, "messages")
        self.refused(404, MESSAGES, ask(model="claude-opus"), "claude-opus", "not_found_error")
        self.refused(404, "/v1/messages/batches", {}, "", "not_found_error")
        self.refused(413, MESSAGES, ask("x" * (17 << 20)), "larger", "request_too_large")
        self.refused(405, MESSAGES, None, "POST", method="GET")

    def test_a_prompt_that_is_too_long(self):
        self.refused(400, MESSAGES, ask("x " * 2000), "prompt is too long")
        self.assertGreater(self.ok(COUNT, ask("x " * 2000))["input_tokens"], 512)


class KeyTest(ServerTest):
    ARGS = ("--api-key", "secret")

    def test_keys(self):
        for headers, status in (({"x-api-key": "secret"}, 200), ({"Authorization": "Bearer secret"}, 200), ({}, 401), ({"x-api-key": "other"}, 401)):
            got, _, answer = self.server.post(MESSAGES, ask(), **headers)
            self.assertEqual(got, status)
            if status != 200:
                self.assertEqual(answer["error"]["type"], "authentication_error")


if __name__ == "__main__":
    unittest.main()
