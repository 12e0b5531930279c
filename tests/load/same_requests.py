"""The requests of test_same_answers.py, and what of their answers must be the same: a kind's number decides all of a request, so
that a report that names it can be looked into."""
import json
import random

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
SEED = 20251121
WORDS = "the rain in Spain stays mainly in the plain and nobody minds".split()
# Lengths of answers that come to need more pages than there are, so that some lose theirs and are computed again.
OUTGROWING = (100, 200)
BEGINNINGS = ("", "You are a helpful assistant. " * 2, "Once upon a time there was a server. " * 3)
SCHEMA = {"type": "object", "properties": {"kind": {"enum": ["cat", "dog"]}, "age": {"type": "integer", "minimum": 3, "maximum": 27},
                                           "tags": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3}},
          "required": ["kind", "age", "tags"]}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["city", "days"]}}}


class Kind:
    """A request: its path and body. `length`: how many times longer than usual the long prompts are."""

    def __init__(self, number, length=1):
        self.number, chance = number, random.Random(SEED + number)
        shape = (self.plain_chat, self.completion, self.schema, self.tools, self.form, self.scored_chat, self.long, self.turns)
        text = BEGINNINGS[number // 8 % 3] + " ".join(chance.choices(WORDS, k=chance.choice([2, 10, 30])))
        self.body = {"max_tokens": chance.choice([1, 5, 20, 40]), "seed": chance.randrange(1 << 40), "priority": chance.choice([0, 0, -1, 1]),
                     "temperature": chance.choice([0, 0.7, 1.5]), "user": str(number % 5)}
        self.path = shape[number % 8](chance, text, length)

    def chat(self, text, **fields):
        self.body.update(messages=[{"role": "user", "content": text}], **fields)
        return CHAT

    def plain_chat(self, chance, text, length):
        return self.chat(text, ignore_eos=chance.random() < 0.5, top_p=chance.choice([1, 0.8]))

    def completion(self, chance, text, length):
        self.body.update(prompt=text, n=chance.randrange(1, 4), ignore_eos=chance.random() < 0.5, logprobs=chance.choice([None, 2]),
                         echo=chance.random() < 0.3)
        if self.body["ignore_eos"]:
            self.body["max_tokens"] = chance.choice(OUTGROWING)
        return COMPLETIONS

    def schema(self, chance, text, length):
        form = {"type": "json_schema", "json_schema": {"name": "pet", "schema": SCHEMA}}
        return self.chat(text, response_format=form, max_tokens=80, n=chance.randrange(1, 3))

    def tools(self, chance, text, length):
        named = {"type": "function", "function": {"name": "weather"}}
        return self.chat(text, tools=[TOOL], tool_choice=chance.choice(["required", named]), parallel_tool_calls=False, max_tokens=80)

    def form(self, chance, text, length):
        self.body.update(prompt=text, max_tokens=30, **chance.choice([{"guided_regex": "[ab]{3}-[0-9]{1,9}"}, {"guided_choice": ["yes", "no", "perhaps"]},
                                                                      {"grammar": 'root ::= "<" [0-9] [0-9]* ">"'}]))
        return COMPLETIONS

    def scored_chat(self, chance, text, length):
        return self.chat(text, n=2, logprobs=True, top_logprobs=chance.choice([1, 5]), stop=["e", "zz"], min_tokens=1)

    def long(self, chance, text, length):
        words = " ".join(random.Random(SEED + self.number // 16).choices(WORDS, k=100 * length))
        self.body.update(prompt=words + text, ignore_eos=True, max_tokens=chance.choice([5, *OUTGROWING]))
        return COMPLETIONS

    def turns(self, chance, text, length):
        self.body.update(messages=[{"role": "system", "content": BEGINNINGS[1]}, {"role": "user", "content": "the rain"},
                                   {"role": "assistant", "content": "in Spain"}, {"role": "user", "content": text}],
                         repeat_penalty=1.1, presence_penalty=0.5, logit_bias={"5": 2})
        return CHAT

    def streamed(self):
        return {**self.body, "stream": True, "stream_options": {"include_usage": True}}

    def endless(self):
        """The same without an end, for a client that will not wait for it."""
        kept = {name: value for name, value in self.body.items() if name in ("messages", "prompt", "seed", "priority", "user")}
        return {**kept, "max_tokens": 300, "ignore_eos": True, "stream": True, "n": 1 + self.number % 3}

    def __str__(self):
        return f"kind {self.number}, POST {self.path} {json.dumps(self.body)[:600]}"


def events(raw):
    """The JSON of a stream's events, which must end as such; or that of a whole answer."""
    if raw.startswith(b"{"):
        return [json.loads(raw)]
    # Comments keep a stream alive that waits.
    lines = [line for line in raw.decode().split("\n\n") if line and not line.startswith(":")]
    assert lines[-1] == "data: [DONE]", f"the stream ends with {lines[-1]!r}"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def facts(raw):
    """What an answer says, the same whether it came whole or as a stream: all but its names, its times and what was cached."""
    out = {}
    for event in events(raw):
        assert "error" not in event, event["error"]
        if usage := event.get("usage"):
            out["usage"] = {name: value for name, value in usage.items() if name.endswith("_tokens")}
        for choice in event["choices"]:
            one = out.setdefault(f"choice {choice['index']}", {"text": "", "reasoning": "", "calls": {}, "logprobs": {}, "finish_reason": None})
            said = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
            one["text"] += said.get("content") or ""
            one["reasoning"] += said.get("reasoning_content") or ""
            for position, call in enumerate(said.get("tool_calls") or []):
                name, arguments = one["calls"].get(call.get("index", position), ("", ""))
                part = call["function"]
                one["calls"][call.get("index", position)] = (name + (part.get("name") or ""), arguments + (part.get("arguments") or ""))
            for key, values in (choice.get("logprobs") or {}).items():
                if isinstance(values, list):
                    one["logprobs"].setdefault(key, []).extend(values)
            one["finish_reason"] = choice["finish_reason"] or one["finish_reason"]
    return out


def difference(got, wanted, place=""):
    """Where two answers part, in words; empty if they do not."""
    if got == wanted:
        return ""
    if isinstance(got, dict) and isinstance(wanted, dict) and got.keys() == wanted.keys():
        return next(said for key in wanted if (said := difference(got[key], wanted[key], f"{place} {key}")))
    if isinstance(got, (list, tuple)) and isinstance(wanted, (list, tuple)) and len(got) == len(wanted):
        return next(said for i in range(len(wanted)) if (said := difference(got[i], wanted[i], f"{place}[{i}]")))
    if isinstance(got, str) and isinstance(wanted, str):
        at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
        return f"{place}, from character {at}: {got[at:at + 60]!r} instead of {wanted[at:at + 60]!r}, after {wanted[max(0, at - 30):at]!r}"
    return f"{place}: {str(got)[:200]} instead of {str(wanted)[:200]}"
