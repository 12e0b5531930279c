"""run: one prompt, and the chat on a terminal (a pseudo-terminal here)."""
import errno
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from harness import INGLE, TIMEOUT_S, TINY, CliTest, gguf

PROMPT = ">>> "
ONE = ["--max-tokens", "8", "--temperature", "0"]


class OneShotTest(CliTest):
    def test_prompt_stdin_and_both(self):
        plain = self.ok("run", TINY, "the rain", *ONE)
        self.assertTrue(plain.out.endswith("\n"))
        self.assertEqual(plain.err, "")
        self.assertEqual(self.ok("run", TINY, *ONE, stdin=b"the rain\n").out, plain.out)
        self.assertEqual(self.ok("run", TINY, "the", "rain", *ONE).out, plain.out)
        both = self.ok("run", TINY, "the rain", *ONE, "--verbose", stdin=b"in the\n")
        joined = self.ok("run", TINY, "the rain\n\nin the", *ONE, "--verbose")
        self.assertEqual(both.out, joined.out)
        self.assertEqual(both.err.split("prompt:")[1].split(",")[0], joined.err.split("prompt:")[1].split(",")[0])
        self.assertEqual(self.ok("run", TINY, "the rain", *ONE, stdin=subprocess.DEVNULL).out, plain.out)

    def test_the_same_seed_gives_the_same_answer(self):
        run = lambda *args: self.ok("run", TINY, "the rain", "--max-tokens", 30, "--temperature", 1.5, *args).raw_out
        self.assertEqual(run("--seed", 7), run("--seed", 7, "--threads", 1))
        self.assertNotEqual(run("--seed", 7), run("--seed", 8))

    def test_verbose_goes_to_stderr(self):
        outcome = self.ok("run", TINY, "the rain", *ONE, "--verbose")
        for word in ("load:", "prompt:", "generation:", "tokens/s"):
            self.assertIn(word, outcome.err)
        self.assertNotIn("load:", outcome.out)

    def test_the_memory_told_is_that_of_one_sequence(self):
        about = json.loads(self.ok("show", TINY, "--json").out)["metadata"]
        head_size = about["llama.embedding_length"] // about["llama.attention.head_count"]
        token_bytes = about["llama.block_count"] * about["llama.attention.head_count_kv"] * head_size * 2 * 2  # K and V, f16
        for context in (64, 256):
            err = self.ok("run", TINY, "x", *ONE, "--verbose", "--context", context).err
            self.assertIn(f"context {context} tokens in {context * token_bytes // 1024} KiB of KV pages", err)

    def test_raw_text_and_system_text(self):
        tokens = lambda *args: int(self.ok("run", TINY, "the rain", *ONE, "--verbose", *args).err.split("prompt:")[1].split()[0])
        self.assertLess(tokens("--raw"), tokens())
        self.assertGreater(tokens("--system", "and the rain"), tokens())

    def test_stop_and_limits(self):
        full = self.ok("run", TINY, "the rain", "--max-tokens", 40, "--temperature", 0, "--ignore-eos").out
        stop = full[10:13]
        self.assertEqual(self.ok("run", TINY, "the rain", "--max-tokens", 40, "--temperature", 0, "--ignore-eos",
                                 "--stop", stop).out.rstrip("\n"), full[: full.index(stop)].rstrip("\n"))

    def test_bad_input(self):
        self.fails("run", "absent.gguf", "x", says="absent.gguf")
        self.fails("run", "nosuch", "x", says="nosuch")
        self.fails("run", self.folder, "x")
        self.fails("run", TINY, says="prompt is empty")
        self.fails("run", TINY, "", says="prompt is empty")
        self.fails("run", TINY, says="prompt is empty", stdin=subprocess.DEVNULL)
        self.fails("run", TINY, "the rain " * 2000, "--context", "100", says="100")
        self.fails("run", TINY, stdin=b"the rain " * 5000)
        data = TINY.read_bytes()
        self.fails("run", self.write("cut.gguf", data[: len(data) * 3 // 4]), "x", says="cut.gguf")
        self.fails("run", self.write("vocab.gguf", gguf({"general.architecture": "llama"})), "x")
        self.fails("run", self.write("rwkv7.gguf", gguf({"general.architecture": "rwkv7"}, [("t", [1.0] * 32)])), "x", says="llama")
        with open("/dev/full", "wb") as full:
            self.fails("run", TINY, "x", *ONE, stdout=full, says="standard output")

    def test_a_template_that_fails(self):
        source = json.loads(self.ok("show", TINY, "--json").out)["metadata"]["tokenizer.chat_template"].encode()
        bad = b"{{ raise_exception('no such talk') }}".ljust(len(source))
        self.fails("run", self.write("t.gguf", TINY.read_bytes().replace(source, bad)), "x", says="no such talk")
        broken = b"{% if %}".ljust(len(source))
        self.fails("run", self.write("b.gguf", TINY.read_bytes().replace(source, broken)), "x")

    def test_a_model_without_a_template_continues_text(self):
        data = TINY.read_bytes().replace(b"tokenizer.chat_template", b"tokenizer.xhat_template")
        path = self.write("base.gguf", data)
        outcome = self.ok("run", path, "the rain", *ONE)
        self.assertIn("no chat template", outcome.err)
        self.assertEqual(outcome.out, self.ok("run", TINY, "the rain", "--raw", *ONE).out)
        self.fails("run", path, "x", "--system", "y", says="no chat template")

    def test_a_reader_that_goes_away(self):
        process = subprocess.Popen([INGLE, "run", TINY, "x", "--ignore-eos", "--max-tokens", "400"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)
        process.stdout.close()
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        self.assertEqual(process.wait(), 1)


class Terminal:
    """The command on a pseudo-terminal: what it shows, and the keys to press."""

    def __init__(self, args, env, folder):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(INGLE, [INGLE, *args], dict(env, TERM="xterm"))
        self.shown = b""
        self.status = None
        self.resize(24, 100)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.fd, keys.encode() if isinstance(keys, str) else keys)

    def read_some(self, timeout_s):
        """Reads what is there, or comes in that time. False: nothing came, or nothing will any more."""
        if not select.select([self.fd], [], [], timeout_s)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError as error:  # Linux says so when the other end has gone
            if error.errno != errno.EIO:
                raise
            data = b""
        self.shown += data
        return bool(data)

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def wait_for(self, text, start=0):
        """Reads until `text` is shown after `start`; returns where it ends."""
        wanted, deadline = text.encode(), time.monotonic() + TIMEOUT_S
        while wanted not in self.shown[start:]:
            if time.monotonic() > deadline or not self.read_some(1) and self.ended():
                raise AssertionError(f"{text!r} was not shown: {self.shown[start:]!r} after {self.shown[:start]!r}")
        return start + self.shown[start:].index(wanted) + len(wanted)

    def code(self):
        """The exit code, once it has ended."""
        deadline = time.monotonic() + TIMEOUT_S
        while self.read_some(1) or not self.ended():
            if time.monotonic() > deadline:
                raise AssertionError(f"it does not end: {self.shown!r}")
        return os.waitstatus_to_exitcode(self.status)

    def close(self):
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class ChatTest(CliTest):
    def terminal(self, *args):
        terminal = Terminal(["run", str(TINY), *args], self.env, self.folder)
        self.addCleanup(terminal.close)
        return terminal

    def chat(self, *args):
        return self.terminal("--temperature", "0", "--max-tokens", "8", *args)

    def say(self, terminal, line, start):
        terminal.press(line + "\r")
        return terminal.wait_for(PROMPT, terminal.wait_for("\n", start))

    def leave(self, terminal):
        terminal.press("\x04")
        self.assertEqual(terminal.code(), 0)

    def test_commands(self):
        terminal = self.chat()
        at = terminal.wait_for(PROMPT)
        at = self.say(terminal, "the rain", at)
        for line, answer in (("/help", "/save FILE"), ("/set", "temperature"), ("/set temperature 0.5", ""),
                             ("/set temperature x", "not a number"), ("/set top_k", "needs a value"),
                             ("/set nosuch 1", "there is no parameter"), ("/nosuch", "there is no command /nosuch"),
                             ("/system and the", ""), ("/save chat.json", "Saved"), ("/save", "needs a file"),
                             ("/save /nosuch/chat.json", "/nosuch/chat.json"), ("/clear", "forgotten"),
                             ("/save empty.json", "Saved")):
            before = at
            at = self.say(terminal, line, at)
            self.assertIn(answer.encode(), terminal.shown[before:at], line)
        terminal.press("/bye\r")
        self.assertEqual(terminal.code(), 0)
        saved = json.loads((self.folder / "chat.json").read_bytes())
        self.assertEqual([m["role"] for m in saved], ["system", "user", "assistant"])
        self.assertEqual(saved[0]["content"], "and the")
        self.assertEqual(saved[1]["content"], "the rain")
        self.assertEqual([m["role"] for m in json.loads((self.folder / "empty.json").read_bytes())], ["system"])
        self.ok("template", TINY, "--messages", self.folder / "chat.json")
        history = (self.home / "history").read_text()
        self.assertIn("rain", history)
        self.assertEqual((self.home / "history").stat().st_mode & 0o077, 0)

    def test_commands_as_others_write_them(self):
        terminal = self.chat()
        at = terminal.wait_for(PROMPT)
        for line, answer in (("/?", "/load FILE"), ("/set parameter temperature 0.5", ""), ("/set parameter", "0.5"),
                             ("/set", "temperature        0.5"), ("/set parameter nosuch 1", "there is no parameter"),
                             ("/set system and the", ""), ("/show system", "and the"), ("/show parameters", "0.5"),
                             ("/show", "llama"), ("/show info", "512 tokens"), ("/show template", "message"),
                             ("/show nosuch", "there are: info"), ("/set verbose", ""), ("the rain", "tokens/s"),
                             ("/set stop \"x y\"", ""), ("/show parameters", "\"x y\""), ("/set stop \"\"", ""),
                             ("/set ignore_eos on", ""), ("/set ignore_eos maybe", "on or off"), ("/sett", "did you mean /set?"),
                             ("/save /dev/null", "not a regular file"), ("/save /dev/stdout", "not a regular file")):
            before = at
            at = self.say(terminal, line, at)
            self.assertIn(answer.encode(), terminal.shown[before:at], line)
        terminal.press('/system """and\r')
        at = terminal.wait_for("... ", at)
        at = self.say(terminal, 'the"""', at)
        at = self.say(terminal, "/save chat.json", at)
        terminal.press("/exit\r")
        self.assertEqual(terminal.code(), 0)
        saved = json.loads((self.folder / "chat.json").read_bytes())
        self.assertEqual([m["content"] for m in saved[:2]], ["and\nthe", "the rain"])

    def test_a_saved_conversation_is_taken_up_again(self):
        chat = [{"role": "system", "content": "and"}, {"role": "user", "content": "in 雨"},
                {"role": "assistant", "content": "the"}, {"role": "user", "content": "rain"}]
        self.write("chat.json", chat)
        bad = {"o": {}, "n": [1], "r": [{"content": "x"}], "c": [{"role": "user", "content": 1}], "l": chat[1:] + chat[:1],
               "t": [{"role": "tool", "content": "x"}]}
        for name, content in bad.items():
            self.write(name, content)
        self.write("cut", b"[{")
        terminal = self.chat()
        at = terminal.wait_for(PROMPT)
        at = self.say(terminal, "/load chat.json", at)
        for name in [*bad, "cut", "absent"]:
            before = at
            at = self.say(terminal, f"/load {name}", at)
            self.assertIn(b"ingle: ", terminal.shown[before:at])
            self.assertIn(name.encode(), terminal.shown[before:at])
        at = self.say(terminal, "/load", at)
        at = self.say(terminal, "/save again.json", at)
        self.leave(terminal)
        self.assertEqual(json.loads((self.folder / "again.json").read_bytes()), chat)

    def test_several_lines_and_other_alphabets(self):
        terminal = self.chat()
        at = terminal.wait_for(PROMPT)
        terminal.press('"""the rain\r')
        at = terminal.wait_for("... ", at)
        terminal.press('in Åland 雨 /bye"""\r')
        at = terminal.wait_for(PROMPT, terminal.wait_for("\n", at))
        at = self.say(terminal, "/save chat.json", at)
        self.leave(terminal)
        self.assertEqual(json.loads((self.folder / "chat.json").read_bytes())[0]["content"], "the rain\nin Åland 雨 /bye")

    def test_ctrl_c_stops_the_answer_and_not_the_program(self):
        terminal = self.terminal("--ignore-eos", "--context", "100000", "--isa", "scalar", "--threads", "1")
        at = terminal.wait_for(PROMPT)
        for _ in range(2):
            terminal.press("the rain\r")
            at = terminal.wait_for("\n", at)
            start = len(terminal.shown)
            while len(terminal.shown) < start + 20:  # the answer has begun
                terminal.read_some(1)
            terminal.press("\x03")
            at = terminal.wait_for("(stopped)", at)
            at = terminal.wait_for(PROMPT, at)
        terminal.press("half a li")
        at = terminal.wait_for("half a li", at)
        terminal.press("\x03")  # at the prompt: the line is forgotten
        at = terminal.wait_for(PROMPT, terminal.wait_for("\n", at))
        at = self.say(terminal, "/save c.json", at)
        self.leave(terminal)
        saved = json.loads((self.folder / "c.json").read_bytes())
        self.assertEqual([m["role"] for m in saved], ["user", "assistant"] * 2, "what was said before Ctrl-C is kept")

    def test_ctrl_c_before_the_answer_begins_stops_it(self):
        terminal = self.terminal("--ignore-eos", "--context", "100000", "--isa", "scalar", "--threads", "1")
        at = terminal.wait_for(PROMPT)
        for _ in range(5):
            terminal.press("the rain\r")
            at = terminal.wait_for("\n", at)
            os.kill(terminal.pid, signal.SIGINT)
            at = terminal.wait_for(PROMPT, terminal.wait_for("(stopped)", at))
        self.leave(terminal)

    def test_no_signal_at_the_prompt_is_lost(self):
        terminal = self.chat()
        at = terminal.wait_for(PROMPT)
        for _ in range(100):
            # Mostly between two reads of the terminal: a key has just been read.
            terminal.press("abc")
            os.kill(terminal.pid, signal.SIGINT)
            at = terminal.wait_for(PROMPT, terminal.wait_for("\n", at))
        self.say(terminal, "", at)
        self.leave(terminal)

    def test_the_line_is_drawn_again_when_the_terminal_comes_back(self):
        terminal = self.chat()
        at = terminal.wait_for(PROMPT)
        terminal.press("/save here")
        at = terminal.wait_for("/save here", at)
        terminal.resize(30, 60)
        at = terminal.wait_for(PROMPT + "/save here", at)
        os.kill(terminal.pid, signal.SIGSTOP)
        os.kill(terminal.pid, signal.SIGCONT)
        at = terminal.wait_for(PROMPT + "/save here", at)
        at = self.say(terminal, ".json", at)
        self.leave(terminal)
        self.assertEqual((self.folder / "here.json").read_bytes(), b"[]\n")

    def test_a_conversation_that_outgrows_the_context_is_told(self):
        terminal = self.chat("--context", "64")
        at = terminal.wait_for(PROMPT)
        for _ in range(12):
            before = at
            at = self.say(terminal, "the rain in the", at)
            if b"ingle: " in terminal.shown[before:at]:
                break
        else:
            self.fail("no error was told")
        self.assertIn(b"64", terminal.shown[before:at])
        self.say(terminal, "/clear", at)
        terminal.press("/bye\r")
        self.assertEqual(terminal.code(), 0)

    def test_signals_end_the_program_while_it_answers_one_prompt(self):
        process = subprocess.Popen([INGLE, "run", TINY, "x", "--ignore-eos", "--context", "100000"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, env=self.env)
        process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        self.assertEqual(process.wait(timeout=TIMEOUT_S), -signal.SIGINT)


if __name__ == "__main__":
    unittest.main()
