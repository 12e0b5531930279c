#!/usr/bin/env python3
"""OpenAI-compatible servers side by side, as their users see them. Prints Markdown.

Four workloads, over the streams of /v1/chat/completions:
  users      1, 2, 4, ... users at once, each with a prompt of its own of about 90 tokens and 48 tokens of answer: tokens/s in
             total from the first request to the last token (prefill included), the time to the first token (TTFT), and the
             gaps between tokens.
  newcomer   two answers run; a third client asks with 4k tokens (and other numbers): the gaps of the two while its prompt is
             computed.
  agent      a conversation that begins with 8k tokens and grows by 200 a turn: the TTFT of its tenth turn, and how much of it is
             more than its new tokens cost. What they cost is what as many tokens more cost at the same place: the turn is
             asked once with its new tokens and once with twice as many. Beside it stands the TTFT of as many tokens without
             the conversation, which have no 8k tokens to attend to.
  overhead   eight answers run: the CPU time of all of Ingle's threads but those that compute (by their names), as a share of one
             core. For a server that --ingle starts, on Linux.
Each is run in rounds, the servers one after the other and in turn first, so that what else the machine does hits all of them;
figures are the medians of the rounds. All servers get the same requests, byte for byte but for the Host and, in the agent's
conversation, their own answers. Prompts differ from round to round, so that no server answers from its cache; but for the
agent's, whose point that is. Only Python's own library is needed.

Use:  compare_servers.py NAME=URL... [--model NAME] [--api-key KEY] [--users 1,2,4,8,16,32] [--rounds 3]
          [--workloads users,newcomer,agent,overhead] [--newcomer-tokens 4096,16384] [--json OUT]
      compare_servers.py --ingle "build/release/ingle serve MODEL --port {port}" \\
          --llama-server "llama-server -m MODEL --port {port} -np 32 -c 65536 --kv-unified -fa on --no-webui" [--check]
A URL ends before /v1. Nothing is started but what --ingle and --llama-server say; {port} is a free one. To be fair to
llama-server, give it as many slots as there are users, flash attention, a context for all users together and --kv-unified (without
it each slot has its part of the context alone, and the newcomer and the agent do not fit), the threads that Ingle takes, and
keys and values of the same type: both have f16 unless told otherwise. It batches continuously and caches prompts by itself.
`--check` exits with 1 when Ingle misses a bar, by itself or beside llama-server.
"""

import argparse
import asyncio
import contextlib
import datetime
import itertools
import json
import os
import pathlib
import platform
import random
import shlex
import signal
import socket
import ssl
import statistics
import sys
import time
import urllib.parse

PROMPT_TOKENS, ANSWER_TOKENS = 90, 48
RUNNING_TOKENS, NEWCOMER_TOKENS = 1000, 4096
AGENT_PREFIX_TOKENS, AGENT_TURN_TOKENS, AGENT_ANSWER_TOKENS, AGENT_TURNS, AGENT_TRIES = 8192, 200, 32, 10, 3
OVERHEAD_STREAMS, OVERHEAD_TOKENS = 8, 192
SHORT_ANSWER_TOKENS = 4  # where the first one counts: it may be one without text
COMPUTING_THREADS = ("ingle-engine", "ingle-compute", "ingle-pages")
START_SECONDS, ANSWER_SECONDS = 300, 1800
WORDS = ("river stone light garden winter paper music window ocean forest table morning silver bridge market summer yellow "
         "letter mountain doctor village engine island pocket camera winter planet kitchen teacher basket candle").split()

# At 8 users: tokens/s and mean TTFT against llama-server's; at one: tokens/s. Seconds that the tenth turn may take longer than
# its new tokens cost. The 99th percentile of gaps beside a newcomer, of --max-step-ms. A share of one core.
BAR_TOKENS_8, BAR_TTFT_8, BAR_TOKENS_1, BAR_AGENT_S, BAR_GAP, BAR_OVERHEAD = 2.5, 0.4, 1.0, 0.25, 1.2, 0.02


class Failure(Exception):
    """Said on stderr; the comparison ends."""


class Answer:
    """What one streamed answer was like, in seconds since it was asked for."""

    def __init__(self):
        self.started = time.monotonic()
        self.times = []  # of each piece, absolute
        self.text = ""
        self.prompt_tokens = self.tokens = 0

    @property
    def ttft(self):
        return self.times[0] - self.started

    def gaps(self, since=0.0, until=float("inf")):
        return [b - a for a, b in zip(self.times, self.times[1:]) if b > since and a < until]


