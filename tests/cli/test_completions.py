"""serve: text completions in all their forms, scores of prompts, and chats whose last message goes on."""
import unittest

from server_harness import ServerTest, chat, events

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
RAIN = "the rain in Spain €, the rain"


def joined(said, index):
    """The choice that a stream's events make up."""
    mine = [c for e in said for c in e["choices"] if c["index"] == index]
    scores = [c["logprobs"] for c in mine if c["logprobs"]]
    return {"index": index, "text": "".join(c["text"] for c in mine), "finish_reason": mine[-1]["finish_reason"],
            "logprobs": {key: [v for s in scores for v in s[key]] for key in scores[0]} if scores else None}


class CompletionsTest(ServerTest):
    def complete(self, prompt=RAIN, **fields):
        return self.ok(COMPLETIONS, {"prompt": prompt, "seed": 1, "temperature": 0, **fields})

    def ids(self, text, **fields):
        return self.ok("/tokenize", {"prompt": text, **fields})["tokens"]

    def test_scores_of_a_prompt_are_those_of_its_tokens_after_each_prefix(self):
        ids = self.ids(RAIN)
        whole = self.complete(ids, echo=True, logprobs=3, max_tokens=4, ignore_eos=True)
        scores = whole["choices"][0]["logprobs"]
        self.assertEqual({len(values) for values in scores.values()}, {len(ids) + 4})
        self.assertEqual((scores["token_logprobs"][0], scores["top_logprobs"][0]), (None, None))
        for i in range(1, len(ids)):
            # The bias leaves one token; its score is that of the model alone.
            forced = self.complete(ids[:i], logprobs=3, max_tokens=1, logit_bias={str(ids[i]): 100})["choices"][0]["logprobs"]
            self.assertEqual(forced["tokens"], scores["tokens"][i:i + 1])
            self.assertEqual(forced["token_logprobs"], scores["token_logprobs"][i:i + 1])
            self.assertEqual(forced["top_logprobs"], scores["top_logprobs"][i:i + 1])
        self.assertEqual(whole["usage"]["prompt_tokens_details"]["cached_tokens"], 0)

    def test_the_scores_are_the_same_however_they_are_asked_for(self):
        full = self.complete(echo=True, logprobs=2, max_tokens=3, ignore_eos=True)["choices"][0]
        count = len(self.ids(RAIN))
        for fields in ({"max_tokens": 0}, {"max_tokens": 1}):
            one = self.complete(echo=True, logprobs=2, ignore_eos=True, **fields)["choices"][0]
            length = count + fields["max_tokens"]
            for key, values in one["logprobs"].items():
                self.assertEqual(values, full["logprobs"][key][:length])
        by_ids = self.complete(self.ids(RAIN), echo=True, logprobs=2, max_tokens=3, ignore_eos=True)["choices"][0]
        self.assertEqual(by_ids, full)
        alone = self.complete(logprobs=2, max_tokens=3, ignore_eos=True)["choices"][0]
        self.assertEqual(alone["logprobs"]["token_logprobs"], full["logprobs"]["token_logprobs"][count:])
        self.assertEqual(RAIN + alone["text"], full["text"])

    def test_nothing_but_the_prompt(self):
        answer = self.complete(echo=True, max_tokens=0)
        self.assertEqual(answer["choices"][0]["text"], RAIN)
        self.assertEqual(answer["choices"][0]["finish_reason"], "length")
        self.assertEqual(answer["usage"]["completion_tokens"], 0)
        self.assertEqual(self.complete(max_tokens=0)["choices"][0]["text"], "")
        said = events(self.complete(echo=True, logprobs=1, max_tokens=0, stream=True))
        self.assertEqual(joined(said, 0), self.complete(echo=True, logprobs=1, max_tokens=0)["choices"][0])

    def test_a_stream_says_what_the_whole_answer_does(self):
        for fields in ({"echo": True, "logprobs": 2}, {"logprobs": 0}, {"echo": True}, {"echo": True, "logprobs": 1, "n": 2},
                       {"echo": True, "logprobs": 1, "max_tokens": 0}, {"logprobs": 1, "return_tokens_as_token_ids": True}):
            body = {"prompt": ["the rain", RAIN], "seed": 1, "temperature": 2, **fields}
            whole, said = self.ok(COMPLETIONS, body), events(self.ok(COMPLETIONS, {**body, "stream": True}))
            for choice in whole["choices"]:
                self.assertEqual(joined(said, choice["index"]), choice, fields)

    def test_offsets_say_where_tokens_begin_in_the_text(self):
        choice = self.complete(echo=True, logprobs=0, max_tokens=8, ignore_eos=True)["choices"][0]
        text, scores = choice["text"], choice["logprobs"]
        self.assertEqual(scores["text_offset"], sorted(scores["text_offset"]))
        ends = scores["text_offset"][1:] + [len(text)]
        for token, begin, end in zip(scores["tokens"], scores["text_offset"], ends):
            if "\ufffd" not in token and end - begin == len(token):
                self.assertEqual(text[begin:end], token)
        said = "".join(text[begin:end] for begin, end in zip(scores["text_offset"], ends))
        self.assertEqual(said, text)

    def test_the_token_that_ends_an_answer_has_its_score(self):
        # As lm-eval relies on: the last of the tokens is the one that was generated, whichever it is.
        [eos] = self.ids("<|end|>", add_special_tokens=False)
        choice = self.complete(echo=True, logprobs=1, max_tokens=1, logit_bias={str(eos): 100})["choices"][0]
        self.assertEqual((choice["text"], choice["finish_reason"]), (RAIN, "stop"))
        self.assertEqual(len(choice["logprobs"]["tokens"]), len(self.ids(RAIN)) + 1)
        self.assertEqual(choice["logprobs"]["tokens"][-1], "<|end|>")

    def test_every_token_is_among_its_alternatives(self):
        for count in (0, 1, 5, 20):
            for token, top in list(zip(*(self.complete(echo=True, logprobs=count, max_tokens=5)["choices"][0]["logprobs"][key]
                                         for key in ("tokens", "top_logprobs"))))[1:]:
                self.assertIn(token, top)
                self.assertLessEqual(len(top), count + 1)

    def test_tokens_named_by_their_ids(self):
        ids = self.ids(RAIN)
        choice = self.complete(echo=True, logprobs=2, max_tokens=2, return_tokens_as_token_ids=True)["choices"][0]
        self.assertEqual([f"token_id:{i}" for i in ids], choice["logprobs"]["tokens"][:len(ids)])
        self.assertTrue(all(name.startswith("token_id:") for top in choice["logprobs"]["top_logprobs"][1:] for name in top))
        answer = self.ok(CHAT, chat(logprobs=True, top_logprobs=2, return_tokens_as_token_ids=True))
        for token in answer["choices"][0]["logprobs"]["content"]:
            self.assertRegex(token["token"], r"^token_id:\d+$")
            self.assertTrue(all(t["token"].startswith("token_id:") for t in token["top_logprobs"]))

    def test_prompt_logprobs_as_vllm_has_them(self):
        ids = self.ids(RAIN)
        choice = self.complete(prompt_logprobs=2, max_tokens=1)["choices"][0]
        echoed = self.complete(echo=True, logprobs=2, max_tokens=1)["choices"][0]["logprobs"]
        self.assertIsNone(choice["logprobs"])
        self.assertEqual(len(choice["prompt_logprobs"]), len(ids))
        self.assertIsNone(choice["prompt_logprobs"][0])
        for i, scores in enumerate(choice["prompt_logprobs"][1:], 1):
            self.assertEqual(scores[str(ids[i])]["logprob"], echoed["token_logprobs"][i])
            ranks = sorted(s["rank"] for s in scores.values())
            self.assertEqual(ranks[:2], [1, 2])
            self.assertLessEqual(len(ranks), 3)
            best = min(scores.values(), key=lambda s: s["rank"])
            self.assertEqual(best["logprob"], max(s["logprob"] for s in scores.values()))
        answer = self.ok(CHAT, chat(prompt_logprobs=0))
        self.assertEqual(len(answer["prompt_logprobs"]), answer["usage"]["prompt_tokens"])
        self.assertEqual({len(scores) for scores in answer["prompt_logprobs"][1:]}, {1})

    def test_a_prompt_loses_its_beginning_only_when_asked(self):
        long = "x " * 2000
        self.refused(400, COMPLETIONS, {"prompt": long}, "tokens")
        answer = self.complete(long, truncate=True, max_tokens=20, ignore_eos=True)
        self.assertEqual(answer["usage"]["total_tokens"], 512)
        self.assertEqual(self.complete(long, truncate_prompt_tokens=30, max_tokens=1)["usage"]["prompt_tokens"], 30)
        self.assertEqual(self.ok(CHAT, chat(long, truncate_prompt_tokens=-1))["usage"]["prompt_tokens"], 512 - 12)
        ids = self.ids(RAIN)
        last = self.complete(ids, truncate_prompt_tokens=5, echo=True, logprobs=0, max_tokens=0, return_tokens_as_token_ids=True)
        self.assertEqual(last["choices"][0]["logprobs"]["tokens"], [f"token_id:{i}" for i in ids[-5:]])
        self.assertEqual(last["choices"][0]["text"], self.ok("/detokenize", {"tokens": ids[-5:]})["prompt"])

    def test_what_lm_eval_asks_of_a_tokenizer(self):
        status, _, info = self.server.request("GET", "/tokenizer_info")
        self.assertEqual((status, info["eos_token"]), (200, "<|end|>"))
        self.assertIn("messages", info["chat_template"])
        self.assertEqual(len(self.ids(info["eos_token"], add_special_tokens=False)), 1)

    def test_what_can_not_be(self):
        for fields, says in [({"best_of": 2}, "best_of"), ({"suffix": "x"}, "tokens for filling in"), ({"logprobs": 21}, "logprobs"),
                             ({"prompt_logprobs": -1}, "prompt_logprobs"), ({"prompt_logprobs": 1, "stream": True}, "prompt_logprobs"),
                             ({"max_tokens": -1}, "max_tokens"), ({"truncate_prompt_tokens": 0}, "truncate_prompt_tokens"),
                             ({"echo": 1}, "echo"), ({"logprobs": True}, "logprobs"), ({"suffix": 3}, "suffix"),
                             ({"return_tokens_as_token_ids": "x"}, "return_tokens"), ({"logprobs": 20, "n": 128, "max_tokens": 500}, "log-probabilities")]:
            self.refused(400, COMPLETIONS, {"prompt": "x", **fields}, says)
        self.assertEqual(self.complete(best_of=1)["choices"][0]["index"], 0)

    def test_the_last_message_goes_on(self):
        said = self.ok(CHAT, chat(temperature=0, ignore_eos=True, max_tokens=12))["choices"][0]["message"]["content"]
        self.assertGreater(len(said), 6)
        begun = {"role": "assistant", "content": "the sun"}
        messages = chat()["messages"] + [begun]
        forms = [{"messages": messages, "continue_final_message": True},
                 {"messages": messages, "continue_final_message": True, "add_generation_prompt": False},
                 {"messages": messages[:-1] + [{**begun, "prefix": True}]}]
        answers = [self.ok(CHAT, {"max_tokens": 8, "seed": 1, "prompt_logprobs": 0, **form}) for form in forms]
        for answer in answers:
            self.assertEqual(answer["choices"], answers[0]["choices"])
            last = next(iter(answer["prompt_logprobs"][-1].values()))
            self.assertTrue("the sun".endswith(last["decoded_token"].strip()), last)
        new_turn = self.ok(CHAT, {"messages": messages, "max_tokens": 8, "seed": 1})
        self.assertGreater(new_turn["usage"]["prompt_tokens"], answers[0]["usage"]["prompt_tokens"])
        for form, says in [({"messages": messages, "continue_final_message": True, "add_generation_prompt": True}, "add_generation_prompt"),
                           ({"messages": messages[:1], "continue_final_message": True}, "assistant"),
                           ({"messages": [{**begun, "prefix": True}] + messages[:1]}, "messages[0].prefix"),
                           ({"messages": [{**messages[0], "prefix": True}]}, "messages[0].prefix")]:
            self.refused(400, CHAT, form, says)
        self.ok(CHAT, {"messages": messages, "add_generation_prompt": False, "max_tokens": 1})


if __name__ == "__main__":
    unittest.main()
