"""serve: OpenAI's /v1/responses."""
import json
import unittest

from server_harness import Server, ServerTest

RESPONSES, CHAT = "/v1/responses", "/v1/chat/completions"


def ask(given="the rain", **fields):
    return {"input": given, "max_output_tokens": 12, "seed": 1, "ignore_eos": True, **fields}


def typed(raw):
    """The events of a stream: each says its type twice and has the next number."""
    out = []
    for block in raw.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        out.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {out[-1]['type']}", block
    assert [e["sequence_number"] for e in out] == list(range(len(out)))
    return out


def text(response):
    return "".join(part["text"] for item in response["output"] for part in item["content"])


class ResponsesTest(ServerTest):
    def chat(self, messages, **fields):
        body = {"messages": messages, "max_tokens": 12, "seed": 1, "ignore_eos": True, **fields}
        return self.ok(CHAT, body)

    def ending(self):
        [end] = self.ok("/tokenize", {"prompt": "<|end|>", "add_special_tokens": False})["tokens"]
        return {str(end): 100}

    def same_as_chat(self, request, messages):
        response, chat = self.ok(RESPONSES, {**ask(), **request}), self.chat(messages)
        self.assertEqual(text(response), chat["choices"][0]["message"]["content"])
        self.assertEqual(response["usage"]["input_tokens"], chat["usage"]["prompt_tokens"])
        return response

    def test_a_response(self):
        response = self.same_as_chat({}, [{"role": "user", "content": "the rain"}])
        self.assertEqual((response["object"], response["status"], response["model"]), ("response", "incomplete", "tiny-llama"))
        self.assertEqual(response["incomplete_details"], {"reason": "max_output_tokens"})
        [item] = response["output"]
        self.assertEqual((item["type"], item["role"], item["content"][0]["type"]), ("message", "assistant", "output_text"))
        usage = response["usage"]
        self.assertEqual(usage["total_tokens"], usage["input_tokens"] + usage["output_tokens"])
        self.assertEqual(usage["output_tokens"], 12)
        self.assertEqual((response["tools"], response["tool_choice"], response["parallel_tool_calls"]), ([], "auto", True))
        ended = self.ok(RESPONSES, ask(ignore_eos=False, logit_bias=self.ending(), metadata={"a": "b"}))
        self.assertEqual((ended["status"], ended["incomplete_details"], ended["metadata"]), ("completed", None, {"a": "b"}))

    def test_input_in_all_its_forms(self):
        user = [{"role": "user", "content": "the rain"}]
        for given in ("the rain", user, [{"type": "message", **user[0]}],
                      [{"role": "user", "content": [{"type": "input_text", "text": "the rain"}]}],
                      [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}, user[0]]):
            self.same_as_chat({"input": given}, user)
        system = {"role": "system", "content": "x\n\ny"}
        for role in ("system", "developer"):
            self.same_as_chat({"input": [{"role": role, "content": "y"}, user[0]], "instructions": "x"}, [system, user[0]])
        self.same_as_chat({"input": [user[0], {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
                                               "content": [{"type": "output_text", "text": "a", "annotations": []}]}, user[0]]},
                          [user[0], {"role": "assistant", "content": "a"}, user[0]])
        call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        self.same_as_chat({"input": [user[0], {"role": "assistant", "content": "a"},
                                     {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                                     {"type": "function_call_output", "call_id": "c1", "output": "b"}]},
                          [user[0], {"role": "assistant", "content": "a", "tool_calls": [call]},
                           {"role": "tool", "tool_call_id": "c1", "content": "b"}])

    def test_tells_how_it_was_sampled(self):
        self.assertEqual([self.ok(RESPONSES, ask())[name] for name in ("temperature", "top_p")], [0.8, 0.95])
        self.assertEqual(self.ok(RESPONSES, ask(temperature=0, top_p=0.5))["temperature"], 0)

    def test_a_stream_says_what_the_whole_response_does(self):
        for fields in ({}, {"ignore_eos": False, "logit_bias": self.ending()}, {"temperature": 2, "stop": ["e"]}):
            whole = self.ok(RESPONSES, ask(**fields))
            said = typed(self.ok(RESPONSES, ask(stream=True, **fields)))
            names = [e["type"].removeprefix("response.") for e in said]
            deltas = [e for e in said if e["type"] == "response.output_text.delta"]
            end = "incomplete" if whole["status"] == "incomplete" else "completed"
            self.assertEqual(names, ["created", "in_progress", "output_item.added", "content_part.added"]
                             + ["output_text.delta"] * len(deltas)
                             + ["output_text.done", "content_part.done", "output_item.done", end])
            self.assertEqual("".join(e["delta"] for e in deltas), text(whole))
            self.assertEqual(said[-4]["text"], text(whole))
            self.assertEqual(said[-2]["item"], said[-1]["response"]["output"][0])
            self.assertEqual({e["item_id"] for e in said if "item_id" in e}, {said[-2]["item"]["id"]})
            changing = ("id", "created_at", "output")
            last = said[-1]["response"]
            last["usage"]["input_tokens_details"] = whole["usage"]["input_tokens_details"]
            self.assertEqual({k: v for k, v in last.items() if k not in changing}, {k: v for k, v in whole.items() if k not in changing})
            self.assertEqual(said[0]["response"]["status"], "in_progress")
            self.assertEqual(self.server.request("GET", f"{RESPONSES}/{last['id']}")[0], 200)

    def test_a_conversation_goes_on(self):
        first = self.ok(RESPONSES, ask(instructions="x"))
        second = self.ok(RESPONSES, ask("and then", previous_response_id=first["id"], stream=True))
        second = typed(second)[-1]["response"]
        self.assertEqual(second["previous_response_id"], first["id"])
        messages = [{"role": "user", "content": "the rain"}, {"role": "assistant", "content": text(first)},
                    {"role": "user", "content": "and then"}]
        self.assertEqual(text(second), self.chat(messages)["choices"][0]["message"]["content"])
        third = self.ok(RESPONSES, ask("so", previous_response_id=second["id"]))
        messages += [{"role": "assistant", "content": text(second)}, {"role": "user", "content": "so"}]
        self.assertEqual(text(third), self.chat(messages)["choices"][0]["message"]["content"])

    def test_items_are_referred_to(self):
        first = self.ok(RESPONSES, ask())
        [item] = first["output"]
        reference = {"type": "item_reference", "id": item["id"]}
        user = {"role": "user", "content": "the rain"}
        self.same_as_chat({"input": [user, reference, user]}, [user, {"role": "assistant", "content": text(first)}, user])
        error = self.refused(404, RESPONSES, ask([user, {**reference, "id": "msg_x"}]), "msg_x")
        self.assertEqual((error["type"], error["param"]), ("invalid_request_error", "input[1]"))
        self.refused(400, RESPONSES, ask([reference, reference]), "input[1].id")
        [item] = self.ok(RESPONSES, ask(store=False))["output"]
        self.refused(404, RESPONSES, ask([{**reference, "id": item["id"]}]), item["id"])

    def test_the_tokens_of_a_conversation(self):
        messages = [{"role": "user", "content": "the rain"}]
        counted = self.ok("/tokenize", {"messages": messages, "return_token_strs": True})
        self.assertEqual(counted["count"], self.chat(messages)["usage"]["prompt_tokens"])
        self.assertEqual(len(counted["token_strs"]), counted["count"])
        self.assertEqual("".join(counted["token_strs"]), self.ok("/detokenize", {"tokens": counted["tokens"]})["prompt"])
        begun = self.ok("/tokenize", {"messages": messages, "add_generation_prompt": False})
        self.assertLess(begun["count"], counted["count"])
        self.assertNotIn("token_strs", begun)
        self.assertEqual(counted["tokens"][:begun["count"]], begun["tokens"])
        answered = messages + [{"role": "assistant", "content": "it"}]
        continued = self.ok("/tokenize", {"messages": answered, "add_generation_prompt": False, "continue_final_message": True})
        self.assertLess(continued["count"], self.ok("/tokenize", {"messages": answered, "add_generation_prompt": False})["count"])
        tools = [{"type": "function", "function": {"name": "f"}}]
        self.assertGreater(self.ok("/tokenize", {"messages": messages, "tools": tools})["count"], counted["count"])
        self.assertEqual(len(self.ok("/tokenize", {"prompt": "the", "return_token_strs": True})["token_strs"]),
                         self.ok("/tokenize", {"prompt": "the"})["count"])
        for body in ({"messages": []}, {"messages": "x"}, {"messages": messages, "return_token_strs": 1}, {"messages": answered, "continue_final_message": True, "add_generation_prompt": True}):
            self.refused(400, "/tokenize", body)

    def test_what_is_kept(self):
        kept, not_kept = self.ok(RESPONSES, ask()), self.ok(RESPONSES, ask(store=False))
        self.assertEqual((kept["store"], not_kept["store"]), (True, False))
        self.assertEqual(self.server.request("GET", f"{RESPONSES}/{kept['id']}")[2], kept)
        self.assertEqual(self.server.request("GET", f"{RESPONSES}/{not_kept['id']}")[0], 404)
        self.refused(400, RESPONSES, ask(previous_response_id=not_kept["id"]), "no response")
        gone = self.server.request("DELETE", f"{RESPONSES}/{kept['id']}")
        self.assertEqual((gone[0], gone[2]), (200, {"id": kept["id"], "object": "response", "deleted": True}))
        self.assertEqual(self.server.request("DELETE", f"{RESPONSES}/{kept['id']}")[0], 404)
        error = self.refused(400, RESPONSES, ask(previous_response_id=kept["id"]), "no response")
        self.assertEqual((error["code"], error["param"]), ("previous_response_not_found", "previous_response_id"))
        for path in ("/v1/responses/", "/v1/responses/x/input_items", "/v1/responses/" + "x" * 5000):
            self.assertEqual(self.server.request("GET", path)[0], 404)
        first = self.ok(RESPONSES, ask(max_output_tokens=1))["id"]
        for _ in range(256):
            self.ok(RESPONSES, ask(max_output_tokens=1))
        self.assertEqual(self.server.request("GET", f"{RESPONSES}/{first}")[0], 404)

    def test_each_key_has_its_own(self):
        server = Server("--api-key", "one", "--api-key", "two")
        one, two = ({"Authorization": f"Bearer {key}"} for key in ("one", "two"))
        status, _, response = server.post(RESPONSES, ask(), **one)
        self.assertEqual(status, 200)
        path = f"{RESPONSES}/{response['id']}"
        self.assertEqual([server.request(method, path, headers=two)[0] for method in ("GET", "DELETE")], [404, 404])
        self.assertEqual(server.post(RESPONSES, ask(previous_response_id=response["id"]), **two)[0], 400)
        self.assertEqual(server.request("GET", path, headers=one)[0], 200)
        self.assertEqual(server.request("GET", path)[0], 401)
        self.assertEqual(server.stop(), 0)

    def test_what_can_not_be(self):
        user = {"role": "user", "content": "x"}
        for body, says in [({}, "input"), ({"input": []}, "input"), ({"input": 3}, "input"), ({"input": [3]}, "input[0]"),
                           ({"input": [{"role": "king", "content": "x"}]}, "input[0].role"), ({"input": [{"role": "user"}]}, "input[0].content"),
                           ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "input[0].content[0]"),
                           ({"input": [{"type": "item_reference"}]}, "input[0].id"), ({"input": [{"type": 3}]}, "input[0]"),
                           ({"input": [{"type": "function_call", "call_id": "c", "name": 3}]}, "input[0].name"),
                           ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
                           (ask(background=True), "background"), (ask(conversation="x"), "conversation"), (ask(prompt={"id": "x"}), "prompt"),
                           (ask(top_logprobs=21), "top_logprobs"), (ask(max_output_tokens=0), "max_output_tokens"),
                           (ask(tools=[{"name": "f"}]), "tools[0]"), (ask(tools=3), "tools"), (ask(truncation="x"), "truncation"),
                           (ask(text=3), "text"), (ask(instructions=3), "instructions"), (ask(store="x"), "store"),
                           (ask(previous_response_id=3), "previous_response_id"), (ask(temperature="hot"), "temperature"),
                           (ask(response_format={"type": "json_object"}), "response_format"), (ask(prompt_logprobs=1), "prompt_logprobs")]:
            self.refused(400, RESPONSES, body, says)
        self.refused(404, RESPONSES, ask(model="gpt-5"))
        error = self.refused(400, RESPONSES, ask("x " * 2000))
        self.assertEqual(error["code"], "context_length_exceeded")
        self.ok(RESPONSES, ask("x " * 2000, truncation="auto"))
        self.ok(RESPONSES, ask([user], include=["reasoning.encrypted_content"], reasoning={"effort": "low", "summary": "auto"},
                               tools=[{"type": "web_search"}, {"type": "custom", "name": "f"}, {"type": "what comes next"}], text={"verbosity": "low"}, prompt_cache_key="x", service_tier="auto"))