async def pieces(reader, chunked):
    """A body as it comes."""
    while not chunked and (piece := await reader.read(65536)):
        yield piece
    while chunked and (size := int((await reader.readline()).split(b";")[0] or b"0", 16)):
        yield (await reader.readexactly(size + 2))[:-2]


async def lines(reader, chunked):
    rest = b""
    async for piece in pieces(reader, chunked):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.strip()


class Client:
    """One server. Each request has a connection of its own. `pid`: its process, if it was started here."""

    def __init__(self, name, url, model, api_key, pid=None):
        self.name, self.model, self.api_key, self.pid = name, model, api_key, pid
        parts = urllib.parse.urlsplit(url)
        self.host, self.tls = parts.hostname, parts.scheme == "https"
        self.port = parts.port or (443 if self.tls else 80)
        self.path = parts.path.rstrip("/")

    async def connect(self):
        context = ssl.create_default_context() if self.tls else None
        return await asyncio.open_connection(self.host, self.port, ssl=context, limit=1 << 24)

    def head(self, method, path, length):
        key = f"Authorization: Bearer {self.api_key}\r\n" if self.api_key else ""
        return (f"{method} {self.path}{path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n{key}Content-Type: application/json\r\n"
                f"Content-Length: {length}\r\nConnection: close\r\n\r\n").encode()

    async def status(self, path):
        """The status of a GET, 0 if nobody answers."""
        try:
            reader, writer = await self.connect()
            writer.write(self.head("GET", path, 0))
            line = await asyncio.wait_for(reader.readline(), 10)
            writer.close()
            return int(line.split()[1])
        except (OSError, IndexError, ValueError, asyncio.TimeoutError):
            return 0

    async def chat(self, messages, max_tokens, seed=1, on_token=None, logprobs=False):
        """With log-probabilities tokens without text are pieces, too."""
        return await asyncio.wait_for(self.stream(messages, max_tokens, seed, on_token, logprobs), ANSWER_SECONDS)

    async def stream(self, messages, max_tokens, seed, on_token, logprobs):
        body = {"messages": messages, "max_tokens": max_tokens, "temperature": 0, "seed": seed, "ignore_eos": True,
                "stream": True, "stream_options": {"include_usage": True}, "cache_prompt": True,
                "logprobs": logprobs}
        if self.model:
            body["model"] = self.model
        data = json.dumps(body).encode()
        answer = Answer()
        reader, writer = await self.connect()
        try:
            writer.write(self.head("POST", "/v1/chat/completions", len(data)) + data)
            await writer.drain()
            status, chunked = int((await reader.readline()).split()[1]), False
            while line := (await reader.readline()).strip().lower():
                chunked = chunked or (line.startswith(b"transfer-encoding:") and line.endswith(b"chunked"))
            if status != 200:
                raise Failure(f"{self.name}: status {status}: {(await reader.read(2000)).decode(errors='replace')}")
            async for line in lines(reader, chunked):
                if line == b"data: [DONE]":
                    break
                if line.startswith(b"data: "):
                    self.take(answer, json.loads(line[6:]), on_token)
        finally:
            writer.close()
        if not answer.times:
            raise Failure(f"{self.name}: an answer without text")
        answer.tokens = answer.tokens or len(answer.times)
        return answer

    def take(self, answer, event, on_token):
        if "error" in event:
            raise Failure(f"{self.name}: {event['error']}")
        if usage := event.get("usage"):
            answer.prompt_tokens, answer.tokens = usage["prompt_tokens"], usage["completion_tokens"]
        for choice in event.get("choices", []):
            text = (choice.get("delta") or {}).get("content") or ""
            if text or (choice.get("logprobs") or {}).get("content"):
                answer.times.append(time.monotonic())
                answer.text += text
                if on_token:
                    on_token(answer)


class Prompts:
    """Texts of about so many tokens, each another one, the same for all servers."""

    def __init__(self, words_per_token):
        self.words_per_token = words_per_token

    def text(self, tokens, seed):
        chance = random.Random(seed)
        return " ".join(chance.choices(WORDS, k=max(1, round(tokens * self.words_per_token))))

    def user(self, tokens, seed):
        return [{"role": "user", "content": "Continue this list of words: " + self.text(tokens, seed)}]


async def measure_prompts(client):
    """How many words make a token, by the first server's count; its template's tokens are taken off."""
    short, long = [await client.chat(Prompts(1).user(n, 7), 1) for n in (10, 50)]
    return Prompts(40 / max(1, long.prompt_tokens - short.prompt_tokens))


