#!/usr/bin/env python3
"""Ingle beside llama.cpp on the same machine and files: speed, peak memory, time to the first token. Prints Markdown.

Speed is measured in rounds: in each both sides measure once, so that what else the machine does hits both; a ratio is
the median of the rounds' ratios. One user is held against `llama-bench`: both programs load the model once and measure
in strict turns, seconds apart, one stopped while the other runs. A depth is how many tokens of context that user has
before what is measured, filled once. Several users are held against `llama-batched-bench`, both started anew in each
round, in turn first. The peer runs with and without flash attention (at a depth with it), and the better median of the
two stands for it, for each figure by itself, beside our turns of the same rounds; its threads are as many as ours. With
`--kernel-bench`, how fast memory can be read, which bounds decode, is measured before and after each turn of our decode
without a depth: the share is the weights that a token needs, times tokens/s, of the mean of the two.

Peak memory is what the kernel reports for the finished process (mapped files that it touched included), of `ingle
bench` and `llama-bench` with a prompt that fills `--memory-context` tokens of context. The first token is timed from
the start of `ingle run` to the first byte of its answer, the file in the page cache; llama.cpp's tools here have no
such command, so a `llama-bench` of a prompt as long is timed, up to its output. Whose turn is first changes from
round to round: what the process before left free is quicker to get than memory that nobody used for a while.

Use:  compare_llama_cpp.py --ingle INGLE --peer-bin DIR --models FILE...
          [--users 2,4,8,16,32] [--depths 4096,16384] [--rounds 5] [--threads 2] [--kernel-bench PROGRAM] [--isa NAME]
          [--check] [--json OUT]
`--check` exits with 1 when a figure misses its bar, or has one and was not measured, or rounds are too few. The bars
are lower where vectors are no wider than AVX2's: on such a CPU, or with `--isa avx2`, beside a llama.cpp that was
built for no more (GGML_NATIVE off; GGML_AVX2, GGML_FMA, GGML_F16C and GGML_BMI2 on; for `avxvnni` GGML_AVX_VNNI, too).
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

# Of llama.cpp's tokens/s, by figure; where a model whose name holds the word has a bar of its own, that.
BARS = {
    "prefill": {"": 1.7, "gemma": 1.9, "smollm2": 3.6},
    "decode": {"": 1.1, "gemma": 1.3, "smollm2": 1.3},
    "decode, 2 users": {"": 1.7}, "decode, 4 users": {"": 2.8}, "decode, 8 users": {"": 3.8},
    "decode, 16 users": {"": 2.4}, "decode, 32 users": {"": 2.0},
    "prefill at 4096": {"": 1.6}, "prefill at 16384": {"": 1.5},
    "decode at 4096": {"": 1.5}, "decode at 16384": {"": 1.5},
}
BARS_MODEL = ("gemma", "smollm2")  # small models, whose bars for many users and long contexts nobody set
LEAST_ROUNDS = 5
AVX2_BAR = 1.2  # of every figure, where vectors are no wider than AVX2's
NARROW_TABLES = ("avx2", "avxvnni", "avx512vl")  # whose vectors are not
BANDWIDTH_BAR = 0.9  # of the read bandwidth: enough for one user's decode of a model that is not small
MEMORY_FACTOR, MEMORY_EXTRA_BYTES = 1.1, 64 << 20  # of the file's size; beside the KV pages
MEMORY_BAR_BYTES = 1.25 * (1 << 30)
FIRST_TOKEN_BAR_S = 1.5
FIRST_TOKEN_RATIO_BAR = 0.7  # of llama.cpp's time
GIB_FILE_BYTES = 0.55 * (1 << 30), 1.1 * (1 << 30)  # the bars in bytes and the ratio are for models of about a GiB
INSTRUCTION_SETS = ("amx_int8", "avx512_vnni", "avx512_bf16", "avx512f", "avx_vnni", "avx2", "asimddp", "i8mm")
PROMPT = "Write one sentence about the sea."


def command_output(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {result.returncode}\n{result.stderr.decode()[-2000:]}")
    return result.stdout


def processor():
    """(name, its instruction sets that matter)"""
    name, flags = platform.processor() or platform.machine(), []
    if os.path.exists("/proc/cpuinfo"):
        for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = (part.strip() for part in line.partition(":"))
            if key == "model name":
                name = value
            elif key in ("flags", "Features"):
                flags = value.split()
    elif sys.platform == "darwin":
        name = command_output(["sysctl", "-n", "machdep.cpu.brand_string"]).decode().strip()
    return name, [s for s in INSTRUCTION_SETS if s in flags]


def machine(args):
    """One line: processor, instruction sets, cores, system."""
    name, sets = processor()
    only = f", ingle with {args.isa}" if args.isa else ""
    return (f"{name} ({' '.join(sets) or platform.machine()}){only}, {os.cpu_count()} cores, {platform.system()} "
            f"{platform.release()}")


def is_avx2(args):
    sets = processor()[1]
    return args.isa in NARROW_TABLES or (not args.isa and "avx2" in sets and "avx512_vnni" not in sets)


def ingle_command(args, model, users, prompt, repeat, *more):
    return [args.ingle, "bench", model, "--prompt", str(prompt), "--generate", str(args.generate), "--users",
            ",".join(map(str, users)), "--repeat", str(repeat), "--threads", str(args.threads), "--json", *more]


def bench_ingle(args, model, users):
    """Tokens/s decoded, of one run."""
    return json.loads(command_output(ingle_command(args, model, [users], 0, 1)))[0]["decode_tok_s"]


def bench_peer(args, model, users):
    """flash attention -> the same figure, of one run."""
    results = {}
    for flash in ("off", "on"):
        tokens = 16 + args.generate
        lines = command_output(
            [os.path.join(args.peer_bin, "llama-batched-bench"), "-m", model, "-t", str(args.threads), "-fa", flash,
             "-c", str(users * tokens), "-npp", "16", "-ntg", str(args.generate), "-npl", str(users),
             "--output-format", "jsonl"]).decode().splitlines()
        results[flash] = json.loads(next(line for line in lines if line.startswith("{")))["speed_tg"]
    return results


def read_bandwidth(args):
    """Bytes/s of memory, as the benchmark of the kernels measures it."""
    told = command_output([args.kernel_bench, "--type", "none", "--threads", str(args.threads)]).decode()
    return float(re.search(r"reads ([0-9.]+) GB/s", told).group(1)) * 1e9


def bytes_per_token(args, model):
    """Of the weights that one token's step reads: all but the embedding, where it is not the output matrix too."""
    tensors = json.loads(command_output([args.ingle, "show", model, "--tensors", "--json"]))["tensors"]
    sizes = {tensor["name"]: tensor["size_bytes"] for tensor in tensors}
    return sum(sizes.values()) - (sizes["token_embd.weight"] if "output.weight" in sizes else 0)


