"""Many clients at once: every answer is, byte for byte, the one that its request gets alone, whoever else comes, waits and
leaves. 64 clients and 200 requests, 2000 with INGLE_LOAD=soak."""
import concurrent.futures
import contextlib
import json
import random
import socket
import time
import unittest

from load_harness import MIB, MODEL, SOAK, TINY, metric, request_bytes, rss_anon, serving, wait_until_idle

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
KV_MIB = 1 if MODEL == str(TINY) else 32
CLIENTS, REQUESTS, KINDS = 64, 2000 if SOAK else 200, 32
SEED = 20251121


def kind(number):
    """A path and a body: short and long prompts, with common beginnings, in all manners of sampling."""
    chance = random.Random(SEED + number)
    words = "the rain in Spain stays mainly in the plain and nobody minds".split()
    beginning = ["", "You are a helpful assistant. " * 2, "Once upon a time there was a server. " * 3][number % 3]
    text = beginning + " ".join(chance.choices(words, k=chance.choice([2, 10, 30, 50])))
    body = {"max_tokens": chance.choice([1, 5, 20, 40]), "seed": number, "temperature": chance.choice([0, 0.7, 1.5]),
            "ignore_eos": chance.random() < 0.5, "priority": chance.choice([0, 0, -1, 1]), "user": str(number % 5)}
    if number % 2 == 0:
        body.update(messages=[{"role": "user", "content": text}], logprobs=number % 4 == 0)
        return CHAT, body
    body.update(prompt=text, logprobs=2 if number % 5 == 0 else None, n=1 + number % 3)
    return COMPLETIONS, body


def said(raw):
    """What must be the same: an answer's choices and counts."""
    answer = json.loads(raw)
    usage = {name: value for name, value in answer["usage"].items() if name.endswith("_tokens")}
    return json.dumps([answer["choices"], usage], sort_keys=True)


def streamed(raw):
    """By choice the text and the reason; of a stream's bytes, or of a whole answer's."""
    text, reasons = {}, {}
    if raw.startswith(b"data: "):
        lines = [line for line in raw.decode().split("\n\n") if line]
        assert lines[-1] == "data: [DONE]", lines[-1]
        events = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    else:
        events = [json.loads(raw)]
    for event in events:
        assert "error" not in event, event
        for choice in event["choices"]:
            part = choice.get("text") or (choice.get("delta") or choice.get("message") or {}).get("content") or ""
            text[choice["index"]] = text.get(choice["index"], "") + part
            reasons[choice["index"]] = choice["finish_reason"] or reasons.get(choice["index"])
    return text, reasons


class SameAnswersTest(unittest.TestCase):
    def post(self, server, path, body):
        with contextlib.closing(server.connect()) as connection:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            raw = response.read()
            self.assertEqual(response.status, 200, raw[:500])
            return raw

    def vanish(self, server, number, chance):
        """A client that leaves: while it waits, amid its prompt, or amid its answer."""
        path, body = kind(number)
        body = {**body, "max_tokens": 300, "ignore_eos": True, "stream": True, "n": 1 + number % 3}
        connection = server.raw(request_bytes(path, body))
        with contextlib.suppress(OSError):
            where = chance.randrange(3)
            if where == 1:
                time.sleep(0.01)
            if where == 2:
                connection.recv(1 + chance.randrange(5000))
            if chance.random() < 0.5:
                # As a machine that is switched off: no word that more will not come, but a reset.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    def ask(self, server, turn):
        chance = random.Random(SEED * 1000 + turn)
        number = chance.randrange(KINDS)
        if chance.random() < 0.2:
            self.vanish(server, number, chance)
            return None
        path, body = kind(number)
        if chance.random() < 0.5:
            return number, True, self.post(server, path, {**body, "stream": True})
        return number, False, self.post(server, path, body)

    def test_every_answer_is_that_of_the_request_alone(self):
        # Fewer places than clients and few pages, so that they wait for, and take from, one another.
        with serving("--max-sequences", 12, "--max-waiting", 1000, "--kv-mib", KV_MIB, model=MODEL) as server:
            alone = [self.post(server, *kind(number)) for number in range(KINDS)]
            with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
                compared, sizes = 0, []
                for half in range(2):
                    turns = range(half * REQUESTS // 2, (half + 1) * REQUESTS // 2)
                    for outcome in pool.map(lambda turn: self.ask(server, turn), turns):
                        if outcome is None:
                            continue
                        number, stream, raw = outcome
                        if stream:
                            self.assertEqual(streamed(raw), streamed(alone[number]), f"kind {number}")
                        else:
                            self.assertEqual(said(raw), said(alone[number]), f"kind {number}")
                        compared += 1
                    wait_until_idle(server)
                    sizes.append(rss_anon(server))
            self.assertGreater(compared, REQUESTS // 2)
            self.assertGreater(metric(server, "vllm:prefix_cache_hits_total"), 0)
            self.assertGreater(metric(server, "vllm:request_success_total", 'finished_reason="abort"'), 0)
            if SOAK:
                self.assertLess(sizes[1] - sizes[0], 32 * MIB)


if __name__ == "__main__":
    unittest.main()
