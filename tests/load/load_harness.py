"""What the load tests share. INGLE_LOAD=soak makes them long; INGLE_LOAD_MODEL is a model other than the tiny one."""
import contextlib
import ctypes
import json
import os
import pathlib
import re
import resource
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))

from harness import TINY  # noqa: E402
from server_harness import Server  # noqa: E402

SOAK = os.environ.get("INGLE_LOAD") == "soak"
MODEL = os.environ.get("INGLE_LOAD_MODEL", str(TINY))
HEAD = "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
MIB = 1 << 20


def rss_anon(server):
    """Bytes of the server's own memory: without files that are mapped."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status).group(1)) * 1024


def cpu_seconds(server):
    """Of all its threads since it was started."""
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def request_bytes(path, body):
    data = json.dumps(body).encode()
    return (HEAD % path + f"Content-Length: {len(data)}\r\n\r\n").encode() + data


def vanish(connection):
    """From now on this end hears and confirms nothing, as if its cable were cut: the kernel drops what comes. Linux alone."""
    nothing = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # BPF: take 0 bytes of each packet
    connection.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_ATTACH_FILTER", 26),
                          struct.pack("HP", 1, ctypes.addressof(nothing)))


def allow_sockets(count):
    """Raises the limit on open files; how many sockets there may be."""
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(limit, count + 500), most), most))
    return min(count, most - 500)


def metric(server, name, label=""):
    """The sum of a metric's values over all labels, or over those that have this one in them."""
    status, _, body = server.request("GET", "/metrics")
    assert status == 200
    lines = [line for line in body.decode().splitlines() if re.match(rf"{re.escape(name)}[ {{]", line) and label in line]
    assert lines, name
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def wait_until_idle(server, seconds=60):
    """All answers have ended and given their pages back."""
    until = time.monotonic() + seconds
    names = ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc")
    while any(left := [metric(server, name) for name in names]):
        assert time.monotonic() < until, f"still running, waiting, part of the pages: {left}"
        time.sleep(0.02)


@contextlib.contextmanager
def serving(*args, model=TINY):
    server = Server(*args, model=model)
    try:
        yield server
        code = server.stop()
        assert code == 0, f"exit code {code}"
    finally:
        if server.process.poll() is None:
            server.stop()
