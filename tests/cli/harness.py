"""What the tests of the command share: running it with a store of its own, and the smallest GGUF files."""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parent.parent
INGLE = os.environ.get("INGLE", str(TESTS.parent / "build/release/ingle"))
TINY = TESTS / "models" / "tiny-llama.gguf"
TINY_OTHER = TESTS / "models" / "tiny-qwen2.gguf"
TIMEOUT_S = 120
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Outcome:
    def __init__(self, code, out, err):
        self.code, self.raw_out, self.raw_err = code, out, err
        self.out, self.err = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def __repr__(self):
        return f"exit code {self.code}\nstdout: {self.out[:2000]!r}\nstderr: {self.err[:2000]!r}"


class CliTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ingle-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.home = self.folder / "home"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("INGLE")}
        self.env.update(INGLE_HOME=str(self.home), LC_ALL="C.UTF-8")

    def ingle(self, *args, stdin=b"", **options):
        """Runs the command; `stdin` is bytes, or what subprocess takes."""
        options.setdefault("stdout", subprocess.PIPE)
        if isinstance(stdin, bytes):
            options["input"] = stdin
        else:
            options["stdin"] = stdin
        done = subprocess.run([INGLE, *map(str, args)], stderr=subprocess.PIPE, env=self.env, cwd=self.folder,
                              timeout=TIMEOUT_S, check=False, **options)
        return Outcome(done.returncode, done.stdout or b"", done.stderr)

    def ok(self, *args, **options):
        outcome = self.ingle(*args, **options)
        self.assertEqual(outcome.code, 0, f"{args}: {outcome}")
        return outcome

    def fails(self, *args, code=1, says="", **options):
        """Fails with this code and one clear line on stderr, and writes no result."""
        outcome = self.ingle(*args, **options)
        self.assertEqual(outcome.code, code, f"{args}: {outcome}")
        self.assert_one_line(outcome, says, args)
        return outcome

    def assert_one_line(self, outcome, says, args=()):
        lines = outcome.err.splitlines()
        self.assertEqual(len(lines), 1, f"{args}: {outcome}")
        self.assertTrue(lines[0].startswith("ingle: "), f"{args}: {outcome}")
        self.assertIsNone(CONTROL.search(lines[0]), f"{args}: {outcome}")
        self.assertLess(len(lines[0]), 2000)
        self.assertIn(says, lines[0], f"{args}: {outcome}")

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    def snapshot(self):
        """Every path below the store, with its bytes."""
        return {str(p.relative_to(self.home)): p.read_bytes() if p.is_file() else None
                for p in sorted(self.home.rglob("*"))}


def gguf(metadata, tensors=()):
    """A GGUF file. Metadata: key -> str, int (u32), bool or list of str; tensors: (name, list of floats)."""
    def string(text):
        data = text if isinstance(text, bytes) else text.encode()
        return struct.pack("<Q", len(data)) + data

    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        out += string(key)
        if isinstance(value, bool):
            out += struct.pack("<IB", 7, value)
        elif isinstance(value, int):
            out += struct.pack("<II", 4, value)
        elif isinstance(value, list):
            out += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(string, value))
        else:
            out += struct.pack("<I", 8) + string(value)
    offset, data = 0, b""
    for name, floats in tensors:
        out += string(name) + struct.pack("<IQIQ", 1, len(floats), 0, offset)
        values = struct.pack(f"<{len(floats)}f", *floats)
        values += bytes(-len(values) % 32)
        data, offset = data + values, offset + len(values)
    return out + bytes(-len(out) % 32) + data
