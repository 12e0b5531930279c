#!/usr/bin/env python3
"""Makes src/grammar/testdata/schemas.json: random JSON schemas, and instances of which jsonschema says whether they are
valid. Needs the package jsonschema[format-nongpl]. Usage: scripts/make_schema_golden.py OUT"""

import json
import random
import sys

import jsonschema

rng = random.Random(5)
NAMES = ["a", "ab", "abc", "b", "name", "x-1", "é", "k\"q"]
WORDS = ["", "a", "ab", "abc", "aab", "b7", "x", "日本", "a\"b", "a\\b", "line\nend", "2024-02-29", "2023-02-29",
         "10:00:00Z", "2024-01-31T23:59:59Z", "2024-13-01T00:00:00Z", "127.0.0.1", "300.1.1.1", "::1", "a@b.org", "a@",
         "123e4567-e89b-12d3-a456-426614174000", "xyzzy", "12", "1.5", "aaaaaaaaaa"]
PATTERNS = ["a", "^a", "b$", "^a+b?$", "^[a-c]{2,3}$", "\\d", "^\\w+$", "\"", "^(a|ab|abc)$", "^[^a]*$", ".", "^.{2}$"]
FORMATS = ["date", "time", "date-time", "ipv4", "ipv6", "email", "uuid"]
NUMBERS = [0, 1, -1, 2, 3, 5, 7, 10, 12, 99, 100, 101, 1000, -5, -10, -99, -100, 0.5, 0.25, -0.5, 1.5, 2.75, 9.99, 99.5,
           -2.5, 0.1, 0.125, 1e3, 123456]


def chance(p):
    return rng.random() < p


def schema(depth):
    kind = rng.choice(["integer", "number", "string", "boolean", "null", "enum", "const"] +
                      ["object", "array", "anyOf", "oneOf", "any", "types"] * (2 if depth < 3 else 0))
    out = {}
    if kind in ("integer", "number"):
        out["type"] = kind
        low, high = sorted(rng.sample(NUMBERS, 2))
        if chance(0.5):
            out[rng.choice(["minimum", "exclusiveMinimum"])] = low
        if chance(0.5):
            out[rng.choice(["maximum", "exclusiveMaximum"])] = high
        if kind == "integer" and chance(0.15):
            out["multipleOf"] = rng.choice([2, 3, 5, 10])
    elif kind == "string":
        out["type"] = kind
        choice = rng.random()
        if choice < 0.3:
            out["minLength"] = rng.randint(0, 3)
            out["maxLength"] = out["minLength"] + rng.randint(0, 4)
        elif choice < 0.6:
            out["pattern"] = rng.choice(PATTERNS)
        elif choice < 0.8:
            out["format"] = rng.choice(FORMATS)
    elif kind in ("boolean", "null"):
        out["type"] = kind
    elif kind == "enum":
        out["enum"] = [instance({}, 2) for _ in range(rng.randint(1, 4))]
        if chance(0.3):
            out["type"] = rng.choice(["string", "integer", "number"])
    elif kind == "const":
        out["const"] = instance({}, 2)
    elif kind == "array":
        out["type"] = kind
        if chance(0.7):
            out["items"] = schema(depth + 1) if chance(0.9) else False
        if chance(0.3):
            out["prefixItems"] = [schema(depth + 1) for _ in range(rng.randint(1, 3))]
        if chance(0.4):
            out["minItems"] = rng.randint(0, 2)
        if chance(0.4):
            out["maxItems"] = rng.randint(1, 4)
        if chance(0.05):
            out["uniqueItems"] = True
    elif kind == "object":
        if chance(0.9):
            out["type"] = kind
        if chance(0.85):
            names = rng.sample(NAMES, rng.randint(0, 4))
            out["properties"] = {name: schema(depth + 1) for name in names}
            out["required"] = [name for name in names if chance(0.5)]
            if chance(0.1):
                out["required"].append("other")
        if chance(0.5):
            out["additionalProperties"] = rng.choice([True, False, schema(depth + 1), schema(depth + 1)])
        if chance(0.1):
            out["maxProperties"] = rng.randint(0, 4)
        if chance(0.1):
            out["minProperties"] = rng.randint(0, 2)
        if chance(0.1):
            out["patternProperties"] = {rng.choice(PATTERNS): schema(depth + 1)}
        if chance(0.1):
            out["propertyNames"] = {"pattern": rng.choice(PATTERNS)}
    elif kind in ("anyOf", "oneOf"):
        out[kind] = [schema(depth + 1) for _ in range(rng.randint(1, 3))]
    elif kind == "types":
        out["type"] = rng.sample(["integer", "number", "string", "boolean", "null", "array", "object"], 2)
        if chance(0.5):
            out["minimum"] = rng.choice(NUMBERS)
        if chance(0.5):
            out["maxLength"] = rng.randint(0, 3)
        if chance(0.3):
            out["maxItems"] = rng.randint(0, 2)
    if chance(0.1):
        out["description"] = "words"
    if chance(0.03):
        out["not"] = {"type": "null"}
    return out


