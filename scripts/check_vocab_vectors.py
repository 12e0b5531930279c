#!/usr/bin/env python3
"""Check `ingle tokenize` against test vectors of real vocabularies.

FOLDER holds ggml-vocab-NAME.gguf files, each beside NAME.gguf.inp (texts between lines of __ggml_vocab_test__) and
NAME.gguf.out (the ids of each text on a line), as the source package of llama.cpp does in models/. Vocabularies without
vectors are left out. The vectors have no beginning-of-sequence token, so `ingle tokenize` runs with --no-bos.

    python3 scripts/check_vocab_vectors.py FOLDER path/to/ingle

Prints a line per vocabulary; the exit code is 0 if all texts of all vocabularies give the ids expected, 1 if some differ
or there are fewer than --expect vocabularies.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SEPARATOR = b"\n__ggml_vocab_test__\n"


def tokenize(ingle: str, model: Path, text: bytes) -> list[int]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        run = subprocess.run([ingle, "tokenize", str(model), "--no-bos", "--file", file.name], capture_output=True)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.decode(errors="replace").strip() or f"exit code {run.returncode}")
    return json.loads(run.stdout)


def check(ingle: str, model: Path) -> list[str]:
    """What is wrong, a line for each text that is."""
    texts = Path(f"{model}.inp").read_bytes().split(SEPARATOR)
    lines = Path(f"{model}.out").read_text().splitlines()
    if len(texts) < len(lines):
        return [f"{len(texts)} texts for {len(lines)} lines of ids"]
    wrong = []
    for text, line in zip(texts, lines):
        expected = [int(word) for word in line.split()]
        try:
            ids = tokenize(ingle, model, text)
        except (RuntimeError, ValueError) as error:
            return [*wrong, f"{text!r}: {error}"]
        if ids != expected:
            wrong.append(f"{text!r}: expected {expected}, got {ids}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("ingle")
    parser.add_argument("--expect", type=int, default=15, help="how many vocabularies with vectors there must be")
    arguments = parser.parse_args()
    models = sorted(path.with_suffix("") for path in arguments.folder.glob("*.gguf.inp"))
    failed = 0
    for model in models:
        wrong = check(arguments.ingle, model)
        failed += bool(wrong)
        print(f"{'FAILED' if wrong else 'ok'}  {model.name}")
        for line in wrong[:5]:
            print(f"        {line}")
    if len(models) < arguments.expect:
        print(f"FAILED  {len(models)} vocabularies with vectors in {arguments.folder}, {arguments.expect} expected")
    return 1 if failed or len(models) < arguments.expect else 0


if __name__ == "__main__":
    sys.exit(main())
