#!/usr/bin/env python3
"""Compares `ingle eval logprobs` on the tiny models with the golden logits of tests/golden (its README has the format).

Log-probabilities are compared with the golden logits' log-softmax: the normalised mean squared error of each file must
be at most 1e-8.

Needs numpy alone.
Use:  check_golden.py INGLE [--only NAME] [-- further options for ingle]
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

LIMIT = 1e-8


def read_golden(stem):
    """The token ids, the kept positions and their log-probabilities [positions, vocabulary]."""
    with open(f"{stem}.json", encoding="utf-8") as file:
        about = json.load(file)
    logits = np.fromfile(f"{stem}.f32", "<f4").astype(np.float64).reshape(len(about["positions"]), about["vocab"])
    shifted = logits - logits.max(axis=1, keepdims=True)
    return about["tokens"], about["positions"], shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def run_ingle(ingle, model, ids, vocab, options):
    """Log-probabilities [positions, vocabulary] as the command prints them."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(ids, file)
        file.flush()
        command = [ingle, "eval", "logprobs", str(model), "--tokens", file.name, "--top", str(vocab), "--kv", "f32"]
        command += options
        result = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {result.returncode}")
    got = np.full((len(ids), vocab), np.nan)
    for line in result.stdout.splitlines():
        entry = json.loads(line)
        got[entry["position"], entry["ids"]] = entry["logprobs"]
    return got


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ingle", help="the command to check")
    parser.add_argument("--only", help="this model alone")
    parser.add_argument("--tests", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent / "tests")
    parser.add_argument("options", nargs="*", help="further options for ingle, after --")
    args = parser.parse_args()
    stems = sorted(path.with_suffix("") for path in (args.tests / "golden").glob(f"{args.only or '*'}.*.json")
                   if "vocab" in json.loads(path.read_text(encoding="utf-8")))  # not those of encoders
    if not stems:
        raise SystemExit(f"{args.tests / 'golden'}: no golden file")
    failed = 0
    for stem in stems:
        ids, positions, want = read_golden(stem)
        model = args.tests / "models" / f"{stem.stem}.gguf"
        got = run_ingle(args.ingle, model, ids, want.shape[1], args.options)[positions]
        error = ((got - want) ** 2).sum() / ((want - want.mean(axis=1, keepdims=True)) ** 2).sum()
        passed = error <= LIMIT  # false too if a value is missing (NaN)
        failed += not passed
        print(f"{stem.name:26} NMSE {error:.1e}  {'ok' if passed else f'FAILED: above {LIMIT:.0e}'}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