def resolve(given):
    return given if isinstance(given, dict) else {}


# Something near the schema, as often as not an instance.
def instance(given, depth):
    given = resolve(given)
    if chance(0.04):
        given = {}
    for keyword in ("anyOf", "oneOf"):
        if keyword in given:
            return instance(rng.choice(given[keyword]), depth)
    if "const" in given:
        return given["const"]
    if "enum" in given:
        return rng.choice(given["enum"])
    kind = given.get("type", "object" if "properties" in given or "additionalProperties" in given else
                     rng.choice(["integer", "string", "boolean", "null", "number"] + ["array", "object"] * (depth < 4)))
    if isinstance(kind, list):
        kind = rng.choice(kind)
    if kind == "integer":
        bounds = [v for k, v in given.items() if k in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")]
        return int(rng.choice(bounds + NUMBERS)) + rng.randint(-1, 1)
    if kind == "number":
        bounds = [v for k, v in given.items() if k in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")]
        return rng.choice(bounds + NUMBERS) + rng.choice([0, 0, 0.5, -0.5, 0.125, -0.25])
    if kind == "boolean":
        return chance(0.5)
    if kind == "null":
        return None
    if kind == "string":
        return rng.choice(WORDS)
    if kind == "array":
        first = [instance(s, depth + 1) for s in given.get("prefixItems", [])]
        more = [instance(given.get("items", {}), depth + 1) for _ in range(rng.randint(0, 3))]
        return (first + more)[: rng.randint(0, 5)]
    out = {}
    for name, inner in given.get("properties", {}).items():
        if name in given.get("required", []) and chance(0.95) or chance(0.5):
            out[name] = instance(inner, depth + 1)
    for name in given.get("required", []):
        if name not in out and chance(0.9):
            out[name] = instance(given.get("additionalProperties", {}), depth + 1)
    if chance(0.4):
        out[rng.choice(NAMES)] = instance(given.get("additionalProperties", {}), depth + 1)
    return out


cases = []
while len(cases) < 400:
    one = schema(0)
    if len(json.dumps(one)) > 600:
        continue
    validator = jsonschema.Draft202012Validator(one, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    texts = {True: [], False: []}
    for _ in range(24):
        value = instance(one, 0)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        found = texts[validator.is_valid(value)]
        if text not in found and len(found) < 5 and len(text) < 200:
            found.append(text)
    # Texts that are no JSON are never valid.
    if texts[True]:
        text = texts[True][0]
        texts[False] += [text[:-1], text + " ,", text + text[-1:]] if not text[-1:].isdigit() else [text + ","]
    cases.append({"schema": json.dumps(one, ensure_ascii=False), "valid": texts[True], "invalid": texts[False]})
with open(sys.argv[1], "w", encoding="utf-8") as out:
    json.dump(cases, out, ensure_ascii=False, indent=0)
    out.write("\n")
