"""serve: whose turn it is when not all can be served at once."""
import concurrent.futures
import re
import time
import unittest

from harness import CliTest
from server_harness import Server, chat

CHAT, CROWD = "/v1/chat/completions", 24


class TurnsTest(CliTest):
    def late(self, server, crowd, late):
        """One comes after all of a crowd: how many of them are answered before it, and how many after it."""
        ask = lambda fields, headers: server.request(
            "POST", CHAT, chat(max_tokens=400, ignore_eos=True, **fields), {"Content-Type": "application/json", **headers})[0]
        before = self.came(server, crowd[1])
        with concurrent.futures.ThreadPoolExecutor(CROWD) as pool:
            others = [pool.submit(ask, *crowd) for _ in range(CROWD)]
            until = time.monotonic() + 20
            while self.came(server, crowd[1]) < before + CROWD:
                self.assertLess(time.monotonic(), until, "the crowd did not come")
            done_before = sum(other.done() for other in others)
            self.assertEqual(ask(*late), 200)
            done = sum(other.done() for other in others)
            self.assertEqual({other.result() for other in others}, {200})
        return done - done_before, CROWD - done

    def assert_goes_early(self, outcome):
        earlier, later = outcome
        self.assertLess(earlier, 6)
        self.assertGreater(later, 2)

    def assert_goes_last(self, outcome):
        self.assertLessEqual(outcome[1], 1)

    def came(self, server, headers):
        """Requests that have come so far."""
        text = server.request("GET", "/metrics", headers=headers)[2].decode()
        return sum(int(number) for number in re.findall(r"^vllm:(?:num_requests|request_success_total)\S* (\d+)", text, re.M))

    def test_users_and_priorities(self):
        server = Server("--max-sequences", "1")
        self.addCleanup(server.stop)
        turn = lambda **fields: (fields, {})
        # By its fair share the late one is the next or the one after.
        shared = self.late(server, turn(user="many"), turn(user="one"))
        urgent = self.late(server, turn(), turn(priority=-1))
        same = self.late(server, turn(user="many"), turn(user="many"))
        self.assertEqual(server.stop(), 0)
        self.assert_goes_early(shared)
        self.assert_goes_early(urgent)
        self.assert_goes_last(same)

    def test_a_key_has_one_share_whomever_it_asks_for(self):
        server = Server("--max-sequences", "1", "--api-key", "first", "--api-key", "second")
        self.addCleanup(server.stop)
        turn = lambda key, **fields: (fields, {"x-api-key": key})
        other_key = self.late(server, turn("first"), turn("second"))
        other_name = self.late(server, turn("first", user="a"), turn("first", user="b"))
        self.assertEqual(server.stop(), 0)
        self.assert_goes_early(other_key)
        self.assert_goes_last(other_name)


if __name__ == "__main__":
    unittest.main()