class ToolsTest(ServerTest):
    ARGS = ("--context", 2048)  # the tools in words are long for a vocabulary of bytes
    FUNCTION = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}, "additionalProperties": False}}
    OTHER = {**FUNCTION, "name": "go"}

    def test_calls_of_a_namespace(self):
        tools = [{"type": "namespace", "name": "mcp__x", "tools": [self.FUNCTION]}, {"type": "tool_search"}]
        fields = {"tools": tools, "tool_choice": "required", "parallel_tool_calls": False, "max_output_tokens": 200, "ignore_eos": False}
        whole = self.ok(RESPONSES, ask(**fields))
        [call] = whole["output"]
        self.assertEqual((call["type"], call["namespace"], call["name"]), ("function_call", "mcp__x", "look"))
        self.assertEqual(whole["tools"], tools)
        said = typed(self.ok(RESPONSES, ask(stream=True, **fields)))
        items = [e["item"] for e in said if "item" in e]
        self.assertEqual([(item["namespace"], item["name"]) for item in items], [("mcp__x", "look")] * 2)
        user, result = {"role": "user", "content": "the rain"}, {"type": "function_call_output", "call_id": call["call_id"], "output": "b"}
        following = {"tools": tools, "max_output_tokens": 4}
        items = self.ok(RESPONSES, ask([user, call, result], **following))
        for other in (ask([result], previous_response_id=whole["id"], **following), ask([user, {"type": "item_reference", "id": call["id"]}, result], **following)):
            other = self.ok(RESPONSES, other)
            self.assertEqual((text(other), other["usage"]["input_tokens"]), (text(items), items["usage"]["input_tokens"]))

    def test_allowed_tools(self):
        def allowed(mode, *names):
            return {"type": "allowed_tools", "mode": mode, "tools": [{"type": "function", "name": name} for name in names]}

        fields = {"tools": [self.FUNCTION, self.OTHER], "parallel_tool_calls": False, "max_output_tokens": 200, "ignore_eos": False}
        tokens = set()
        for name in ("look", "go"):
            for seed in range(3):
                answer = self.ok(RESPONSES, ask(**fields, tool_choice=allowed("required", name)) | {"seed": seed, "temperature": 2})
                self.assertEqual([item["name"] for item in answer["output"]], [name])
                tokens.add(answer["usage"]["input_tokens"])
        tokens.add(self.ok(RESPONSES, ask(tools=fields["tools"], tool_choice=allowed("auto", "go"), max_output_tokens=4))["usage"]["input_tokens"])
        self.assertEqual(len(tokens), 1)  # the prompt has all of them, whichever are allowed
        self.refused(400, RESPONSES, ask(**fields, tool_choice=allowed("auto", "look", "fly")), "fly")
        chat = {"messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function", "function": {"name": "go"}}], "max_tokens": 200, "seed": 1}
        choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "go"}}]}}
        call = self.ok(CHAT, {**chat, "parallel_tool_calls": False, "tool_choice": choice})["choices"][0]["message"]["tool_calls"][0]
        self.assertEqual(call["function"]["name"], "go")


if __name__ == "__main__":
    unittest.main()
