#!/usr/bin/env python3
"""Compares `ingle eval logprobs` on real quantised models with an exact reference, beside llama.cpp on the same files.

PARITY_DIR holds NAME.npz with, per text i: `i.name`, `i.tokens` [T], `i.ids` [T, 256] (the likeliest next tokens by the
reference, which runs the file's own weights dequantised to F32 with F32 activations), `i.ref` and `i.peer` [T, 256]
(their natural-log probabilities by the reference and by llama.cpp).

The KL divergence at a position is the sum over the 256 of exp(ref) * (ref - other), plus one term for the rest of the
vocabulary taken as a single outcome. Bars: our mean over all positions but the first of each text, as a multiple of the
peer's; and for Qwen, whose activations there are huge, each first position in nats.

Needs numpy alone.
Use:  check_parity.py PARITY_DIR MODELS_DIR INGLE [--only NAME] [-- further options for ingle]
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

# name -> (beginning of the model's file name, bar as a multiple of the peer's mean, bar of first positions in nats)
MODELS = {
    "smollm2": ("smollm2-135m", 1.1, None),
    "gemma3": ("gemma-3-270m", 0.7, None),
    "qwen2.5-coder": ("qwen2.5-coder-1.5b", 0.35, 0.3),
}


def divergence(reference, other):
    """KL(reference || other) per position in nats; both [positions, 256], natural logs."""
    reference, other = reference.astype(np.float64), other.astype(np.float64)
    rest = np.maximum(1 - np.exp(reference).sum(axis=1), 1e-12)
    other_rest = np.maximum(1 - np.exp(other).sum(axis=1), 1e-12)
    return (np.exp(reference) * (reference - other)).sum(axis=1) + rest * np.log(rest / other_rest)


def vocabulary_size(model):
    """The length of tokenizer.ggml.tokens, read from the file without the package `gguf`."""
    key = b"tokenizer.ggml.tokens"
    with open(model, "rb") as file:
        head = file.read(64 << 20)
    at = head.index(key) + len(key) + 8  # past the value type (array) and the type of its elements
    return int.from_bytes(head[at:at + 8], "little")


def ask_ingle(ingle, model, ids, wanted, options):
    """Log-probabilities of wanted [positions, n]. Lines are parsed one at a time: each is the whole vocabulary."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(ids.tolist(), file)
        file.flush()
        vocab = vocabulary_size(model)
        command = [ingle, "eval", "logprobs", str(model), "--tokens", file.name, "--top", str(vocab), *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        got = np.full(wanted.shape, np.nan)
        row = np.full(vocab, np.nan)
        for line in process.stdout:
            position, line_ids, logprobs = parse_line(line)
            row[:] = np.nan
            row[line_ids] = logprobs
            got[position] = row[wanted[position]]
        if process.wait() != 0:
            raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    if np.isnan(got).any():
        raise SystemExit(f"{' '.join(command)}: a position or a token is missing from what it printed")
    return got


def parse_line(line):
    """{"position":0,"ids":[...],"logprobs":[...]}, by hand: at 256 K tokens a line, parsing takes most of the time."""
    before, ids, after = line.partition(b'"ids":[')
    ids, _, after = after.partition(b"]")
    logprobs = after.partition(b"[")[2].partition(b"]")[0]
    position = int(before.partition(b":")[2].partition(b",")[0])
    return position, np.fromstring(ids, np.int64, sep=","), np.fromstring(logprobs, np.float64, sep=",")


def check(name, parity_dir, models_dir, ingle, options):
    """Prints the model's rows of the table; returns the bars that it fails."""
    prefix, mean_bar, first_bar = MODELS[name]
    files = sorted(pathlib.Path(models_dir).glob(f"{prefix}*.gguf"))
    if not files:
        raise SystemExit(f"{models_dir}: no {prefix}*.gguf")
    data = np.load(pathlib.Path(parity_dir) / f"{name}.npz")
    ours, peers = [], []
    for i in range(sum(key.endswith(".name") for key in data.files)):
        got = ask_ingle(ingle, files[0], data[f"{i}.tokens"], data[f"{i}.ids"], options)
        ours.append(divergence(data[f"{i}.ref"], got))
        peers.append(divergence(data[f"{i}.ref"], data[f"{i}.peer"]))
        mean, peer_mean = ours[-1][1:].mean(), peers[-1][1:].mean()
        print(f"| {name} | {data[f'{i}.name']} | {len(got)} | {ours[-1][0]:.4f} | {peers[-1][0]:.4f} "
              f"| {mean:.6f} | {peer_mean:.6f} | {mean / peer_mean:.3f} |", flush=True)
    mean, peer_mean = (np.concatenate([text[1:] for text in texts]).mean() for texts in (ours, peers))
    first, peer_first = (max(text[0] for text in texts) for texts in (ours, peers))
    print(f"| **{name}** | all | {sum(map(len, ours))} | {first:.4f} (worst) | {peer_first:.4f} (worst) "
          f"| {mean:.6f} | {peer_mean:.6f} | **{mean / peer_mean:.3f}**, bar {mean_bar} |", flush=True)
    failures = []
    if not mean <= mean_bar * peer_mean:
        failures.append(f"{name}: mean KL is {mean / peer_mean:.3f} of the peer's, above {mean_bar}")
    if first_bar is not None and not first <= first_bar:
        failures.append(f"{name}: KL of a first position is {first:.3f} nats, above {first_bar}")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parity_dir")
    parser.add_argument("models_dir")
    parser.add_argument("ingle", help="the command to check")
    parser.add_argument("--only", choices=MODELS, help="this model alone")
    parser.add_argument("options", nargs="*", help="further options for ingle, after --")
    args = parser.parse_args()
    print("| model | text | positions | first: ours | peer | mean KL of the others: ours | peer | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    failures = []
    for name in [args.only] if args.only else MODELS:
        failures += check(name, args.parity_dir, args.models_dir, args.ingle, args.options)
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
