"""tokenize, template, eval, bench, completions and the words of the command line."""
import hashlib
import json
import math
import os
import shutil
import struct
import subprocess
import unittest

from harness import INGLE, TIMEOUT_S, TINY, CliTest, gguf

CHAT = [{"role": "user", "content": "the rain"}]


class UsageTest(CliTest):
    def test_version_and_help(self):
        self.assertRegex(self.ok("--version").out, r"^ingle \d+\.\d+\.\d+\n$")
        for args in (["--help"], ["run", "--help"], ["eval", "--help"], ["eval", "logprobs", "--help"]):
            self.assertIn("Usage: ingle", self.ok(*args).out)

    def test_usage_errors(self):
        for args in ([], ["nosuch"], ["--nosuch"], ["run"], ["show"], ["rm"], ["import"], ["tokenize"], ["eval"],
                     ["eval", "nosuch"], ["eval", "logprobs", "m"], ["eval", "perplexity", "m"], ["template", "m"],
                     ["bench"], ["completions"], ["completions", "tcsh"], ["show", "m", "--nosuch"], ["list", "extra"],
                     ["show", "m", "--json", "--template"], ["eval", "logprobs", "m", "--tokens", "x", "--digest", "--top", "3"],
                     ["run", "m", "x", "--raw", "--system", "y"]):
            with self.subTest(args):
                self.fails(*args, code=2)

    def test_a_mistyped_word_is_told_with_what_was_meant(self):
        for args, says in ((["rn"], "no command rn (did you mean run?"), (["xyzzy"], "no command xyzzy (ingle --help"),
                           (["eval", "logprob"], "ingle eval has no command logprob (did you mean logprobs?"),
                           (["--thread"], "no option --thread"), (["eval", "--top", "logprobs"], "no option --top"),
                           (["run", TINY, "x", "--treads", "2"], "--treads")):
            with self.subTest(args):
                self.fails(*args, code=2, says=says)

    def test_negative_and_absurd_numbers(self):
        bad = {
            "run": {"--threads": ["-1", "0", "1.5", "x", "", "99999999", "1e3", "18446744073709551617"],
                    "--context": ["-1", "0", "4294967297", "16777217", "1e9", "x"], "--prefill-chunk": ["-1", "0", "999999999"],
                    "--kv": ["f8", "", "F16 "], "--isa": ["sse", ""],
                    "--temperature": ["-0.1", "nan", "inf", "-inf", "1e30", "x", "", "0,5"],
                    "--top-k": ["-1", "1.5", "99999999999"], "--top-p": ["-0.1", "1.1", "nan"],
                    "--min-p": ["-1", "2"], "--typical-p": ["-1", "2"], "--repeat-penalty": ["-1", "nan", "inf"],
                    "--repeat-last-n": ["-2", "x"], "--presence-penalty": ["nan", "1e30"],
                    "--frequency-penalty": ["nan", "1e30"], "--seed": ["-1", "x", "18446744073709551616"],
                    "--max-tokens": ["-1", "4294967296", "x"], "--min-tokens": ["-1", "x"]},
            "bench": {"--prompt": ["-1", "x", "4294967296"], "--generate": ["-1", "99999999999"],
                      "--users": ["0", "-1", "1,0", "x", "1,,2x", "1000000"], "--repeat": ["0", "-1", "99999999"]},
        }
        for command, options in bad.items():
            for option, values in options.items():
                for value in values:
                    with self.subTest(f"{command} {option} {value}"):
                        self.fails(command, TINY, f"{option}={value}", code=2, says=option)

    def test_the_environment_names_the_kernels(self):
        self.env["INGLE_ISA"] = "scalar"
        self.assertIn("scalar", self.ok("run", TINY, "x", "--max-tokens", "1", "--verbose").err)
        self.assertNotIn("scalar", self.ok("run", TINY, "x", "--max-tokens", "1", "--verbose", "--isa",
                                           json.loads(json.dumps(self.best_isa()))).err)
        self.env["INGLE_ISA"] = "nosuch"
        self.fails("run", TINY, "x", code=2, says="nosuch")

    def best_isa(self):
        outcome = self.ingle("run", TINY, "x", "--isa", "nosuch")
        return outcome.err.split("runs ")[1].split(",")[0]

    def complete(self, shell, line):
        """What the shell offers at the end of the line."""
        script = self.ok("completions", shell).out
        if shell == "bash":
            words = line.replace(":", " : ").split(" ") if ":" in line else line.split(" ")
            script += (f"COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
                       f"COMP_LINE='{line}'; COMP_POINT={len(line)}; _ingle; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        else:
            script += f"complete -C '{line}'"
        bin_folder = self.folder / "bin"
        bin_folder.mkdir(exist_ok=True)
        if not (bin_folder / "ingle").exists():
            (bin_folder / "ingle").symlink_to(INGLE)
        env = dict(self.env, PATH=f"{bin_folder}:{os.environ['PATH']}", HOME=str(self.folder))
        out = subprocess.run([shell, "-c", script], stdout=subprocess.PIPE, env=env, cwd=self.folder, check=False).stdout
        return sorted(row.split("\t")[0] for row in out.decode().splitlines() if row)

    def test_completions(self):
        script = self.ok("completions", "bash").out
        self.assertEqual(subprocess.run(["bash", "-n"], input=script.encode(), check=False).returncode, 0)
        self.ok("import", TINY)
        self.ok("import", TINY, "--name", "tiny-other:v1")
        self.write("tiny-file.gguf", b"")
        for shell in filter(shutil.which, ("bash", "fish")):
            with self.subTest(shell):
                complete = lambda line: self.complete(shell, line)
                self.assertEqual(complete("ingle ru"), ["run"])
                self.assertEqual(complete("ingle eval lo"), ["logprobs"])
                self.assertEqual(complete("ingle eval logprobs --to"), ["--tokens", "--top"])
                self.assertEqual(complete("ingle run tiny-llama --prefill"), ["--prefill-chunk"])
                self.assertEqual(complete("ingle ser"), ["serve"])
                self.assertEqual(complete("ingle serve tiny-llama --api"), ["--api-key", "--api-key-file"])
                self.assertEqual(complete("ingle completions f"), ["fish"])
                self.assertEqual(complete("ingle rm tiny"), ["tiny-llama", "tiny-other:v1"])
                self.assertEqual(complete("ingle run tiny"), ["tiny-file.gguf", "tiny-llama", "tiny-other:v1"])
                tagged = "v1" if shell == "bash" else "tiny-other:v1"  # bash completes what follows the colon
                self.assertIn(tagged, complete("ingle run tiny-other:"))
        for shell in ("zsh", "fish"):
            self.assertIn("prefill-chunk", self.ok("completions", shell).out)


class InputTest(CliTest):
    """Files that are none, or have no end."""

    def commands(self, text):
        """Every option that names a file to read, with `text` as that file."""
        messages = self.write("messages.json", CHAT)
        return [["template", TINY, "--messages", text], ["template", TINY, "--messages", messages, "--tools", text],
                ["template", TINY, "--messages", messages, "--vars", text], ["eval", "logprobs", TINY, "--tokens", text],
                ["tokenize", TINY, "--file", text], ["eval", "perplexity", TINY, text]]

    @unittest.skipUnless(os.path.exists("/dev/zero"), "needs /dev/zero")
    def test_input_without_end(self):
        for command in self.commands("/dev/zero"):
            with self.subTest(command):
                self.fails(*command, says="/dev/zero is longer than")
        for command in (["run", TINY], ["tokenize", TINY]):
            with self.subTest(command), open("/dev/zero", "rb") as zero:
                cat = subprocess.Popen(["cat"], stdin=zero, stdout=subprocess.PIPE)
                self.fails(*command, stdin=cat.stdout, says="standard input is longer than")
                cat.stdout.close()
                cat.wait()

    def test_folders_and_absent_files(self):
        for command in self.commands(self.folder):
            with self.subTest(command):
                self.fails(*command, says=str(self.folder))
        for command in self.commands("absent"):
            with self.subTest(command):
                self.fails(*command, says="absent")

    def test_a_json_file_through_a_pipe(self):
        os.mkfifo(self.folder / "pipe")
        writer = subprocess.Popen(["sh", "-c", f"echo '{json.dumps(CHAT)}' > {self.folder}/pipe"])
        self.assertIn("the rain", self.ok("template", TINY, "--messages", self.folder / "pipe").out)
        self.assertEqual(writer.wait(), 0)
        self.assertIn("the rain", self.ok("template", TINY, "--messages", "-", stdin=json.dumps(CHAT).encode()).out)

    def test_models_that_are_no_files(self):
        os.mkfifo(self.folder / "pipe.gguf")
        messages = self.write("messages.json", CHAT)
        for model in ("pipe.gguf", f"{self.folder}/", "/dev/null", "/dev/zero"):
            for command in (["run", model, "x"], ["show", model], ["import", model], ["bench", model], ["tokenize", model],
                            ["template", model, "--messages", messages], ["eval", "perplexity", model, messages]):
                with self.subTest(command):
                    self.fails(*command, says="not a regular file")
        self.assertEqual(list(self.home.rglob("*")), [])

    def test_a_file_that_may_not_be_read(self):
        model = self.write("secret.gguf", TINY.read_bytes())
        model.chmod(0)
        if os.access(model, os.R_OK):
            self.skipTest("root may read everything")
        for command in (["run", model, "x"], ["import", model], ["tokenize", TINY, "--file", model]):
            self.fails(*command, says="Permission denied")

    def test_waiting_for_input_is_told(self):
        for command in (["run", TINY, "--max-tokens", "1"], ["tokenize", TINY]):
            process = subprocess.Popen([INGLE, *map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=self.env)
            self.assertIn(b"waiting for the end of standard input", process.stderr.readline())
            out, err = process.communicate(b"the rain", timeout=TIMEOUT_S)
            self.assertEqual((process.returncode, err), (0, b""))
            self.assertNotEqual(out, b"")


class TokenizeTest(CliTest):
    def test_stdin_and_file_give_one_json_array(self):
        text = self.write("t.txt", "the rain\n".encode())
        ids = json.loads(self.ok("tokenize", TINY, stdin=b"the rain\n").out)
        self.assertEqual(json.loads(self.ok("tokenize", TINY, "--file", text).out), ids)
        self.assertGreater(len(ids), 1)
        self.assertEqual(self.ok("tokenize", TINY, stdin=b"").out, "[]\n")

    def test_special_tokens(self):
        shown = json.loads(self.ok("show", TINY, "--json").out)["metadata"]
        eos = shown["tokenizer.ggml.eos_token_id"]
        messages = self.write("m.json", CHAT)
        rendered = self.ok("template", TINY, "--messages", messages, "--vars", self.write("v.json", {})).out
        self.assertIn("the rain", rendered)
        plain = json.loads(self.ok("tokenize", TINY, "--no-bos", stdin=b"the rain").out)
        self.assertNotIn(eos, plain)

    def test_any_bytes(self):
        for text in (bytes(range(256)), b"\xff\xfe", b"\0", b"a" * 300000, b" " * 300000, "🙂".encode() * 50000):
            ids = json.loads(self.ok("tokenize", TINY, stdin=text).out)
            self.assertTrue(all(0 <= i < 1 << 31 for i in ids))

    def test_a_vocabulary_alone_will_do_and_no_vocabulary_will_not(self):
        self.fails("tokenize", self.write("none.gguf", gguf({"general.architecture": "llama"})), stdin=b"x")
        self.fails("tokenize", TINY, "--file", "absent.txt", says="absent.txt")
        self.fails("tokenize", "absent.gguf", says="absent.gguf")
        self.fails("tokenize", TINY, "--file", self.folder)


class TemplateTest(CliTest):
    def test_renders_messages_tools_and_variables(self):
        template = self.write("t.jinja", b"{% for m in messages %}[{{ m.role }}|{{ m.content }}]{% endfor %}"
                              b"{% if tools %}{{ tools | tojson }}{% endif %}{{ x }}"
                              b"{% if add_generation_prompt %}>{% endif %}")
        messages = self.write("m.json", [{"role": "user", "content": "hé\n"}])
        run = lambda *more: self.ok("template", template, "--messages", messages, *more).raw_out
        self.assertEqual(run(), "[user|hé\n]>".encode())
        self.assertEqual(run("--no-generation-prompt"), "[user|hé\n]".encode())
        self.assertEqual(run("--tools", self.write("tools.json", [{"b": 1, "a": 2}])), "[user|hé\n][{\"b\": 1, \"a\": 2}]>".encode())
        self.assertEqual(run("--vars", self.write("v.json", {"x": "y"})), "[user|hé\n]y>".encode())

    def test_bad_input(self):
        template = self.write("t.jinja", b"{{ raise_exception('no\\nway\\x1b') }}")
        messages = self.write("m.json", CHAT)
        self.fails("template", template, "--messages", messages, says="no")
        self.fails("template", self.write("b.jinja", b"{% for %}"), "--messages", messages)
        self.fails("template", self.write("u.jinja", b"\xff"), "--messages", messages)
        self.fails("template", self.write("l.jinja", b"{% for i in range(10**9) %}x{% endfor %}"), "--messages", messages)
        good = self.write("g.jinja", b"ok")
        self.fails("template", "absent.jinja", "--messages", messages, says="absent.jinja")
        self.fails("template", good, "--messages", "absent.json", says="absent.json")
        for name, content in {"n.json": b"[1", "o.json": b"{}", "e.json": b"", "x.json": b"[]x", "u.json": b'["\xff"]',
                              "d.json": b"[" * 100000}.items():
            with self.subTest(name):
                self.fails("template", good, "--messages", self.write(name, content), says=name)
        self.fails("template", good, "--messages", messages, "--vars", messages, says="object")
        self.fails("template", good, "--messages", messages, "--tools", self.write("t2.json", {}), says="array")
        self.fails("template", self.write("none.gguf", gguf({"general.architecture": "llama"})), "--messages", messages,
                   says="no chat template")


class EvalTest(CliTest):
    def logprobs(self, ids, *args, model=TINY):
        out = self.ok("eval", "logprobs", model, "--tokens", self.write("ids.json", ids), *args).out
        return [json.loads(line) for line in out.splitlines()]

    def test_every_position_with_the_whole_vocabulary(self):
        vocab = json.loads(self.ok("show", TINY, "--json").out)["metadata"]["llama.vocab_size"]
        ids = [1, 2, 3, 4, 5]
        rows = self.logprobs(ids, "--top", 2**32 - 1)
        self.assertEqual([r["position"] for r in rows], list(range(5)))
        for row in rows:
            self.assertEqual(list(row), ["position", "ids", "logprobs"])
            self.assertEqual(sorted(row["ids"]), list(range(vocab)))
            pairs = list(zip((-p for p in row["logprobs"]), row["ids"]))
            self.assertEqual(pairs, sorted(pairs), "most likely first, ties by the lower id")
            self.assertAlmostEqual(math.fsum(map(math.exp, row["logprobs"])), 1, places=5)
        short = self.logprobs(ids, "--top", 3)
        self.assertEqual([r["ids"] for r in short], [r["ids"][:3] for r in rows])
        self.assertEqual([r["logprobs"] for r in short], [r["logprobs"][:3] for r in rows])
        self.assertTrue(all(len(r["ids"]) == 10 for r in self.logprobs(ids)))

    def test_one_digest_for_every_way_to_compute_it(self):
        ids = self.write("ids.json", [i * 7 % 280 for i in range(100)])
        digest = self.ok("eval", "logprobs", TINY, "--tokens", ids, "--digest").out
        self.assertRegex(digest, "^[0-9a-f]{64}\n$")
        for args in (["--threads", "1"], ["--threads", "3"], ["--prefill-chunk", "1"], ["--prefill-chunk", "7"],
                     ["--isa", "scalar"], ["--context", "100"]):
            with self.subTest(args):
                self.assertEqual(self.ok("eval", "logprobs", TINY, "--tokens", ids, "--digest", *args).out, digest)
        self.assertNotEqual(self.ok("eval", "logprobs", TINY, "--tokens", ids, "--digest", "--kv", "q8_0").out, digest)

    def test_a_prompt_of_the_whole_context_and_one_more(self):
        ids = [5] * 40
        self.assertEqual(len(self.logprobs(ids, "--context", 40)), 40)
        self.fails("eval", "logprobs", TINY, "--tokens", self.write("ids.json", ids), "--context", 39, says="39")

    def test_ops_can_be_dumped_by_name(self):
        ids = self.write("ids.json", [1, 2, 3])
        outcome = self.ok("eval", "logprobs", TINY, "--tokens", ids, "--dump-ops", "attn_norm")
        rows = [json.loads(line) for line in outcome.err.splitlines()]
        width = json.loads(self.ok("show", TINY, "--json").out)["metadata"]["llama.embedding_length"]
        self.assertTrue(all("attn_norm" in row["op"] and len(row["values"]) == width for row in rows))
        self.assertTrue(rows)
        self.assertEqual(outcome.out, self.ok("eval", "logprobs", TINY, "--tokens", ids).out)

    def test_bad_token_files(self):
        for name, content in {"a": b"", "b": b"{}", "c": b"[]", "d": b"[1.5]", "e": b"[-1]", "f": b"[\"1\"]", "g": b"[1",
                              "h": b"[99999999999999999999]", "i": b"[2147483648]", "j": b"[null]", "k": b"[" * 10**6}.items():
            with self.subTest(content[:20]):
                self.fails("eval", "logprobs", TINY, "--tokens", self.write(name, content))
        self.fails("eval", "logprobs", TINY, "--tokens", self.write("v", [100000]), says="100000")
        self.fails("eval", "logprobs", TINY, "--tokens", "absent.json", says="absent.json")

    def test_perplexity_is_that_of_the_log_probabilities(self):
        text = ("the rain in the " * 60).encode()
        path = self.write("t.txt", text)
        for context in (32, 64, 4000):
            out = json.loads(self.ok("eval", "perplexity", TINY, path, "--context", context, "--json").out)
            ids = json.loads(self.ok("tokenize", TINY, "--no-bos", stdin=text).out)
            window = min(out["window_tokens"], len(ids))
            losses = []
            for start in range(0, len(ids) - window + 1, window):
                part = ids[start : start + window]
                rows = self.logprobs(part, "--top", 10**6)
                for i in range(window // 2, window):
                    row = rows[i - 1]
                    losses.append(-row["logprobs"][row["ids"].index(part[i])])
            self.assertEqual(out["tokens"], len(losses))
            self.assertAlmostEqual(out["nats_per_token"], math.fsum(losses) / len(losses), places=5)
            self.assertAlmostEqual(out["perplexity"], math.exp(math.fsum(losses) / len(losses)), delta=0.01)
        self.assertTrue(self.ok("eval", "perplexity", TINY, path).out.startswith("perplexity "))
        self.fails("eval", "perplexity", TINY, self.write("empty.txt", b""), says="too short")
        self.fails("eval", "perplexity", TINY, "absent.txt", says="absent.txt")


class BenchTest(CliTest):
    def test_json(self):
        rows = json.loads(self.ok("bench", TINY, "--prompt", 64, "--generate", 8, "--users", "1,3", "--repeat", 2, "--json").out)
        self.assertEqual([r["users"] for r in rows], [1, 3])
        for row in rows:
            self.assertEqual(list(row), ["users", "prefill_tok_s", "decode_tok_s", "prefill_runs_tok_s", "decode_runs_tok_s"])
            for kind in ("prefill", "decode"):
                runs = row[f"{kind}_runs_tok_s"]
                self.assertEqual(len(runs), 2)
                self.assertGreater(min(runs), 0)
                self.assertAlmostEqual(row[f"{kind}_tok_s"], sum(runs) / 2)
        self.assertEqual(len(self.ok("bench", TINY, "--prompt", 8, "--generate", 2, "--users", "2", "--repeat", 1).out.splitlines()), 2)

    def test_taking_turns(self):
        given = ("bench", TINY, "--prompt", 8, "--generate", 2, "--users", 1, "--repeat", 2, "--take-turns")
        self.assertEqual(self.ok(*given, stdin=b"\n" * 4).err.splitlines().count("ready"), 4)
        cut_short = self.ingle(*given, stdin=b"\n" * 3)
        self.assertEqual(cut_short.code, 1)
        self.assertIn("standard input ended", cut_short.err)

    def test_files_that_are_no_models_we_run(self):
        self.fails("bench", self.write("x.gguf", gguf({"general.architecture": "mamba"}, [("t", [1.0] * 32)])), says="mamba")
        self.fails("bench", self.write("y.gguf", gguf({"general.architecture": "llama"}, [("t", [1.0] * 32)])))
        self.fails("bench", self.write("z.gguf", gguf({}, [])))


if __name__ == "__main__":
    unittest.main()