def medians(ours, peers):
    """Of two lists of tokens/s, by round."""
    return {"ours": statistics.median(ours), "peer": statistics.median(peers),
            "ratio": statistics.median(o / p for o, p in zip(ours, peers)), "rounds": list(zip(ours, peers))}


def compare_users(args, model, users):
    """{figure: medians of both and of their ratio} of several users at once."""
    ours, peers = [], []
    for round_ in range(args.rounds):
        if round_ % 2 == 0:
            ours.append(bench_ingle(args, model, users))
            peers.append(bench_peer(args, model, users))
        else:
            peers.append(bench_peer(args, model, users))
            ours.append(bench_ingle(args, model, users))
        print(f"{os.path.basename(model)}, {users} users: round {round_ + 1} of {args.rounds}: {ours[-1]} {peers[-1]}",
              file=sys.stderr)
    flash = max(peers[0], key=lambda f: statistics.median(p[f] for p in peers))
    return {f"decode, {users} users": medians(ours, [p[flash] for p in peers])}


class Turns:
    """A program that writes a line to stderr when it is its turn to measure. Killed at the end, if it still runs."""

    def __init__(self, command):
        self.name, self.last_lines = os.path.basename(command[0]), collections.deque(maxlen=20)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()  # a stopped one, too
        self.process.communicate()

    def wait_for(self, line):
        for text in self.process.stderr:
            if re.search(line, text):
                return
            self.last_lines.append(text)
        self.fail()

    def fail(self):
        raise SystemExit(f"{self.name} ended with {self.process.wait()}:\n{''.join(self.last_lines)}")

    def results(self):
        output, errors = self.process.communicate()
        if self.process.returncode != 0:
            self.last_lines.append(errors)
            self.fail()
        return json.loads(output)


