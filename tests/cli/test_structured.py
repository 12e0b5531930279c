"""serve: answers that have to look like something, on a tiny model that would say anything."""
import json
import re
import threading
import time
import unittest

from server_harness import ServerTest, chat, events

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["cat", "dog"]},
        "age": {"type": "integer", "minimum": 3, "maximum": 27},
        "tags": {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 2},
    },
    "required": ["kind", "age", "tags"],
}

ONE_OR_TWO = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"]}


def schema_format(schema, **more):
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": schema, **more}}


def tool(parameters):
    return {"type": "function", "function": {"name": "f", "strict": True, "parameters": parameters}}


def content(answer):
    return [choice["message"]["content"] for choice in answer["choices"]]


class StructuredTest(ServerTest):
    def check(self, text):
        value = json.loads(text)
        self.assertEqual(list(value), ["kind", "age", "tags"])
        self.assertIn(value["kind"], ["cat", "dog"])
        self.assertTrue(3 <= value["age"] <= 27)
        self.assertIn(len(value["tags"]), (1, 2))
        self.assertTrue(all(isinstance(tag, bool) for tag in value["tags"]))

    def test_schemas_are_kept_to_in_every_way_to_ask(self):
        forms = ({"response_format": schema_format(SCHEMA, strict=True)}, {"guided_json": SCHEMA}, {"json_schema": SCHEMA},
                 {"guided_json": json.dumps(SCHEMA)}, {"structured_outputs": {"json": SCHEMA}},
                 {"response_format": {"type": "json_object", "schema": SCHEMA}})
        for temperature in (0, 2):
            said = set()
            for form in forms:
                answer = self.ok(CHAT, chat(temperature=temperature, max_tokens=400, n=3, **form))
                self.assertEqual({c["finish_reason"] for c in answer["choices"]}, {"stop"})
                for text in content(answer):
                    self.check(text)
                said.add(tuple(content(answer)))
            self.assertEqual(len(said), 1, said)  # the same request, the same answer
        answer = self.ok(COMPLETIONS, {"prompt": "x", "seed": 1, "max_tokens": 400, "response_format": schema_format(SCHEMA)})
        self.check(answer["choices"][0]["text"])

    def test_streams_and_other_fields_go_with_it(self):
        fields = {"response_format": schema_format(SCHEMA), "temperature": 1.5, "max_tokens": 400, "logprobs": True}
        whole = self.ok(CHAT, chat(**fields))
        said = events(self.ok(CHAT, chat(stream=True, **fields)))
        text = "".join(c["delta"].get("content") or "" for e in said for c in e["choices"])
        self.assertEqual(text, content(whole)[0])
        self.check(text)
        for more in ({"ignore_eos": True}, {"min_tokens": 350}, {"logit_bias": {"5": 50}}, {"repeat_penalty": 1.5}):
            answer = self.ok(CHAT, chat(**{**fields, **more}))
            self.check(content(answer)[0])
        cut = self.ok(CHAT, chat(**{**fields, "max_tokens": 3}))
        self.assertEqual(cut["choices"][0]["finish_reason"], "length")

    def test_choices_regexes_and_grammars(self):
        for temperature in (0, 2):
            for form, expected in (({"guided_choice": ["yes", "no", "perhaps"]}, "yes|no|perhaps"),
                                   ({"structured_outputs": {"choice": ["a b", "c"]}}, "a b|c"),
                                   ({"guided_regex": "[ab]{3}-[0-9]{1,2}"}, "[ab]{3}-[0-9]{1,2}"),
                                   ({"structured_outputs": {"regex": "(x|yz){2}"}}, "(x|yz){2}"),
                                   ({"guided_grammar": "root ::= \"<\" n \">\"\nn ::= [0-9] | [0-9] [0-9]"}, "<[0-9]{1,2}>"),
                                   ({"grammar": "root ::= \"a\" | \"b\""}, "a|b")):
                said = content(self.ok(CHAT, chat(temperature=temperature, max_tokens=100, **form)))[0]
                self.assertRegex(said, re.compile(f"^({expected})$"))

    def test_answers_among_others_are_the_same(self):
        body = chat(response_format=schema_format(SCHEMA), temperature=1, max_tokens=400)
        alone = content(self.ok(CHAT, body))
        free = content(self.ok(CHAT, chat(max_tokens=40)))
        said, other = [], []
        threads = [threading.Thread(target=lambda: said.append(content(self.ok(CHAT, body)))) for _ in range(6)]
        threads += [threading.Thread(target=lambda: other.append(content(self.ok(CHAT, chat(max_tokens=40))))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(said, [alone] * 6)
        self.assertEqual(other, [free] * 3)

    def test_beside_tools_an_answer_is_a_call_or_of_the_form(self):
        form = {"type": "object", "properties": {"kind": {"enum": ["cat"]}}, "required": ["kind"]}
        any_token = {"temperature": 100, "top_k": 0, "top_p": 1, "min_p": 0}
        answer = self.ok(CHAT, chat(n=16, max_tokens=150, tools=[tool(ONE_OR_TWO)], parallel_tool_calls=False,
                                    response_format=schema_format(form), **any_token))
        kinds = set()
        for choice in answer["choices"]:
            if choice["finish_reason"] == "length":
                continue
            calls = choice["message"].get("tool_calls", [])
            kinds.add(len(calls))
            for call in calls:
                self.assertEqual(call["function"]["name"], "f")
                self.assertIn(json.loads(call["function"]["arguments"]), ({"n": 1}, {"n": 2}))
            if not calls:
                self.assertEqual(json.loads(choice["message"]["content"]), {"kind": "cat"})
        self.assertEqual(kinds, {0, 1})

    def test_strict_tools_leave_the_model_free_or_are_refused(self):
        answer = self.ok(CHAT, chat(max_tokens=5, tools=[tool(ONE_OR_TWO)]))
        self.assertEqual(len(answer["choices"]), 1)
        cannot = tool({"type": "object", "properties": {"n": {"not": {}}}})
        self.assertEqual(self.refused(400, CHAT, chat(tools=[cannot]), "parameters of f")["param"], "tools")
        self.ok("/v1/responses", {"input": "x", "max_output_tokens": 5, "tools": [
            {"type": "function", "name": "f", "parameters": cannot["function"]["parameters"]}]})
        self.refused(400, "/v1/responses", {"input": "x", "tools": [{"type": "function", **cannot["function"]}]}, "parameters of f")

    def test_what_cant_be_honoured_is_refused_by_name(self):
        for form, says in (
            ({"response_format": schema_format({"properties": {"a": {"not": {}}}})}, "#/properties/a/not"),
            ({"response_format": schema_format({"$ref": "http://x/y"})}, "#/$ref"),
            ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
            ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "schema is missing"),
            ({"response_format": {"type": "xml"}}, "response_format.type"),
            ({"response_format": {}}, "response_format.type"),
            ({"response_format": "json_object"}, "response_format"),
            ({"guided_json": 3}, "guided_json"),
            ({"guided_json": "{"}, "guided_json"),
            ({"guided_regex": "(?=a)"}, "guided_regex"),
            ({"guided_regex": 3}, "guided_regex"),
            ({"guided_grammar": "x"}, "guided_grammar"),
            ({"guided_choice": [1]}, "guided_choice"),
            ({"guided_choice": [""]}, "guided_choice"),
            ({"structured_outputs": {"regex": "("}}, "structured_outputs.regex"),
            ({"guided_json": {}, "guided_regex": "a"}, "beside"),
            ({"response_format": {"type": "json_object"}, "guided_regex": "a"}, "beside"),
            ({"structured_outputs": {"structural_tag": {}}}, "structural_tag"),
        ):
            for path, body in ((CHAT, chat(**form)), (COMPLETIONS, {"prompt": "x", **form})):
                error = self.refused(400, path, body, says)
                self.assertTrue(error["param"], error)
        self.assertEqual(len(content(self.ok(CHAT, chat(response_format={"type": "text"}, guided_choice=[], guided_json=None)))), 1)

    def test_lying_schemas_hold_nobody_up(self):
        for schema in ({"enum": [f"value {i}" for i in range(100_000)]},
                       {"type": "string", "pattern": "(a{1000}){1000}"}, {"$ref": "#"},
                       {"type": "array", "items": {"type": "array", "items": {"type": "string", "minLength": 10**12}}}):
            start = time.monotonic()
            self.refused(400, CHAT, chat(response_format=schema_format(schema)), "schema")
            self.assertLess(time.monotonic() - start, 10)
        body = '{"messages":[{"role":"user","content":"x"}],"guided_json":' + '{"not":' * 50_000 + "1" + "}" * 50_001
        self.refused(400, CHAT, body, "not valid")
        self.check(content(self.ok(CHAT, chat(response_format=schema_format(SCHEMA), max_tokens=400)))[0])


if __name__ == "__main__":
    unittest.main()