async def users_workload(client, prompts, users, seed):
    asked = [client.chat(prompts.user(PROMPT_TOKENS - 30, f"{seed}/{users}/{i}"), ANSWER_TOKENS, seed=i) for i in range(users)]
    begun = time.monotonic()
    answers = await asyncio.gather(*asked)
    took = max(answer.times[-1] for answer in answers) - begun
    gaps = [gap for answer in answers for gap in answer.gaps()]
    return {"tokens/s": sum(answer.tokens for answer in answers) / took,
            "TTFT": statistics.mean(answer.ttft for answer in answers),
            "gap p50": statistics.median(gaps), "gap p99": percentile(gaps, 99)}


class Running:
    """Answers that go on until the context ends: each client asks again as soon as its answer has come to an end."""

    def __init__(self, client, prompts, count, seed, logprobs=False):
        self.logprobs = logprobs
        self.answers = [[] for _ in range(count)]  # by client
        self.ready = asyncio.Event()
        self.tasks = [asyncio.ensure_future(self.ask(client, prompts, i, seed)) for i in range(count)]

    async def ask(self, client, prompts, index, seed):
        for turn in itertools.count():
            await client.chat(prompts.user(30, f"{seed}/old/{index}/{turn}"), RUNNING_TOKENS, seed=index,
                              on_token=lambda answer: self.note(index, answer), logprobs=self.logprobs)

    def note(self, index, answer):
        mine = self.answers[index]
        if not mine or mine[-1] is not answer:
            mine.append(answer)
        if all(one and len(one[-1].times) >= 8 for one in self.answers):
            self.ready.set()

    async def __aenter__(self):
        waiting = asyncio.ensure_future(self.ready.wait())
        await asyncio.wait([waiting, *self.tasks], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        self.raise_failures()
        return self

    async def __aexit__(self, *_):
        self.raise_failures()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def raise_failures(self):
        for task in self.tasks:
            if task.done():
                task.result()

    async def all_after(self, moment):
        """Until all of them have said something after it: the gap in which it lies has come to its end."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while any(mine[-1].times[-1] <= moment for mine in self.answers) and time.monotonic() < deadline:
            self.raise_failures()
            await asyncio.sleep(0.02)

    def gaps(self, since, until):
        return [gap for mine in self.answers for answer in mine for gap in answer.gaps(since, until)]


async def newcomer_workload(client, prompts, newcomer_tokens, seed):
    # Answers that go on past their end have control tokens, which are no gaps though they bring no text.
    async with Running(client, prompts, 2, seed, logprobs=True) as running:
        newcomer = await client.chat(prompts.user(newcomer_tokens, f"{seed}/new"), SHORT_ANSWER_TOKENS)
        await running.all_after(newcomer.times[0])
    gaps = running.gaps(newcomer.started, newcomer.times[0])
    if not gaps:
        raise Failure(f"{client.name}: the running answers ended while the newcomer's prompt was computed")
    return {"gap p50": statistics.median(gaps), "gap p99": percentile(gaps, 99), "gap max": max(gaps), "gaps": len(gaps),
            "TTFT": newcomer.ttft, "prompt tokens": newcomer.prompt_tokens}


async def agent_workload(client, prompts, prefix_tokens, seed):
    messages = [{"role": "system", "content": prompts.text(prefix_tokens, f"{seed}/system")}]
    answers = []

    def turn(tokens, name):
        return messages + [{"role": "user", "content": prompts.text(tokens, f"{seed}/{name}")}]

    for number in range(1, AGENT_TURNS):
        messages = turn(AGENT_TURN_TOKENS, number)
        answers.append(await client.chat(messages, AGENT_ANSWER_TOKENS))
        messages.append({"role": "assistant", "content": answers[-1].text})
    tenth, twice, alone = [], [], []
    for again in range(AGENT_TRIES):
        tenth.append(await client.chat(turn(AGENT_TURN_TOKENS, f"tenth/{again}"), SHORT_ANSWER_TOKENS))
        twice.append(await client.chat(turn(2 * AGENT_TURN_TOKENS, f"twice/{again}"), SHORT_ANSWER_TOKENS))
        alone.append(await client.chat(prompts.user(AGENT_TURN_TOKENS, f"{seed}/alone/{again}"), SHORT_ANSWER_TOKENS))
    ttft = lambda answers: statistics.median(answer.ttft for answer in answers)
    tokens = lambda answers: statistics.median(answer.prompt_tokens for answer in answers)
    new_tokens = tokens(tenth) - answers[-1].prompt_tokens - answers[-1].tokens
    each = (ttft(twice) - ttft(tenth)) / (tokens(twice) - tokens(tenth))
    return {"first TTFT": answers[0].ttft, "tenth TTFT": ttft(tenth), "its new tokens' cost": each * new_tokens,
            "more than that": ttft(tenth) - each * new_tokens, "as many alone": ttft(alone), "new tokens": new_tokens,
            "prompt tokens": tokens(tenth)}


def cpu_by_thread(pid):
    """{thread: (name, seconds of CPU)}; Linux's count by nanoseconds where it is kept, else by ticks."""
    out = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            name = (task / "comm").read_text().strip()
            if (task / "schedstat").exists():
                seconds = int((task / "schedstat").read_text().split()[0]) / 1e9
            else:
                fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
                seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            out[task.name] = (name, seconds)
    return out


async def overhead_workload(client, prompts, seed):
    """None for a server whose threads' names do not say what they do."""
    if not client.pid or not sys.platform.startswith("linux"):
        return None
    if not any(name in COMPUTING_THREADS for name, _ in cpu_by_thread(client.pid).values()):
        return None
    async with Running(client, prompts, OVERHEAD_STREAMS, seed) as running:
        before, begun = cpu_by_thread(client.pid), time.monotonic()
        counted = lambda: sum(len(answer.times) for mine in running.answers for answer in mine)
        first = counted()
        while counted() - first < OVERHEAD_STREAMS * OVERHEAD_TOKENS and not any(task.done() for task in running.tasks):
            await asyncio.sleep(0.2)
        took, pieces_of_text = time.monotonic() - begun, counted() - first
        after = cpu_by_thread(client.pid)
    spent = {True: 0.0, False: 0.0}
    for thread, (name, seconds) in after.items():
        spent[name in COMPUTING_THREADS] += seconds - before.get(thread, (name, 0.0))[1]
    return {"share of a core": spent[False] / took, "cores that compute": spent[True] / took,
            "per piece of text": spent[False] / pieces_of_text, "tokens/s": pieces_of_text / took}


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]


