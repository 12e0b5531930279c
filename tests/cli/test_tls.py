"""serve: TLS, with certificates that are made here."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from harness import TIMEOUT_S, TINY, CliTest
from server_harness import Server, ServerTest, chat, events, post_bytes, read_all

CHAT = "/v1/chat/completions"


def make_pair(folder, name, *more):
    """A self-signed certificate for localhost and its key, as paths."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key),
                    "-out", str(cert), *(more or ("-nodes",))], check=True, capture_output=True)
    return cert, key


def client_context(cert):
    return ssl.create_default_context(cafile=str(cert))


class TlsTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="ingle-tls-"))
        cls.cert, key = make_pair(cls.folder, "server")
        cls.server = Server("--tls-cert", cls.cert, "--tls-key", key, "--max-sequences", 2, "--max-waiting", 1,
                            "--max-body-mib", 1)
        cls.server.tls = client_context(cls.cert)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.folder)

    def test_answers_are_those_without_tls(self):
        plain = Server()
        self.addCleanup(plain.stop)
        text = lambda raw: "".join(c["delta"].get("content", "") for e in events(raw) for c in e["choices"])
        for fields in ({}, {"stream": True}, {"n": 3, "logprobs": True, "top_logprobs": 3}):
            body = chat(temperature=1, **fields)
            ours, theirs = self.ok(CHAT, body), plain.post(CHAT, body)[2]
            if "stream" in fields:
                self.assertEqual(text(ours), text(theirs))
            else:
                self.assertEqual(ours["choices"], theirs["choices"])

    def test_a_connection_takes_many_requests(self):
        with contextlib.closing(self.server.connect()) as connection:
            for i in range(30):
                connection.request("POST", CHAT, json.dumps(chat(stream=i % 2 == 0)), {"Content-Type": "application/json"})
                response = connection.getresponse()
                self.assertEqual(response.status, 200)
                response.read()
        with self.server.raw(post_bytes(CHAT, chat()) * 3 + post_bytes(CHAT, chat(), "Connection: close\r\n")) as connection:
            # Reading to the end raises an error unless the server says that nothing follows.
            self.assertEqual(read_all(connection).count(b"HTTP/1.1 200 OK"), 4)

    def test_a_request_that_comes_during_an_answer_is_answered_next(self):
        with self.server.raw(post_bytes(CHAT, chat(stream=True, max_tokens=200, ignore_eos=True))) as connection:
            self.assertIn(b" 200 ", connection.recv(100))
            connection.sendall(post_bytes(CHAT, chat())[:50])
            time.sleep(0.05)
            connection.sendall(post_bytes(CHAT, chat())[50:] + b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = read_all(connection)
        self.assertIn(b"data: [DONE]", answer)
        self.assertIn(b"chat.completion\"", answer)
        self.assertTrue(answer.endswith(b'{"status":"ok"}\n'))

    def test_a_client_that_leaves_makes_room(self):
        endless = chat(max_tokens=None, ignore_eos=True, stream=True, n=3)
        for polite in (True, False) * 3:
            connection = self.server.raw(post_bytes(CHAT, endless))
            self.assertIn(b"200 OK", connection.recv(100))
            if polite:
                with contextlib.suppress(ssl.SSLError, OSError):
                    connection.unwrap()
            connection.close()
            until = time.monotonic() + 20
            while (status := self.server.post(CHAT, chat(n=3, max_tokens=1))[0]) == 429 and time.monotonic() < until:
                time.sleep(0.01)
            self.assertEqual(status, 200)

    def test_large_requests_are_refused_and_large_ones_taken(self):
        self.refused(413, CHAT, chat("x" * (2 << 20)))
        self.assertEqual(self.server.post("/tokenize", {"prompt": "rain " * 100000})[0], 200)

    def test_old_versions_and_plain_http_are_not_spoken(self):
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with contextlib.suppress(ssl.SSLError, ValueError):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=TIMEOUT_S) as connection:
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                old.wrap_socket(connection)
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=TIMEOUT_S) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                self.assertNotIn(b"HTTP/1.1 200", read_all(connection))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = client_context(self.cert)
            context.minimum_version = context.maximum_version = version
            context.set_alpn_protocols(["h2", "http/1.1"])
            with socket.create_connection(("127.0.0.1", self.server.port)) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as connection:
                    self.assertEqual(connection.selected_alpn_protocol(), "http/1.1")

    def test_connections_that_say_nothing_hold_up_nobody(self):
        tasks = lambda: len(os.listdir(f"/proc/{self.server.process.pid}/task"))
        before = tasks()
        silent = [socket.create_connection(("127.0.0.1", self.server.port)) for _ in range(100)]
        idle = [self.server.raw() for _ in range(100)]
        self.ok(CHAT, chat())
        self.assertLessEqual(tasks(), before)
        for connection in silent + idle:
            connection.close()
        self.ok(CHAT, chat())

    def test_a_slow_reader_holds_up_nobody(self):
        self.assert_a_slow_reader_holds_up_nobody(max_tokens=60)


class TlsStartAndEndTest(CliTest):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ingle-tls-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_what_is_no_pair_is_refused(self):
        cert, key = make_pair(self.folder, "one")
        _, other = make_pair(self.folder, "two")
        _, locked = make_pair(self.folder, "three", "-passout", "pass:secret")
        serve = lambda *args, says: self.fails("serve", TINY, "--port", "0", *args, says=says)
        serve("--tls-cert", cert, says="--tls-key")
        serve("--tls-key", key, says="--tls-cert")
        serve("--tls-cert", self.folder / "none", "--tls-key", key, says="none")
        serve("--tls-cert", cert, "--tls-key", other, says="belongs to another certificate")
        serve("--tls-cert", cert, "--tls-key", locked, says="passphrase")
        serve("--tls-cert", cert, "--tls-key", cert, says="no private key")
        serve("--tls-cert", key, "--tls-key", key, says="no certificate")
        serve("--tls-cert", self.write("empty", b""), "--tls-key", key, says="no certificate")

    def test_a_stream_is_finished_before_the_end(self):
        cert, key = make_pair(self.folder, "one")
        server = Server("--tls-cert", cert, "--tls-key", key)
        server.tls = client_context(cert)
        idle = server.raw()
        connection = server.connect()
        connection.request("POST", CHAT, json.dumps(chat(stream=True, ignore_eos=True, max_tokens=400)), {"Content-Type": "application/json"})
        response = connection.getresponse()
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(events(response.read())[-1]["choices"][0]["finish_reason"], "length")
        self.assertEqual(server.process.wait(60), 0)
        idle.close()
        connection.close()
        server.stop()


if __name__ == "__main__":
    unittest.main()
