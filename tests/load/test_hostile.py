"""Clients that cost much and give little: the server stays small, and answers the others."""
import concurrent.futures
import contextlib
import os
import resource
import select
import signal
import socket
import time
import unittest

from load_harness import HEAD, MIB, SOAK, allow_sockets, cpu_seconds, request_bytes, rss_anon, serving, wait_until_idle

CHAT = "/v1/chat/completions"
PATHS = (CHAT, "/v1/completions", "/tokenize", "/detokenize", "/api/chat", "/v1/messages")
ROUNDS = 20 if SOAK else 3


def chat(**fields):
    return {"messages": [{"role": "user", "content": "the rain"}], "max_tokens": 8, "seed": 1, **fields}


class HostileTest(unittest.TestCase):
    def flat(self, server, round_of, most_mib, warm_up=2):
        """Rounds leave no more memory behind than this, once the first have filled what is kept for good."""
        for _ in range(warm_up):
            round_of()
        wait_until_idle(server)
        before = rss_anon(server)
        for _ in range(ROUNDS):
            round_of()
        wait_until_idle(server)
        grown = rss_anon(server) - before
        self.assertLessEqual(grown, most_mib * MIB, f"{grown / MIB:.1f} MiB more after {ROUNDS} rounds")
        self.alive(server)

    def alive(self, server):
        status, _, answer = server.post(CHAT, chat())
        self.assertEqual(status, 200, answer)

    def test_bodies_of_a_gib(self):
        with serving("--max-body-mib", 2) as server:
            def send(length):
                """As a client that goes on sending whatever it hears; the first line of the answer."""
                head = HEAD % CHAT + (f"Content-Length: {1 << 30}\r\n\r\n" if length else "Transfer-Encoding: chunked\r\n\r\n")
                piece = b"x" * MIB if length else b"100000\r\n" + b"x" * MIB + b"\r\n"
                with server.raw(head.encode()) as connection:
                    with contextlib.suppress(ConnectionError, TimeoutError):
                        for _ in range(1024):
                            connection.settimeout(5)
                            connection.sendall(piece)
                            if select.select([connection], [], [], 0)[0]:
                                break
                    with contextlib.suppress(ConnectionError):
                        return connection.recv(100)
                return b""

            heard = []

            def round_of():
                with concurrent.futures.ThreadPoolExecutor(8) as pool:
                    heard.extend(said for said in pool.map(send, [i % 2 == 0 for i in range(8)]) if said)

            self.flat(server, round_of, 8)
            # A client whose system reports the end of the connection first hears nothing.
            self.assertGreater(len(heard), ROUNDS)
            self.assertEqual({line.split()[1] for line in heard}, {b"413"})

    def test_a_body_of_many_tiny_chunks(self):
        with serving() as server:
            self.alive(server)
            before, size = cpu_seconds(server), 2 * MIB
            with server.raw((HEAD % "/tokenize").encode() + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * size) as connection:
                connection.sendall(b"F\r\n" + b'{"prompt": "x"}' + b"\r\n0\r\n\r\n")
                self.assertIn(b" 200 ", connection.recv(100))
            self.assertLess(cpu_seconds(server) - before, 1)

    def test_many_bodies_at_once_are_bounded_together(self):
        with serving("--max-body-mib", 16) as server:
            before = rss_anon(server)
            head = (HEAD % CHAT + f"Content-Length: {16 * MIB}\r\n\r\n").encode()
            connections, refused = [], 0
            for _ in range(24):
                connection = server.raw(head)
                connection.settimeout(5)
                with contextlib.suppress(ConnectionError, TimeoutError):
                    connection.sendall(b" " * (15 * MIB))
                connections.append(connection)
            time.sleep(0.5)
            self.assertLess(rss_anon(server) - before, 400 * MIB)
            for connection in connections:
                if select.select([connection], [], [], 0)[0]:
                    with contextlib.suppress(ConnectionError):
                        refused += b" 503 " in connection.recv(100)
                connection.close()
            self.assertGreater(refused, 0)
            self.alive(server)

    def test_nesting_of_100000(self):
        with serving() as server:
            bodies = [prefix + opening * 100000 + closing * 100000 + suffix for prefix, suffix in (("", ""), ('{"messages":', "}"))
                      for opening, closing in (("[", "]"), ('{"a":', "}"))]

            def round_of():
                for path in PATHS:
                    for body in bodies:
                        self.assertEqual(server.request("POST", path, body, {"Content-Type": "application/json"})[0], 400)

            self.flat(server, round_of, 8)

    def test_idle_connections(self):
        with serving() as server:
            tasks = lambda: len(os.listdir(f"/proc/{server.process.pid}/task"))
            count, threads = allow_sockets(2000), tasks()
            before = rss_anon(server)
            kinds = (b"", b"POST /v1/chat/completions HTTP/1.1\r\nHost:", request_bytes(CHAT, chat())[:-1],
                     b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            idle = [server.raw(kinds[i % len(kinds)]) for i in range(count)]
            self.alive(server)
            self.assertLessEqual(tasks(), threads)
            each = (rss_anon(server) - before) / count
            self.assertLess(each, 64 * 1024, f"{each / 1024:.0f} KiB for each connection")
            for connection in idle:
                connection.close()
            self.alive(server)

    def test_out_of_files(self):
        """Idle connections that have all the files there are leave for those who ask, and nobody waits busily."""
        with serving() as server:
            used = len(os.listdir(f"/proc/{server.process.pid}/fd"))
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used + 40, used + 40))
            allow_sockets(500)
            idle = [server.raw() for _ in range(200)]
            start = time.monotonic()
            for _ in range(20):
                self.alive(server)
            self.assertLess(time.monotonic() - start, 20)
            for connection in idle:
                connection.close()
            # All places taken by requests that have begun: who comes waits in the queue of the system.
            begun = [server.raw(b"GET /health HTTP/1.1\r\n") for _ in range(60)]
            time.sleep(0.5)
            before = cpu_seconds(server)
            time.sleep(2)
            self.assertLess(cpu_seconds(server) - before, 0.5)
            for connection in begun:
                connection.close()
            self.alive(server)

    def test_the_end_under_load(self):
        with serving("--drain-seconds", 1, "--max-sequences", 4) as server:
            endless = chat(stream=True, max_tokens=None, ignore_eos=True, n=3, logprobs=True, top_logprobs=20)
            kinds = (b"", b"GET /hea", request_bytes(CHAT, chat())[:-1], request_bytes(CHAT, endless), request_bytes(CHAT, {**endless, "stream": False}),
                     request_bytes(CHAT, chat(max_tokens=None)) * 20, os.urandom(50))
            clients = [server.raw(kinds[i % len(kinds)]) for i in range(140)]
            time.sleep(0.5)
            start = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(30), 0)
            self.assertLess(time.monotonic() - start, 10)
            for connection in clients:
                connection.close()

    def test_half_open_connections_are_ended(self):
        """Those that began a request and say nothing more have 15 s for its headers."""
        with serving() as server:
            slow = [server.raw(b"POST /v1/chat/completions HTTP/1.1\r\nHost: loc") for _ in range(50)]
            start = time.monotonic()
            for _ in range(10):
                # A byte now and then is no way to stay longer.
                for connection in slow:
                    with contextlib.suppress(ConnectionError):
                        connection.sendall(b"a")
                self.alive(server)
                time.sleep(1)
            for connection in slow:
                connection.settimeout(30)
                with contextlib.suppress(ConnectionError):
                    self.assertEqual(connection.recv(1), b"")
                connection.close()
            self.assertLess(time.monotonic() - start, 25)

    def test_slow_readers(self):
        with serving("--max-waiting", 100) as server:
            def read_little():
                connection = socket.socket()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.connect(("127.0.0.1", server.port))
                connection.sendall(request_bytes(CHAT, chat(stream=True, max_tokens=400, ignore_eos=True, logprobs=True, top_logprobs=20)))
                return connection

            def round_of():
                readers = [read_little() for _ in range(16)]
                for connection in readers:
                    connection.recv(100)
                for _ in range(4):
                    self.alive(server)
                for connection in readers:
                    connection.close()

            self.flat(server, round_of, 8)

    def test_clients_that_go_amid_their_request(self):
        with serving() as server:
            data = request_bytes(CHAT, chat(stream=True))

            def round_of():
                for end in range(0, len(data), 5):
                    server.raw(data[:end]).close()

            self.flat(server, round_of, 8)

    def test_rubbish(self):
        with serving() as server:
            def round_of():
                for i in range(100):
                    with server.raw(os.urandom(1 + 97 * i)) as connection:
                        connection.settimeout(20)
                        with contextlib.suppress(ConnectionError):
                            connection.shutdown(socket.SHUT_WR)
                            connection.recv(1000)

            self.flat(server, round_of, 8)


if __name__ == "__main__":
    unittest.main()
