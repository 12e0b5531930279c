#!/usr/bin/env python3
"""Compares `ingle template` with jinja2 on every *.jinja of a folder, for conversations of many kinds: both must write
the same text, or both refuse.

Usage: scripts/check_templates.py FOLDER PATH_TO_INGLE     (needs jinja2 3.1.6 or later)
"""
import concurrent.futures
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from jinja_reference import Reference

EPOCH = 1721999109  # what both take for now

TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "The weather, now.\nOr \"later\".",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Where"},
                "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
                "days": {"type": ["integer", "null"], "minimum": 1},
                "options": {"type": "object", "properties": {
                    "hours": {"type": "array", "items": {"type": "number"}},
                    "detail": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}, "required": ["hours"]}},
            "required": ["city"]},
        "return": {"type": "string"}}},
    {"type": "function", "function": {"name": "no_arguments", "description": "", "parameters": {"type": "object", "properties": {}}}},
]


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def system(content):
    return {"role": "system", "content": content}


def call(arguments, identity="call_1a2b"):
    return {"id": identity, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


def result(content, identity="call_1a2b"):
    return {"role": "tool", "tool_call_id": identity, "name": "get_weather", "content": content}


ARGUMENTS = {"city": "Zürich", "days": 3, "options": {"hours": [1, 2.5, 1e20], "detail": None, "live": True}}

CONVERSATIONS = {
    "one question": [user("Hello")],
    "system text": [system("You are <b>kind</b>. 'So' \"they\" say."), user("Hello")],
    "several turns": [user("Hi"), assistant("Hello!"), user("How are you?\n"), assistant("  Fine.  "), user("ok")],
    "system and turns": [system("S\n\n"), user("Hi"), assistant("Hello!"), user("More")],
    "developer": [{"role": "developer", "content": "dev text"}, user("Hi")],
    "tool call, dict": [user("Rain?"), assistant("", tool_calls=[call(ARGUMENTS)]), result('{"t": 20}'), assistant("20."), user("Thanks")],
    "tool call, text": [system("S"), user("Rain?"), assistant("", tool_calls=[call('{"city": "Rome"}', "123456789")]), result("20", "123456789")],
    "two tool calls": [user("Rain?"), assistant(None, tool_calls=[call({"city": "Rome"}, "123456789"), call({"city": "Bern"}, "abcdefghi")]),
                       result("20", "123456789"), result("21", "abcdefghi")],
    "tool call without content": [user("Rain?"), {"role": "assistant", "tool_calls": [call({"city": "Rome"}, "123456789")]},
                                  result({"t": 20}, "123456789"), user("x")],
    "text and tool call": [user("q"), assistant("text before", tool_calls=[call({}, "a1b2c3d4e")]),
                           result([{"type": "text", "text": "r1"}], "a1b2c3d4e"), user("then"), assistant("z")],
    "reasoning": [user("2+2"), assistant("4", reasoning_content="It is 4\n"), user("3+3"), assistant("<think>\nhm\n</think>\n\n6"), user("5+5")],
    "reasoning and tools": [user("2+2"), assistant("", reasoning_content="ask", tool_calls=[call({"city": "X"}, "123456789")]),
                            result("4", "123456789"), assistant("done", reasoning_content="ok"), user("bye")],
    "thinking": [user("2+2"), assistant("4", thinking="deep"), user("go")],
    "parts": [system("x"), user([{"type": "text", "text": "part one"}, {"type": "text", "text": " two"}]),
              assistant([{"type": "text", "text": "answer"}]), user("next")],
    "image": [user([{"type": "image"}, {"type": "text", "text": "what?"}])],
    "empty": [user(""), assistant(""), user(" ")],
    "unicode": [system("Ünïcödé 日本語"), user("😀👩‍👩‍👧 Straße \u2028 x"), assistant("ok ✓"), user("end\u0001x")],
    "begun answer": [user("Hi"), assistant("Sure, ")],
    "two users": [user("a"), user("b")],
    "assistant first": [assistant("hi"), user("b")],
    "system only": [system("only")],
    "late system": [user("a"), system("late"), user("b")],
    "no content": [user(None)],
    "unknown role": [{"role": "wizard", "content": "x"}],
    "nothing": [],
}
# add_generation_prompt and more variables
VARIANTS = [(True, {}), (True, {"enable_thinking": False}), (False, {"enable_thinking": True, "bos_token": "<s>", "eos_token": "</s>"})]


def ingle_renders(ingle, template, files, tools, generate, variables):
    command = [ingle, "template", str(template), "--messages", files["messages"]]
    if tools:
        command += ["--tools", files["tools"]]
    if not generate:
        command += ["--no-generation-prompt"]
    if variables:
        command += ["--vars", files[json.dumps(variables)]]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}, check=False)
    if done.returncode not in (0, 1):
        return None, f"exit code {done.returncode}: {done.stderr.decode(errors='replace')}"
    return (done.stdout.decode(), None) if done.returncode == 0 else (None, done.stderr.decode().strip())


def first_difference(want, got):
    at = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
    return f"jinja2: {want[max(0, at - 40):at + 60]!r}\n    ingle:  {got[max(0, at - 40):at + 60]!r}"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    templates = sorted(pathlib.Path(sys.argv[1]).glob("*.jinja"))
    if not templates:
        sys.exit(f"{sys.argv[1]}: no *.jinja there")
    reference = Reference(datetime.datetime.fromtimestamp(EPOCH, datetime.timezone.utc).replace(tzinfo=None))
    rendered = refused = 0
    failures = []
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        def write(name, value):
            path = pathlib.Path(folder, name)
            path.write_text(json.dumps(value), encoding="utf-8")
            return str(path)

        shared = {"tools": write("tools.json", TOOLS)}
        for i, (_, variables) in enumerate(VARIANTS):
            shared[json.dumps(variables)] = write(f"variables{i}.json", variables)
        files = {name: {**shared, "messages": write(f"messages{i}.json", messages)} for i, (name, messages) in enumerate(CONVERSATIONS.items())}
        for template in templates:
            source = template.read_bytes().decode()
            jobs = [(name, tools, generate, variables) for name in CONVERSATIONS for tools in (None, TOOLS) for generate, variables in VARIANTS]
            results = pool.map(lambda j: ingle_renders(sys.argv[2], template, files[j[0]], j[1], j[2], j[3]), jobs)
            for (name, tools, generate, variables), (got, error) in zip(jobs, results):
                context = {"messages": CONVERSATIONS[name], "tools": tools, "documents": None, "add_generation_prompt": generate,
                           "bos_token": "", "eos_token": "", **variables}
                want, refusal = reference.render(source, context)
                where = f"{template.name}, {name}{', tools' if tools else ''}, {'' if generate else 'no '}generation prompt, {variables}"
                if (want is None) != (got is None):
                    failures.append(f"{where}\n    jinja2: {refusal or 'renders'}\n    ingle:  {error or 'renders'}")
                elif want != got:
                    failures.append(f"{where}\n    {first_difference(want, got)}")
                elif want is None:
                    refused += 1
                else:
                    rendered += 1
            print(f"{template.name}: {'differs' if failures else 'same'}", flush=True)
            if len(failures) > 20:
                break
    for failure in failures[:20]:
        print(failure, file=sys.stderr)
    print(f"{len(templates)} templates: {rendered} texts the same, {refused} refused by both, {len(failures)} differences")
    sys.exit(1 if failures else 0)


main()
