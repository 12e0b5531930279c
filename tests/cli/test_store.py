"""import, list, show and rm."""
import json
import os
import subprocess
import unittest

from harness import INGLE, TINY, TINY_OTHER, CliTest, gguf


class StoreTest(CliTest):
    def test_import_list_show_rm(self):
        self.assertEqual(self.ok("list", "--json").out, "[]\n")
        self.assertFalse(self.home.exists(), "reading makes no store")
        imported = self.ok("import", TINY)
        self.assertEqual(imported.out, "tiny-llama\n")
        self.assertEqual(self.ok("import", TINY_OTHER, "--name", "Other:V1").out, "other:v1\n")
        names = [m["name"] for m in json.loads(self.ok("list", "--json").out)]
        self.assertEqual(names, ["other:v1", "tiny-llama"])
        table = self.ok("list").out.splitlines()
        self.assertEqual([row.split()[0] for row in table], ["NAME", "other:v1", "tiny-llama"])

        shown = json.loads(self.ok("show", "tiny-llama", "--json").out)
        self.assertEqual(shown["architecture"], "llama")
        self.assertEqual(shown["file_bytes"], TINY.stat().st_size)
        self.assertEqual(shown["metadata"]["llama.context_length"], shown["context_length"])
        self.assertEqual(sum(t["size_bytes"] for t in shown["tensors"]) // 4, shown["parameters"])
        self.assertIn("architecture", self.ok("show", "other:v1", "--metadata", "--tensors").out)
        self.assertEqual(self.ok("show", "tiny-llama", "--template").out, shown["metadata"]["tokenizer.chat_template"] + "\n")

        self.ok("rm", "other:v1", "tiny-llama")
        self.assertEqual(self.ok("list", "--json").out, "[]\n")
        self.assertEqual(list((self.home / "blobs").iterdir()), [])
        self.assertTrue(TINY.exists())

    def test_blobs_are_named_by_content_and_not_copied_where_a_link_will_do(self):
        copy = self.write("a.gguf", TINY.read_bytes())
        self.ok("import", copy, "--name", "a")
        self.ok("import", copy, "--name", "b")
        self.ok("import", copy, "--name", "b")
        digest = subprocess.run(["sha256sum", copy], stdout=subprocess.PIPE, check=True).stdout.split()[0].decode()
        blobs = list((self.home / "blobs").iterdir())
        self.assertEqual([b.name for b in blobs], ["sha256-" + digest])
        self.assertGreaterEqual(blobs[0].stat().st_nlink, 1)

    def test_a_model_is_found_by_name_and_by_path(self):
        self.ok("import", TINY)
        by_path = self.ok("tokenize", TINY, stdin=b"the rain").out
        self.assertEqual(self.ok("tokenize", "tiny-llama", stdin=b"the rain").out, by_path)
        self.assertEqual(self.ok("tokenize", "TINY-llama:latest", stdin=b"the rain").out, by_path)

    def test_the_default_home(self):
        del self.env["INGLE_HOME"]
        self.env["HOME"] = str(self.folder)
        self.ok("import", TINY)
        self.assertTrue((self.folder / ".local/share/ingle/manifests/tiny-llama/latest.json").exists())

    def test_bad_imports_leave_the_store_as_it_was(self):
        self.ok("import", TINY, "--copy")
        before = self.snapshot()
        data = TINY.read_bytes()
        bad = {
            "cut.gguf": data[: len(data) // 2],
            "header.gguf": data[:20],
            "empty.gguf": b"",
            "magic.gguf": b"GGML" + data[4:],
            "text.gguf": b"hello " * 1000,
            "zeros.gguf": bytes(100000),
            "huge.gguf": b"GGUF" + b"\x03\0\0\0" + b"\xff" * 1000,
        }
        for name, content in bad.items():
            with self.subTest(name):
                self.fails("import", self.write(name, content), says=name)
                self.assertEqual(self.snapshot(), before)
        self.fails("import", "absent.gguf", says="absent.gguf")
        self.fails("import", self.folder)
        self.fails("import", "/dev/null")
        self.fails("import", TINY_OTHER, "--name", "tiny-llama", says="ingle rm tiny-llama")
        self.assertEqual(self.snapshot(), before)

    def test_names_that_would_leave_the_store(self):
        for name in ["../evil", "a/b", "..", ".", "-x", "a:b:c", "a b", "", "x" * 1000, "a\nb", "é", ":", "a:"]:
            with self.subTest(name):
                self.fails("import", TINY, "--name=" + name, code=2)
                self.fails("rm", "--", name)
                self.fails("show", "--", name)
        self.assertFalse(self.home.exists())

    def test_unknown_models(self):
        for command in (["show"], ["rm"], ["tokenize"], ["run", "--max-tokens", "1"], ["bench"]):
            with self.subTest(command):
                self.fails(command[0], "nosuch", *command[1:], stdin=b"x", says="nosuch")
        self.ok("import", TINY)
        self.fails("show", "nosuch", says="(there are: tiny-llama)")
        for near in ("tiny-lama", "tiny-llama2", "tiny", "llama", "tiny-llama:v1"):
            self.fails("show", near, says="did you mean tiny-llama? there are: tiny-llama")
        self.fails("rm", "tiny-llama", "nosuch", says="nosuch")
        self.assertIn("tiny-llama", self.ok("list").out)
        for i in range(25):
            self.ok("import", TINY, "--name", f"copy-{i}")
        outcome = self.fails("show", "nosuch", says="ingle list shows all")
        self.assertNotIn("tiny-llama", outcome.err)

    def test_a_changed_blob_is_noticed(self):
        path = self.write("m.gguf", TINY.read_bytes())
        self.ok("import", path)
        blob = next((self.home / "blobs").iterdir())
        with open(blob, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\x7f")
        self.fails("tokenize", "m", stdin=b"x", says="ingle rm m")
        os.truncate(blob, 1000)
        self.fails("tokenize", "m", stdin=b"x", says="ingle rm m")

    def test_show_quotes_what_a_file_could_do_to_a_terminal(self):
        path = self.write("evil.gguf", gguf({"general.architecture": "\x1b[2Jllama\n", "general.name": b"\xff\x07",
                                             "evil\x1b[31m": "x\x1b]0;y\x07"}))
        for args in ([], ["--metadata"], ["--tensors"]):
            out = self.ok("show", path, *args).raw_out
            self.assertNotIn(b"\x1b", out)
            self.assertNotIn(b"\x07", out)
        shown = json.loads(self.ok("show", path, "--json").out)
        self.assertEqual(shown["metadata"]["general.name"], "\ufffd\x07")

    @unittest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
    def test_a_full_disk_under_stdout(self):
        self.ok("import", TINY)
        for args in (["list"], ["list", "--json"], ["show", "tiny-llama"], ["--version"], ["--help"],
                     ["completions", "bash"]):
            with self.subTest(args), open("/dev/full", "wb") as full:
                self.fails(*args, stdout=full, says="standard output")

    def test_a_closed_stdout(self):
        done = subprocess.run(["sh", "-c", f'exec "{INGLE}" --version >&-'], stderr=subprocess.PIPE, env=self.env,
                              check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)

    def test_a_reader_that_goes_away(self):
        names = {f"key.{i}": "x" * 50 for i in range(5000)}
        path = self.write("many.gguf", gguf({"general.architecture": "llama", **names}))
        process = subprocess.Popen([INGLE, "show", path, "--metadata"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.env)
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(), 1)
        self.assertEqual(err, b"")


if __name__ == "__main__":
    unittest.main()
