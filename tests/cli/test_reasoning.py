"""serve: a model that thinks first, its thoughts counted and bounded, in each API's words."""
import json
import pathlib
import tempfile
import unittest

from harness import TINY
from server_harness import Server, ServerTest, chat, events

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"n": {"enum": [1, 2]}},
                                                                         "required": ["n"], "additionalProperties": False}}}]


def thinking_model(folder):
    """The tiny model with another chat template, of the same length, which opens the reasoning of every answer."""
    data = TINY.read_bytes()
    begin = data.index(b"{% for message in messages %}")
    end = data.index(b"{% endif %}", begin)
    template = data[begin:end].replace(b"message in", b"m in").replace(b"message[", b"m[").replace(b"assistant:", b"assistant:<think>")
    template += b"{% endif"
    path = pathlib.Path(folder) / "thinker.gguf"
    path.write_bytes(data[:begin] + template.ljust(end - begin + len(b"{% endif ")) + data[end + len(b"{% endif "):])
    return path


class ReasoningTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            cls.server = Server("--context", 2048, model=thinking_model(folder))

    def ask(self, path=CHAT, **fields):
        return self.ok(path, chat(**{"max_tokens": 40, "ignore_eos": True, "logprobs": True, **fields}))

    def end(self):
        """The names of the tokens that end the reasoning."""
        ids = self.ok("/tokenize", {"prompt": "</think>\n\n", "add_special_tokens": False})["tokens"]
        return [self.ok("/detokenize", {"tokens": [one]})["prompt"] for one in ids]

    @staticmethod
    def names(choice):
        return [token["token"] for token in choice["logprobs"]["content"]]

    @staticmethod
    def reasoning_tokens(answer):
        return answer["usage"]["completion_tokens_details"]["reasoning_tokens"]

    def test_reasoning_is_counted(self):
        answer = self.ask()
        self.assertEqual(answer["choices"][0]["message"]["content"], "")
        self.assertTrue(answer["choices"][0]["message"]["reasoning_content"])
        self.assertEqual((self.reasoning_tokens(answer), answer["usage"]["completion_tokens"]), (40, 40))
        self.assertEqual(self.reasoning_tokens(self.ask(n=2)), 80)
        plain = self.ok("/v1/completions", {"prompt": "x", "max_tokens": 4, "seed": 1})
        self.assertEqual(self.reasoning_tokens(plain), 0)
        responses = self.ok(RESPONSES, {"input": "the rain", "max_output_tokens": 12, "seed": 1, "ignore_eos": True})
        self.assertEqual(responses["usage"]["output_tokens_details"], {"reasoning_tokens": 12})
        messages = self.ok(MESSAGES, {"max_tokens": 12, "seed": 1, "messages": chat()["messages"], "thinking": {"type": "adaptive"}})
        self.assertEqual(messages["usage"]["output_tokens_details"], {"thinking_tokens": messages["usage"]["output_tokens"]})

    def test_a_budget_ends_the_reasoning(self):
        free, end = self.names(self.ask()["choices"][0]), self.end()
        for name in ("thinking_budget", "thinking_token_budget"):
            for budget in (0, 1, 7):
                answer = self.ask(**{name: budget})
                choice = answer["choices"][0]
                self.assertEqual(self.names(choice)[:budget + len(end)], free[:budget] + end)
                self.assertTrue(choice["message"]["content"])
                self.assertGreaterEqual(self.reasoning_tokens(answer), budget + len(end))
                self.assertLess(self.reasoning_tokens(answer), 40)
                self.assertEqual(self.ask(**{name: budget})["choices"], answer["choices"])
                said = events(self.ask(stream=True, stream_options={"include_usage": True}, **{name: budget}))
                tokens = [t["token"] for e in said for c in e["choices"] if c["logprobs"] for t in c["logprobs"]["content"]]
                self.assertEqual(tokens, self.names(choice))
                self.assertEqual(self.reasoning_tokens(said[-1]), self.reasoning_tokens(answer))
        self.assertEqual(self.names(self.ask(thinking_budget=1000)["choices"][0]), free)
        both = self.ask(thinking_budget=3, n=2, temperature=2)["choices"]
        self.assertNotEqual(self.names(both[0]), self.names(both[1]))
        for choice in both:
            self.assertEqual(self.names(choice)[3:3 + len(end)], end)
        for wrong in (-1, "x", 1.5):
            self.assertEqual(self.refused(400, CHAT, chat(thinking_budget=wrong))["param"], "thinking_budget")

    def test_a_stream_tells_it_apart(self):
        fields = {"thinking_budget": 7, "ignore_eos": True, "seed": 1}
        message = self.ask(**fields)["choices"][0]["message"]
        deltas = [choice["delta"] for event in events(self.ask(stream=True, **fields)) for choice in event["choices"]]
        for part in ("reasoning_content", "content"):
            self.assertTrue(message[part])
            self.assertEqual("".join(delta.get(part) or "" for delta in deltas), message[part])
        first = next(i for i, delta in enumerate(deltas) if delta.get("content"))
        self.assertFalse(any(delta.get("reasoning_content") for delta in deltas[first:]))

    def test_a_form_is_kept_behind_it(self):
        answer = self.ask(thinking_budget=3, tools=TOOLS, tool_choice="required", parallel_tool_calls=False, max_tokens=400)
        [choice] = answer["choices"]
        self.assertEqual(choice["finish_reason"], "tool_calls")
        [call] = choice["message"]["tool_calls"]
        self.assertIn(json.loads(call["function"]["arguments"]), ({"n": 1}, {"n": 2}))
        self.assertGreaterEqual(self.reasoning_tokens(answer), 3 + len(self.end()))

    def test_responses(self):
        body = {"input": "the rain", "max_output_tokens": 40, "seed": 1, "ignore_eos": True, "thinking_budget": 5, "top_logprobs": 2,
                "include": ["message.output_text.logprobs", "reasoning.encrypted_content"], "reasoning": {"effort": "low"}}
        chat_answer = self.ask(thinking_budget=5, top_logprobs=2, reasoning_effort="low")
        response = self.ok(RESPONSES, body)
        self.assertEqual([item["type"] for item in response["output"]], ["reasoning", "message"])
        self.assertEqual((response["top_logprobs"], response["max_tool_calls"]), (2, None))
        count = response["usage"]["output_tokens_details"]["reasoning_tokens"]
        self.assertEqual(count, self.reasoning_tokens(chat_answer))
        [part] = response["output"][1]["content"]
        self.assertEqual(part["text"], chat_answer["choices"][0]["message"]["content"])
        self.assertEqual(part["logprobs"], chat_answer["choices"][0]["logprobs"]["content"][count:])
        said = [json.loads(block.split("\ndata: ")[1]) for block in self.ok(RESPONSES, {**body, "stream": True}).decode().split("\n\n")[:-1]]
        told = [token for e in said if e["type"] == "response.output_text.delta" for token in e["logprobs"]]
        self.assertEqual(told, part["logprobs"][:len(told)])
        self.assertGreater(len(told), len(part["logprobs"]) - 8)  # the last ones may have no text
        [done] = [e for e in said if e["type"] == "response.output_text.done"]
        self.assertEqual(done["logprobs"], part["logprobs"])
        for fields in ({"include": []}, {"include": None}, {"include": ["reasoning.encrypted_content"]}):
            self.assertEqual(self.ok(RESPONSES, {**body, **fields})["output"][1]["content"][0]["logprobs"], [])
        for fields, param in (({"include": "x"}, "include"), ({"include": [1]}, "include"), ({"top_logprobs": 21}, "top_logprobs"),
                              ({"reasoning": {"effort": "much"}}, "reasoning.effort"), ({"reasoning": {"effort": 1}}, "reasoning.effort"),
                              ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {"not": {}}}}}, "text.format.schema"),
                              ({"max_output_tokens": 0}, "max_output_tokens"), ({"tools": [{"type": "function", "name": "f g"}]}, "tools[0].name")):
            error = self.refused(400, RESPONSES, {**body, **fields}, param)
            self.assertEqual(error["param"], param)

    def test_input_tokens(self):
        body = {"input": "the rain", "instructions": "x", "max_output_tokens": 1}
        counted = self.ok("/v1/responses/input_tokens", {k: v for k, v in body.items() if k != "max_output_tokens"})
        self.assertEqual(counted, {"object": "response.input_tokens", "input_tokens": self.ok(RESPONSES, body)["usage"]["input_tokens"]})
        self.refused(400, "/v1/responses/input_tokens", {}, "input")

    def test_messages(self):
        ask = {"max_tokens": 60, "seed": 1, "messages": chat()["messages"], "thinking": {"type": "enabled", "budget_tokens": 6}}
        answer = self.ok(MESSAGES, ask)
        self.assertEqual([block["type"] for block in answer["content"]], ["thinking", "text"])
        self.assertGreaterEqual(answer["usage"]["output_tokens_details"]["thinking_tokens"], 6 + len(self.end()))
        hidden = self.ok(MESSAGES, {**ask, "thinking": {**ask["thinking"], "display": "omitted"}})
        self.assertEqual(hidden["content"], [{"type": "thinking", "thinking": "", "signature": ""}, answer["content"][1]])

    def test_ollama(self):
        ask = {"messages": chat()["messages"], "stream": False, "options": {"num_predict": 12, "seed": 1}}
        self.assertTrue(self.ok("/api/chat", {**ask, "think": True})["message"]["thinking"])


if __name__ == "__main__":
    unittest.main()