def take_turn(args, ours, is_last, with_bandwidth):
    """(what the peer lost meanwhile in ns, the read bandwidth or None): one measurement of ours."""
    start = time.monotonic_ns()
    before = read_bandwidth(args) if with_bandwidth else None
    ours.process.stdin.write("\n")
    ours.process.stdin.flush()
    if is_last:
        ours.process.wait()
    else:
        ours.wait_for("^ready$")
    bandwidth = (before + read_bandwidth(args)) / 2 if with_bandwidth else None
    return time.monotonic_ns() - start, bandwidth


def compare_one_user(args, model, depth):
    """As compare_users(), in strict turns. At a depth the peer has flash attention: the bar names it, it is faster."""
    settings, rounds = ("off", "on") if depth == 0 else ("on",), args.rounds
    count, turns = 2 * rounds * len(settings), []
    with Turns(ingle_command(args, model, [1] * len(settings), args.prompt, rounds, "--depth", str(depth),
                             "--take-turns")) as ours:
        ours.wait_for("^ready$")
        with Turns([os.path.join(args.peer_bin, "llama-bench"), "-m", model, "-t", str(args.threads), "-p",
                    str(args.prompt), "-n", str(args.generate), "-r", str(rounds), "-d", str(depth), "-fa",
                    ",".join(settings), "-o", "json", "--progress"]) as peer:
            for turn in range(count):
                peer.wait_for(r"(prompt|generation) run \d")  # its clock runs from here on: a stop is taken off
                peer.process.send_signal(signal.SIGSTOP)
                of_decode = turn // rounds % 2 == 1
                turns.append(take_turn(args, ours, turn + 1 == count, of_decode and depth == 0 and args.kernel_bench))
                peer.process.send_signal(signal.SIGCONT)
            speed = speeds_in_turns(args, model, ours.results(), peer.results(), turns)
    print(f"{os.path.basename(model)} at {depth}: {speed}", file=sys.stderr)
    return {f"{figure} at {depth}" if depth else figure: found for figure, found in speed.items()}


