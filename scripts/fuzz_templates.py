#!/usr/bin/env python3
"""Compares the Jinja interpreter with jinja2 on random templates (fuzz_grammar.py) until told to stop or they differ.

Usage: scripts/fuzz_templates.py PATH_TO_text_test [SEED [ROUNDS]]     (needs jinja2; rounds of 2000 templates)

What jinja2 renders and the interpreter says it does not support is counted, not reported.
"""
import datetime
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import warnings

from fuzz_grammar import Generator
from jinja_reference import Reference

NOW = datetime.datetime(2024, 7, 26, 13, 5, 9)  # as kNow of src/text/chat_template_test.cpp
UNSUPPORTED = re.compile(r"not supported|fit into 64|outside 64")
ADDRESS = re.compile(r"0x[0-9a-f]{6}|generator|iterator", re.IGNORECASE)  # what no other program can print


class TooSlow(Exception):
    pass


def give_up(*_):
    raise TooSlow


def render(reference, template, context):
    signal.alarm(5)
    try:
        return reference.render(template, context)
    finally:
        signal.alarm(0)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, give_up)
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    reference = Reference(NOW)
    for seed in range(seed, seed + rounds):
        generator = Generator(random.Random(seed))
        cases, rendered = [], 0
        while len(cases) < 2000:
            template = "{{ " + generator.expression() + " }}" if len(cases) % 2 else generator.template()
            context = generator.context()
            try:
                text, error = render(reference, template, context)
            except TooSlow:
                continue
            if error and "TooSlow" in error or text and ADDRESS.search(text):
                continue
            rendered += text is not None
            cases.append({"name": f"seed {seed} case {len(cases)}", "template": template, "context": context, "expected": text})
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
            file.writelines(json.dumps(case) + "\n" for case in cases)
            file.flush()
            done = subprocess.run([sys.argv[1], "--gtest_filter=ChatTemplateCases.*"], capture_output=True, text=True,
                                  env={**os.environ, "INGLE_TEMPLATE_CASES": file.name}, check=False)
        failures = [f for f in done.stdout.split("Failure\n")[1:] if not UNSUPPORTED.search(f)]
        crashed = done.returncode not in (0, 1)
        print(f"seed {seed}: {len(cases)} templates, {rendered} render, {len(failures)} differ", flush=True)
        if failures or crashed:
            sys.exit(done.stderr[-4000:] + "\n".join(failures[:10]))


main()