def medians(rounds):
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


async def measure(clients, prompts, arguments):
    """{workload: {server: figures}}."""
    wanted = {}
    for users in arguments.users if "users" in arguments.workloads else []:
        wanted[f"{users} users"] = lambda client, seed, users=users: users_workload(client, prompts, users, seed)
    for tokens in arguments.newcomer_tokens if "newcomer" in arguments.workloads else []:
        wanted[f"newcomer, {tokens}"] = lambda client, seed, tokens=tokens: newcomer_workload(client, prompts, tokens, seed)
    if "agent" in arguments.workloads:
        wanted["agent"] = lambda client, seed: agent_workload(client, prompts, arguments.agent_tokens, seed)
    if "overhead" in arguments.workloads:
        wanted["overhead"] = lambda client, seed: overhead_workload(client, prompts, seed)
    results = {}
    for name, workload in wanted.items():
        rounds = {}
        for turn in range(arguments.rounds):
            shift = turn % len(clients)
            for client in clients[shift:] + clients[:shift]:
                figures = await workload(client, f"{name}/{turn}/{arguments.seed}")
                print(f"{name}, round {turn + 1}, {client.name}: {figures}", file=sys.stderr)
                if figures:
                    rounds.setdefault(client.name, []).append(figures)
        results[name] = {client: medians(figures) for client, figures in rounds.items()}
    return results


def cell(name, value):
    if name == "share of a core":
        return f"{value:.2%}"
    if name in ("tokens/s", "prompt tokens", "new tokens", "gaps", "cores that compute"):
        return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.3g} ms"


