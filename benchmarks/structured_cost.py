#!/usr/bin/env python3
"""What it costs to hold an answer to a JSON schema: tokens per second of one stream, constrained and free, in turns.

Usage: benchmarks/structured_cost.py INGLE MODEL [--tokens N] [--rounds N] [--threads N] [--no-speculation] [--copy]
Starts `INGLE serve MODEL` on a free port. Both streams have at most N tokens after the same prompt; rates are from the first
token to the last, so that prompts and the compiling of the schema do not count. Two texts differ in how well their tokens
are guessed, which can outweigh what masks cost: `--no-speculation` leaves guesses out, and `--copy` asks for the prompt's
own JSON again, the same text from both, of which nearly all is guessed. Needs the standard library alone.
"""

import argparse
import http.client
import json
import re
import statistics
import subprocess
import time

# Strings, numbers, optional properties and nesting, as people ask for.
SCHEMA = {
    "type": "array",
    "minItems": 50,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "kind": {"enum": ["person", "place", "thing"]},
            "age": {"type": "integer", "minimum": 0, "maximum": 150},
            "score": {"type": "number"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "home": {"type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
                     "required": ["street", "city"]},
        },
        "required": ["name", "kind", "home"],
    },
}

LIST = "List fifty people with their homes, as JSON."
NAMES = "Ada Bruno Carla Dmitri Elena Farid Greta Hugo Ines Jonas Kemal Lucia Mats Nadia Olaf Paula".split()
PEOPLE = json.dumps([{"name": name, "kind": "person", "age": 20 + 7 * i % 60,
                      "home": {"street": f"{3 * i + 1} {NAMES[-1 - i]} Road", "city": NAMES[i - 5] + "ville"}}
                     for i, name in enumerate(NAMES)])
COPY = f"Repeat this JSON exactly. Answer with the JSON alone, without a code fence.\n\n{PEOPLE}"


def stream(port, prompt, fields):
    """Tokens per second, and the text."""
    body = {"messages": [{"role": "user", "content": prompt}], "seed": 1,
            "temperature": 0, "stream": True, "stream_options": {"include_usage": True}, **fields}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(response.read().decode())
    times, text, tokens = [], "", 0
    for line in response:
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        if "error" in event:
            raise SystemExit(event["error"]["message"])
        if event["choices"] and event["choices"][0]["delta"].get("content"):
            times.append(time.perf_counter())
            text += event["choices"][0]["delta"]["content"]
        if event.get("usage"):
            tokens = event["usage"]["completion_tokens"]
    return (tokens - 1) / (times[-1] - times[0]), text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ingle")
    parser.add_argument("model")
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--no-speculation", action="store_true", help="what masks cost, without what guesses save or lose")
    parser.add_argument("--copy", action="store_true", help="the prompt's own JSON again, so that both texts are the same")
    args = parser.parse_args()
    words = [args.ingle, "serve", args.model, "--port", "0"] + (["--threads", str(args.threads)] if args.threads else [])
    words += ["--no-speculation"] if args.no_speculation else []
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        port = None
        for line in process.stderr:
            if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
                port = int(found.group(1))
                break
        if port is None:
            raise SystemExit("the server did not start")
        prompt = COPY if args.copy else LIST
        free = {"max_tokens": args.tokens, "ignore_eos": not args.copy}
        schema = {**SCHEMA, "minItems": 1} if args.copy else SCHEMA
        held = {**free, "response_format": {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}}
        stream(port, prompt, {**free, "max_tokens": 2})  # its pages are cached then
        start = time.perf_counter()
        stream(port, prompt, {**held, "max_tokens": 2})
        first = time.perf_counter() - start
        free_text, held_text = stream(port, prompt, free)[1], stream(port, prompt, held)[1]
        if args.copy and free_text != held_text:
            raise SystemExit(f"the texts differ, so that their rates tell nothing:\n{free_text}\n{held_text}")
        rates = {"free": [], "held": []}
        for _ in range(args.rounds):
            rates["free"].append(stream(port, prompt, free)[0])
            rates["held"].append(stream(port, prompt, held)[0])
        ratios = [h / f for h, f in zip(rates["held"], rates["free"])]
        print(f"first request with the schema: {first:.2f} s; {held_text[:60]!r}")
        print(f"free {statistics.median(rates['free']):.1f} tok/s, held to the schema {statistics.median(rates['held']):.1f} tok/s, "
              f"ratio {statistics.median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f})")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
