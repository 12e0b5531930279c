"""serve: calls of tools that a tiny model is held to, in each API's words."""
import json
import unittest

from server_harness import ServerTest, chat, events

CHAT = "/v1/chat/completions"
SCHEMA = {"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
          "required": ["city", "days"], "additionalProperties": False}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": SCHEMA}},
         {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}]
NAMED = {"type": "function", "function": {"name": "weather"}}


class ToolTest(ServerTest):
    ARGS = ("--context", 2048)  # the tools in words are long for a vocabulary of bytes

    def check(self, name, arguments):
        self.assertIn(name, ("weather", "now"))
        given = json.loads(arguments)
        if name == "weather":
            self.assertEqual(list(given), ["city", "days"])
            self.assertIn(given["city"], ("Oslo", "Rome"))
            self.assertTrue(1 <= given["days"] <= 9)

    def test_calls_are_enforced(self):
        for choice in ("required", NAMED):
            for temperature in (0, 2):
                answer = self.ok(CHAT, chat(tools=TOOLS, tool_choice=choice, temperature=temperature, n=3, max_tokens=450))
                for one in answer["choices"]:
                    self.assertIsNone(one["message"]["content"])
                    calls = one["message"]["tool_calls"]
                    if one["finish_reason"] == "length":
                        calls = calls[:-1]  # cut off
                    else:
                        self.assertEqual(one["finish_reason"], "tool_calls")
                        self.assertGreaterEqual(len(calls), 1)
                    for call in calls:
                        self.assertEqual(call["type"], "function")
                        self.check(call["function"]["name"], call["function"]["arguments"])
                    self.assertEqual(len({call["id"] for call in calls}), len(calls))
                    if choice == NAMED:
                        self.assertEqual([call["function"]["name"] for call in calls], ["weather"])

    def test_a_stream_says_what_the_whole_answer_does(self):
        body = chat(tools=TOOLS, tool_choice="required", parallel_tool_calls=False, temperature=1.5, n=2, max_tokens=400)
        whole = self.ok(CHAT, body)
        said = [c for event in events(self.ok(CHAT, {**body, "stream": True})) for c in event["choices"]]
        for choice in whole["choices"]:
            mine = [c for c in said if c["index"] == choice["index"]]
            self.assertEqual("".join(c["delta"].get("content") or "" for c in mine), "")
            deltas = [d for c in mine for d in c["delta"].get("tool_calls", [])]
            self.assertEqual({d["index"] for d in deltas}, {0})
            self.assertEqual(deltas[0]["type"], "function")
            self.assertTrue(deltas[0]["id"].startswith("call_"))
            self.assertTrue(all("id" not in d for d in deltas[1:]))
            call, = choice["message"]["tool_calls"]
            self.assertEqual(deltas[0]["function"]["name"], call["function"]["name"])
            self.assertEqual("".join(d["function"]["arguments"] for d in deltas), call["function"]["arguments"])
            self.assertEqual([c["finish_reason"] for c in mine if c["finish_reason"]], ["tool_calls"])
            if call["function"]["name"] == "weather":
                self.assertGreater(len(deltas), 3)  # they come as they are written

    def test_a_call_that_is_cut_off(self):
        cut = self.ok(CHAT, chat(tools=TOOLS, tool_choice=NAMED, max_tokens=3))["choices"][0]
        self.assertEqual(cut["finish_reason"], "length")

    def test_what_cannot_be_enforced_is_refused(self):
        schema = {"type": "object", "properties": {"a": {"not": {"type": "string"}}}}
        tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
        self.assertEqual(self.refused(400, CHAT, chat(tools=[tool], tool_choice="required"), "not")["param"], "tools")
        self.ok(CHAT, chat(tools=[tool]))
        self.refused(400, CHAT, chat(tool_choice="required"), "no tools")
        self.refused(400, CHAT, chat(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "x"}}), "not among")

    def test_anthropics_words(self):
        tools = [{"name": "weather", "input_schema": SCHEMA}]
        answer = self.ok("/v1/messages", {"messages": [{"role": "user", "content": "x"}], "max_tokens": 400, "tools": tools,
                                          "tool_choice": {"type": "any", "disable_parallel_tool_use": True}, "seed": 1})
        block, = answer["content"]
        self.assertEqual((block["type"], answer["stop_reason"]), ("tool_use", "tool_use"))
        self.check(block["name"], json.dumps(block["input"]))


if __name__ == "__main__":
    unittest.main()
