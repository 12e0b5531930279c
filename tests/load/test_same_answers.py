"""Many clients at once: every answer is, byte for byte, the one that its request gets alone, whoever else comes, waits, reads
slowly and leaves. 64 clients and 200 requests, 2000 with INGLE_LOAD=soak; the server's memory stays what it was."""
import concurrent.futures
import contextlib
import json
import random
import socket
import sys
import time
import unittest

from load_harness import MIB, MODEL, SOAK, TINY, metric, request_bytes, rss_anon, serving, vanish, wait_until_idle
from same_requests import SEED, Kind, difference, facts

CLIENTS, REQUESTS, KINDS, PARTS = 64, 2000 if SOAK else 200, 48, 4
MOST_GROWTH = 16 * MIB  # of the server's own memory, once a quarter of the requests has been answered
SHORT = MODEL == str(TINY)
# A context that the longest request fits, and no pages for all that run at their longest.
POOL = ("--context", 1536, "--kv-mib", 1 if SHORT else 48)


def whole(server, kind):
    with contextlib.closing(server.connect()) as connection:
        connection.request("POST", kind.path, json.dumps(kind.body), {"Content-Type": "application/json"})
        return read(connection.getresponse())


def read(response, pause=0.0):
    raw = b""
    while part := response.read(700) if pause else response.read():
        raw += part
        time.sleep(pause)
    assert response.status == 200, f"status {response.status}: {raw[:500]}"
    return raw


def streamed(server, kind):
    with contextlib.closing(server.connect()) as connection:
        connection.request("POST", kind.path, json.dumps(kind.streamed()), {"Content-Type": "application/json"})
        return read(connection.getresponse())


def read_slowly(server, kind):
    """A client with little room that takes its time."""
    with contextlib.closing(server.connect()) as connection:
        connection.sock = socket.socket()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sock.settimeout(120)
        connection.sock.connect(("127.0.0.1", server.port))
        connection.request("POST", kind.path, json.dumps(kind.streamed()), {"Content-Type": "application/json"})
        return read(connection.getresponse(), pause=0.004)


def said_slowly(server, kind):
    """A client whose request comes in pieces."""
    with contextlib.closing(server.connect()) as connection:
        def pieces():
            data = json.dumps(kind.body).encode()
            for begin in range(0, len(data), 200):
                time.sleep(0.002)
                yield data[begin:begin + 200]
        connection.request("POST", kind.path, pieces(), {"Content-Type": "application/json"}, encode_chunked=True)
        return read(connection.getresponse())


class SameAnswersTest(unittest.TestCase):
    def setUp(self):
        self.kinds = [Kind(number, length=1 if SHORT else 5) for number in range(KINDS)]
        self.silent = []  # connections of clients that have vanished without a word
        self.addCleanup(lambda: [connection.close() for connection in self.silent])

    def leave(self, server, kind, chance):
        """A client that goes: while it waits, amid its prompt, or amid its answer."""
        connection = server.raw(request_bytes(kind.path, kind.endless()))
        with contextlib.suppress(OSError):
            where = chance.randrange(3)
            if where == 1:
                time.sleep(0.02)
            if where == 2:
                connection.recv(1 + chance.randrange(5000))
            how = chance.randrange(4 if SOAK else 3)
            if how == 1:
                connection.shutdown(socket.SHUT_WR)
            if how == 2:
                # As a machine that was switched off and is on again: no word that more will not come, but a reset.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            if how == 3:
                # As one whose cable is cut. The server takes a minute to notice, so this is for long runs alone.
                vanish(connection)
                self.silent.append(connection)
                return
        connection.close()

    def ask(self, server, alone, turn):
        """What is wrong with the answer to a turn's request: nothing, or words. None if its client did not wait for it."""
        chance = random.Random(SEED * 1000 + turn)
        kind = chance.choice(self.kinds)
        way = chance.choices((None, whole, streamed, read_slowly, said_slowly), (20, 30, 35, 10, 5))[0]
        if way is None:
            return self.leave(server, kind, chance)
        try:
            told = difference(facts(way(server, kind)), alone[kind.number])
        except (OSError, AssertionError, ValueError, KeyError) as failure:
            told = f" {type(failure).__name__}: {failure}"
        return told and f"request {turn} ({way.__name__}):{told}\n    {kind}"

    def test_every_answer_is_that_of_the_request_alone(self):
        # One after the other, without guesses and with prompts in other slices.
        with serving(*POOL, "--max-sequences", 1, "--no-speculation", "--prefill-chunk", 100, model=MODEL) as server:
            alone = [facts(whole(server, kind)) for kind in self.kinds]
        self.assertGreater(len({json.dumps(one, sort_keys=True) for one in alone}), KINDS * 3 // 4)
        # Fewer places than clients, so that they wait for one another.
        with serving(*POOL, "--max-sequences", 24, "--max-waiting", 1000, model=MODEL) as server:
            outcomes, sizes = [], []
            with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
                for part in range(PARTS):
                    turns = range(part * REQUESTS // PARTS, (part + 1) * REQUESTS // PARTS)
                    outcomes += pool.map(lambda turn: self.ask(server, alone, turn), turns)
                    wait_until_idle(server, 150)
                    sizes.append(rss_anon(server))
            answered = [told for told in outcomes if told is not None]
            wrong = [told for told in answered if told]
            self.assertFalse(wrong, f"{len(wrong)} of {len(answered)} answers are not those of their requests alone:\n" + "\n".join(wrong[:5]))
            self.assertGreater(len(answered), REQUESTS // 2)
            for name, label in (("vllm:prefix_cache_hits_total", ""), ("vllm:request_success_total", 'finished_reason="abort"')):
                self.assertGreater(metric(server, name, label), 0, name)
            told = "the server's own memory after each part of the run, MiB: " + ", ".join(f"{size / MIB:.1f}" for size in sizes)
            preemptions = metric(server, "vllm:num_preemptions_total")
            print(f"{len(answered)} answers compared, {preemptions:.0f} preemptions; {told}", file=sys.stderr)
            self.assertLessEqual(max(sizes[1:]) - sizes[0], MOST_GROWTH, told)


class DifferenceTest(unittest.TestCase):
    """A test that compares must be able to fail, and say of what."""

    def test_what_differs_is_said(self):
        chunk = lambda **delta: b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}).encode() + b"\n\n"
        end = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        one = json.dumps({"choices": [{"index": 0, "message": {"content": "the rain"}, "finish_reason": "stop"}]}).encode()
        self.assertEqual(difference(facts(chunk(content="the ") + chunk(content="rain") + end), facts(one)), "")
        told = difference(facts(chunk(content="the ") + chunk(content="reign") + end), facts(one))
        self.assertEqual(told, " choice 0 text, from character 5: 'eign' instead of 'ain', after 'the r'")
        self.assertIn("text", difference(facts(chunk(content="the rai") + end), facts(one)))
        self.assertIn("finish_reason", difference(facts(one.replace(b"stop", b"length")), facts(one)))
        call = {"index": 0, "function": {"name": "f", "arguments": "{"}}
        self.assertIn("calls", difference(facts(chunk(content="the rain", tool_calls=[call]) + end), facts(one)))
        with self.assertRaises(AssertionError):
            facts(chunk(content="the rain"))


if __name__ == "__main__":
    unittest.main()
