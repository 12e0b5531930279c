"""What the tests of `ingle serve` share: a server on a free port, and requests by the standard library alone."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from harness import INGLE, TIMEOUT_S, TINY

LISTENING = re.compile(r"listening on https?://127\.0\.0\.1:(\d+)")


class Server:
    """`ingle serve` on a tiny model. `tls`: the client's SSL context, where it has a certificate."""
    tls = None

    def __init__(self, *args, model=TINY, env=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ingle-serve-"))
        environ = {k: v for k, v in os.environ.items() if not k.startswith("INGLE")}
        environ.update({"INGLE_HOME": str(self.folder / "home"), "LC_ALL": "C.UTF-8", **(env or {})})
        words = [INGLE, "serve", str(model), "--port", "0", "--threads", "1", *map(str, args)]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environ, text=True)
        self.port, said = None, ""
        for line in self.process.stderr:
            said += line
            if found := LISTENING.search(line):
                self.port = int(found.group(1))
                return
        raise AssertionError(f"the server did not start: {said}")

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection("localhost", self.port, timeout=TIMEOUT_S, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)

    def raw(self, data=b""):
        """A socket that has sent these bytes."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S)
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_hostname="localhost", suppress_ragged_eofs=False)
        connection.sendall(data)
        return connection

    def request(self, method, path, body=None, headers=None):
        """Status, headers and body (parsed if it is JSON)."""
        with contextlib.closing(self.connect()) as connection:
            given = {"Content-Type": "application/json"} if body is not None else {}
            given.update(headers or {})
            data = body if isinstance(body, (bytes, str, type(None))) else json.dumps(body)
            connection.request(method, path, data, given)
            response = connection.getresponse()
            raw = response.read()
            is_json = response.headers.get("Content-Type") == "application/json" and raw
            return response.status, response.headers, json.loads(raw) if is_json else raw

    def post(self, path, body, **headers):
        return self.request("POST", path, body, headers)

    def stop(self):
        """Ends it as a service manager does; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(TIMEOUT_S)
        finally:
            self.process.kill()
            self.process.stderr.close()
            shutil.rmtree(self.folder, ignore_errors=True)


def chat(content="the rain", **fields):
    return {"messages": [{"role": "user", "content": content}], "max_tokens": 12, "seed": 1, **fields}


def post_bytes(path, body, extra=""):
    """A request as it goes over the wire; `extra`: more header lines."""
    data = json.dumps(body).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{extra}"
            f"Content-Length: {len(data)}\r\n\r\n").encode() + data


def read_all(connection):
    out = b""
    while part := connection.recv(65536):
        out += part
    return out


def events(raw):
    """The JSON of each event of a stream, which must end as OpenAI's do."""
    lines = [line for line in raw.decode().split("\n\n") if line]
    assert lines[-1] == "data: [DONE]", lines[-1]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


class ServerTest(unittest.TestCase):
    ARGS = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.ARGS)

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        assert code == 0, f"exit code {code}"

    def ok(self, path, body, **headers):
        status, _, answer = self.server.post(path, body, **headers)
        self.assertEqual(status, 200, answer)
        return answer

    def assert_a_slow_reader_holds_up_nobody(self, max_tokens):
        path, scores = "/v1/chat/completions", {"logprobs": True, "top_logprobs": 20}
        with self.server.raw() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.sendall(post_bytes(path, chat(max_tokens=max_tokens, ignore_eos=True, stream=True, **scores)))
            for _ in range(5):
                self.ok(path, chat())
            said = b""
            while b"data: [DONE]" not in said:
                part = slow.recv(65536)
                self.assertTrue(part)
                said = said[-100:] + part

    def refused(self, status, path, body, says="", **headers):
        got, answer_headers, answer = self.server.post(path, body, **headers)
        self.assertEqual(got, status, f"{str(body)[:300]}: {answer}")
        self.assertEqual(set(answer["error"]), {"message", "type", "param", "code"})
        self.assertIn(says, answer["error"]["message"])
        self.assertTrue(answer_headers["x-request-id"])
        return answer["error"]