def speeds_in_turns(args, model, ours, peers, turns):
    """Of the faster setting of the peer. ours: an entry per setting; peers, turns: prefill and decode of each."""
    found = {"prefill": [], "decode": []}
    size = bytes_per_token(args, model) if args.kernel_bench else None
    for i, peer in enumerate(peers):
        figure, of_turns = ("prefill", "decode")[i % 2], turns[i * args.rounds:(i + 1) * args.rounds]
        tokens, rates = peer["n_prompt"] + peer["n_gen"], ours[i // 2][f"{figure}_runs_tok_s"]
        entry = medians(rates, [tokens * 1e9 / (took - stop) for took, (stop, _) in zip(peer["samples_ns"], of_turns)])
        if of_turns[0][1] is not None:
            entry["bandwidth_share"] = statistics.median(o * size / b for o, (_, b) in zip(rates, of_turns))
            entry["bandwidths"] = [bandwidth for _, bandwidth in of_turns]
        found[figure].append(entry)
    return {figure: max(entries, key=lambda e: e["peer"]) for figure, entries in found.items()}


def compare_speed(args, model):
    speed = compare_one_user(args, model, 0)
    for users in args.users:
        speed |= compare_users(args, model, users)
    for depth in args.depths:
        speed |= compare_one_user(args, model, depth)
    return speed


def run_once(command):
    """(seconds to the first byte of stdout, seconds to the last, peak memory in bytes) of a command."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    first_byte = os.read(process.stdout.fileno(), 1)
    first_s = last_s = time.monotonic() - start
    while os.read(process.stdout.fileno(), 1 << 16):
        last_s = time.monotonic() - start
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode != 0 or not first_byte:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}, or no output")
    return first_s, last_s, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def told_by_run(args, model):
    """Bytes of the pages of `--memory-context` tokens, and PROMPT's tokens, as `ingle run --verbose` tells."""
    told = subprocess.run([args.ingle, "run", model, PROMPT, "--max-tokens", "1", "--verbose", "--context",
                           str(args.memory_context)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    text = told.stderr.decode()
    number, unit = re.search(r"in ([0-9.]+) (B|KiB|MiB|GiB) of KV pages", text).groups()
    kv_bytes = float(number) * {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[unit]
    return kv_bytes, int(re.search(r"prompt: +([0-9]+) tokens", text).group(1))


def compare_footprint(args, model):
    """Peak memory in bytes and seconds to the first token, both sides; medians of the rounds."""
    with open(model, "rb") as file:  # into the page cache
        while file.read(1 << 24):
            pass
    threads, context = ["--threads", str(args.threads)], str(args.memory_context)
    kv_bytes, prompt_tokens = told_by_run(args, model)
    ingle = [args.ingle, "run", model, PROMPT, "--max-tokens", "8", *threads, "--context", context]
    bench = [os.path.join(args.peer_bin, "llama-bench"), "-m", model, "-t", str(args.threads), "-r", "1", "-o", "json",
             "--no-warmup", "-n", "0", "-p"]
    peer = [*bench, str(prompt_tokens)]
    ours, peers = [], []
    for round_ in range(2 * args.rounds):
        for runs, command in ((ours, ingle), (peers, peer)) if round_ % 2 == 0 else ((peers, peer), (ours, ingle)):
            runs.append(run_once(command))
    generated = 8
    full = run_once([args.ingle, "bench", model, *threads, "--context", context, "--users", "1", "--repeat", "1",
                     "--prompt", str(args.memory_context - generated), "--generate", str(generated)])
    peer_full = run_once([*bench, context])
    return {"file": os.path.getsize(model), "kv": kv_bytes, "memory": max(full[2], *(o[2] for o in ours)),
            "peer_memory": max(peer_full[2], *(p[2] for p in peers)),
            "first_token_s": statistics.median(o[0] for o in ours), "peer_run_s": statistics.median(p[1] for p in peers)}


def special_bars(name):
    return next((word for word in BARS_MODEL if word in name.lower()), "")


def bar_of(args, name, figure):
    bar = BARS.get(figure, {}).get(special_bars(name))
    return AVX2_BAR if bar and is_avx2(args) else bar


def failures(args, name, speed, footprint):
    """What misses its bar, as sentences."""
    if args.rounds < LEAST_ROUNDS:
        yield f"{name}: {args.rounds} rounds, the bars are for medians of {LEAST_ROUNDS}"
    for figure in BARS:
        if bar_of(args, name, figure) and figure not in speed:
            yield f"{name}: {figure} was not measured"
    for figure, found in speed.items():
        bar = bar_of(args, name, figure)
        at_limit = not special_bars(name) and found.get("bandwidth_share", 0) >= BANDWIDTH_BAR
        if bar and found["ratio"] < bar and not at_limit:
            yield f"{name}: {figure} is {found['ratio']:.3f} of llama.cpp's, below {bar}"
    is_gib = GIB_FILE_BYTES[0] <= footprint["file"] <= GIB_FILE_BYTES[1]
    limit = MEMORY_FACTOR * footprint["file"] + footprint["kv"] + MEMORY_EXTRA_BYTES
    if is_gib and args.memory_context <= 2048:
        limit = min(limit, MEMORY_BAR_BYTES)
    if footprint["memory"] > limit:
        yield f"{name}: peak memory is {footprint['memory'] / 2**20:.0f} MiB, above {limit / 2**20:.0f} MiB"
    if footprint["file"] > GIB_FILE_BYTES[1]:
        return
    limit_s = FIRST_TOKEN_BAR_S
    if is_gib:
        ratio = 1 / AVX2_BAR if is_avx2(args) else FIRST_TOKEN_RATIO_BAR
        limit_s = min(limit_s, ratio * footprint["peer_run_s"])
    if footprint["first_token_s"] > limit_s:
        yield f"{name}: the first token takes {footprint['first_token_s']:.2f} s, above {limit_s:.2f} s"


def print_tables(args, results):
    print(f"{machine(args)}; {datetime.date.today().isoformat()}; {args.threads} threads, {args.rounds} rounds\n")
    print(f"Prefill of {args.prompt} tokens, decode of {args.generate}; tokens/s of all users together.\n")
    print("| model | work | ingle | llama.cpp | ratio | bar | of the read bandwidth |")
    print("|---|---|---|---|---|---|---|")
    for name, (speed, _) in results.items():
        for figure, found in speed.items():
            bar = bar_of(args, name, figure)
            share = f"{found['bandwidth_share']:.0%}" if "bandwidth_share" in found else ""
            print(f"| {name} | {figure} | {found['ours']:.1f} | {found['peer']:.1f} | **{found['ratio']:.2f}** "
                  f"| {bar if bar else ''} | {share} |")
    print("\n| model | file MiB | KV MiB | peak MiB: ingle | of the file | llama-bench | first token s: ingle run "
          "| llama-bench |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (_, f) in results.items():
        print(f"| {name} | {f['file'] / 2**20:.0f} | {f['kv'] / 2**20:.0f} | {f['memory'] / 2**20:.0f} "
              f"| {f['memory'] / f['file']:.2f} "
              f"| {f['peer_memory'] / 2**20:.0f} | {f['first_token_s']:.2f} | {f['peer_run_s']:.2f} |")


def number_list(text):
    return [int(part) for part in text.split(",") if part]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ingle", required=True, help="the command to measure")
    parser.add_argument("--peer-bin", required=True, metavar="DIR", help="where llama-bench is")
    parser.add_argument("--models", required=True, nargs="+", metavar="FILE")
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--users", type=number_list, default=[], metavar="N,...", help="several users at once, each")
    parser.add_argument("--depths", type=number_list, default=[], metavar="N,...", help="tokens of context before")
    parser.add_argument("--memory-context", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kernel-bench", metavar="PROGRAM", help="matmul_bench, which measures the read bandwidth")
    parser.add_argument("--isa", default="", help="the kernels that ingle takes (default: the best)")
    parser.add_argument("--check", action="store_true", help="fail when a figure misses its bar")
    parser.add_argument("--json", metavar="OUT", help="write every figure to this file")
    args = parser.parse_args()
    for program in (args.ingle, os.path.join(args.peer_bin, "llama-bench"), args.kernel_bench):
        if program and not shutil.which(program):
            parser.error(f"{program}: no such program")
    if args.isa:
        os.environ["INGLE_ISA"] = args.isa
    results = {}
    for model in args.models:
        results[pathlib.Path(model).stem] = (compare_speed(args, model), compare_footprint(args, model))
    print_tables(args, results)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            models = {name: {"speed": speed, "footprint": footprint} for name, (speed, footprint) in results.items()}
            json.dump({"machine": machine(args), "date": datetime.date.today().isoformat(), "threads": args.threads,
                       "models": models}, file, indent=1)
    missed = [text for name, (speed, footprint) in results.items() for text in failures(args, name, speed, footprint)]
    for text in missed:
        print(f"below the bar: {text}", file=sys.stderr)
    sys.exit(1 if missed and args.check else 0)


if __name__ == "__main__":
    main()