def table(title, rows):
    """Rows: (first columns, figures)."""
    names = list(rows[0][1])
    rows_of_text = [f"| {title} | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    rows_of_text += [f"| {label} | " + " | ".join(cell(name, figures[name]) for name in names) + " |" for label, figures in rows]
    return "\n".join(rows_of_text)


def machine():
    model, cores = platform.processor() or platform.machine(), os.cpu_count()
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {cores} cores, {platform.system()} {platform.release()}, {datetime.date.today()}"


def report(results, arguments):
    print(f"{machine()}; medians of {arguments.rounds} rounds\n")
    by_users = [(f"{name}, {server}", figures) for name, servers in results.items() if name.endswith(" users")
                for server, figures in servers.items()]
    if by_users:
        print(table("users at once", by_users) + "\n")
    for name, servers in results.items():
        if not name.endswith(" users") and servers:
            print(table(name, list(servers.items())) + "\n")


def check(results, max_step_ms):
    """The bars that Ingle misses, by itself or beside llama-server."""
    missed = []

    def hold(what, value, ok):
        print(f"{'ok    ' if ok else 'MISSED'} {what}: {value:.2f}", file=sys.stderr)
        if not ok:
            missed.append(what)

    def ratio(workload, figure):
        ours, theirs = (results[workload][name][figure] for name in ("ingle", "llama-server"))
        return ours / theirs

    beside = all("llama-server" in servers for name, servers in results.items() if name.endswith(" users"))
    if "8 users" in results and beside:
        hold("tokens/s at 8 users", value := ratio("8 users", "tokens/s"), value >= BAR_TOKENS_8)
        hold("TTFT at 8 users", value := ratio("8 users", "TTFT"), value <= BAR_TTFT_8)
    if "1 users" in results and beside:
        hold("tokens/s at one user", value := ratio("1 users", "tokens/s"), value >= BAR_TOKENS_1)
    if "agent" in results:
        value = results["agent"]["ingle"]["more than that"]
        hold("seconds more than its new tokens cost at the agent's tenth turn", value, value <= BAR_AGENT_S)
    for name, servers in results.items():
        if name.startswith("newcomer"):
            value = servers["ingle"]["gap p99"] * 1000 / max_step_ms
            hold(f"gaps' 99th percentile over --max-step-ms, {name}", value, value <= BAR_GAP)
    if "ingle" in results.get("overhead", {}):
        value = results["overhead"]["ingle"]["share of a core"]
        hold("share of a core that is not computing, at 8 streams", value, value <= BAR_OVERHEAD)
    return missed


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@contextlib.asynccontextmanager
async def started(name, command, arguments):
    """A server that runs as long as the context does."""
    port = free_port()
    words = [word.replace("{port}", str(port)) for word in shlex.split(command)]
    process = await asyncio.create_subprocess_exec(*words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                                                   stderr=asyncio.subprocess.DEVNULL)
    client = Client(name, f"http://127.0.0.1:{port}", arguments.model, arguments.api_key, process.pid)
    try:
        until = time.monotonic() + START_SECONDS
        while await client.status("/health") != 200:
            if process.returncode is not None or time.monotonic() > until:
                raise Failure(f"{name} did not start: {command}")
            await asyncio.sleep(0.2)
        yield client
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def run(arguments):
    async with contextlib.AsyncExitStack() as stack:
        clients = []
        for name, command in (("ingle", arguments.ingle), ("llama-server", arguments.llama_server)):
            if command:
                clients.append(await stack.enter_async_context(started(name, command, arguments)))
        for server in arguments.servers:
            name, _, url = server.partition("=")
            clients.append(Client(name, url, arguments.model, arguments.api_key))
        if not clients:
            raise Failure("name a server: NAME=URL, --ingle or --llama-server")
        prompts = await measure_prompts(clients[0])
        for client in clients[1:]:
            await client.chat(prompts.user(20, "warm"), 4)
        return await measure(clients, prompts, arguments)


def numbers(text):
    return [int(word) for word in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("servers", nargs="*", metavar="NAME=URL")
    parser.add_argument("--ingle", metavar="COMMAND")
    parser.add_argument("--llama-server", metavar="COMMAND")
    parser.add_argument("--model", default="")
    parser.add_argument("--api-key", default=os.environ.get("OPENAI_API_KEY", ""))
    parser.add_argument("--users", type=numbers, default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workloads", type=lambda text: text.split(","), default=["users", "newcomer", "agent", "overhead"])
    parser.add_argument("--agent-tokens", type=int, default=AGENT_PREFIX_TOKENS, help="that the agent's conversation begins with")
    parser.add_argument("--newcomer-tokens", type=numbers, default=[NEWCOMER_TOKENS])
    parser.add_argument("--max-step-ms", type=float, default=100, help="that the server is given, for --check (default: 100)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="OUT")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    for server in arguments.servers:
        if "=" not in server or "://" not in server:
            parser.error(f"{server} is not NAME=URL")
    if arguments.check and not arguments.ingle:
        parser.error("--check takes --ingle, and --llama-server for the bars beside it")
    try:
        results = asyncio.run(run(arguments))
    except (Failure, OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as failure:
        sys.exit(f"compare_servers: {failure}")
    report(results, arguments)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps({"machine": machine(), "results": results}, indent=1))
    sys.exit(1 if arguments.check and check(results, arguments.max_step_ms) else 0)


if __name__ == "__main__":
    main()
