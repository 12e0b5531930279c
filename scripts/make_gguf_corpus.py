#!/usr/bin/env python3
"""Writes the seeds of fuzz/corpus/gguf: small sound files and files that each break the format in one place.

Names begin with ok_ or bad_. Files that a fuzzer found carry other names and are left alone.
"""
import pathlib
import struct

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
CODES = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q", I64: "q", F64: "d"}
# Number, values and bytes of a block of every tensor type.
TYPES = [
    (0, 1, 4), (1, 1, 2), (2, 32, 18), (3, 32, 20), (6, 32, 22), (7, 32, 24), (8, 32, 34), (9, 32, 40), (10, 256, 84),
    (11, 256, 110), (12, 256, 144), (13, 256, 176), (14, 256, 210), (15, 256, 292), (16, 256, 66), (17, 256, 74),
    (18, 256, 98), (19, 256, 50), (20, 32, 18), (21, 256, 110), (22, 256, 82), (23, 256, 136), (24, 1, 1), (25, 1, 2),
    (26, 1, 4), (27, 1, 8), (28, 1, 8), (29, 256, 56), (30, 1, 2), (34, 256, 54), (35, 256, 66), (39, 32, 17),
]


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, v):
    return string(v) if kind == STRING else struct.pack("<" + CODES[kind], v)


def entry(key, kind, v):
    return string(key) + struct.pack("<I", kind) + value(kind, v)


def array(key, kind, values, count=None):
    head = string(key) + struct.pack("<IIQ", ARRAY, kind, len(values) if count is None else count)
    return head + b"".join(value(kind, v) for v in values)


def tensor(name, shape, kind, offset):
    return string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def file(entries=(), tensors=(), data=b"", version=3, counts=None, magic=b"GGUF", alignment=32):
    n_tensors, n_entries = counts or (len(tensors), len(entries))
    out = magic + struct.pack("<IQQ", version, n_tensors, n_entries) + b"".join(entries) + b"".join(tensors)
    if data:
        out += bytes(-len(out) % alignment) + data
    return out


def one(*args, **kwargs):
    return file([entry(*args, **kwargs)])


def sound():
    scalars = [entry(f"kind{k}", k, 1) for k in CODES] + [entry("kind8", STRING, "text")]
    arrays = [array(f"kind{k}s", k, [0, 1, 1]) for k in CODES] + [array("kind8s", STRING, ["a", "", b"\xff\x00"])]
    yield "empty", file()
    yield "version2", file([entry("general.architecture", STRING, "llama")], version=2)
    yield "scalars", file(scalars)
    yield "arrays", file(arrays)
    yield "empty_arrays", file([array(f"k{k}", k, []) for k in [*CODES, STRING]])
    vocabulary = [entry("tokenizer.ggml.model", STRING, "gpt2"), array("tokenizer.ggml.tokens", STRING, ["a", "b", "ab"])]
    vocabulary += [array("tokenizer.ggml.merges", STRING, ["a b"]), array("tokenizer.ggml.token_type", I32, [1, 1, 1])]
    yield "vocabulary", file(vocabulary)
    for number, values, size in TYPES:
        if values > 1:
            block = bytes((7 * number + 31 * i) & 255 for i in range(2 * size))
            yield f"type{number}", file([], [tensor("t", [values, 2], number, 0)], block)
    plain = [(n, size) for n, values, size in TYPES if values == 1]
    table = [tensor(f"t{n}", [1, 2, 1, 2], n, 32 * i) for i, (n, _) in enumerate(plain)]
    yield "plain_types", file([], table, bytes(range(32)) * len(plain))
    yield "alignment", file([entry("general.alignment", U32, 64)], [tensor("t", [4], 24, 64)], bytes(68), alignment=64)
    yield "split_of_one", file([entry("split.no", U16, 0), entry("split.count", U16, 1)])


def broken():
    huge = 1 << 63
    yield "magic", file(magic=b"GGML")
    yield "big_endian", file(version=0x03000000)
    yield "version1", file(version=1)
    yield "tensor_count", file(counts=(huge, 0))
    yield "metadata_count", file(counts=(0, (1 << 64) - 1))
    yield "key_length", file(counts=(0, 1)) + struct.pack("<Q", (1 << 64) - 1) + bytes(32)
    yield "value_type", file(counts=(0, 1)) + string("k") + struct.pack("<I", 13) + bytes(32)
    yield "bool", one("k", BOOL, 2)
    yield "duplicate_key", file([entry("k", U8, 1), entry("k", U8, 1)])
    yield "nested_array", file(counts=(0, 1)) + string("k") + struct.pack("<IIQIQ", ARRAY, ARRAY, 1, U8, 1) + b"x"
    yield "array_length", file([array("k", U64, [], count=1 << 61)]) + bytes(64)
    yield "string_array_length", file([array("k", STRING, ["a"], count=1 << 60)]) + bytes(64)
    yield "alignment0", one("general.alignment", U32, 0)
    yield "alignment48", one("general.alignment", U32, 48)
    yield "later_part", file([entry("split.no", U16, 2), entry("split.count", U16, 3)])
    yield "split", file([entry("split.no", U16, 0), entry("split.count", U16, 3)])
    yield "dimensions", file([], [tensor("t", [1] * 5, 0, 0)], bytes(64))
    yield "zero_dimension", file([], [tensor("t", [4, 0], 0, 0)], bytes(64))
    yield "values_wrap", file([], [tensor("t", [1 << 32, 1 << 32], 0, 0)], bytes(64))
    yield "elements_2_63", file([], [tensor("t", [huge], 24, 0)], bytes(64))
    yield "tensor_type", file([], [tensor("t", [4], 5, 0)], bytes(64))
    yield "part_of_block", file([], [tensor("t", [48, 2], 8, 0)], bytes(640))
    yield "offset", file([], [tensor("t", [4], 0, 16)], bytes(64))
    yield "offset_wraps", file([], [tensor("t", [4], 0, (1 << 64) - 32)], bytes(64))
    yield "truncated", file([], [tensor("t", [17], 0, 0)], bytes(67))
    yield "overlap", file([], [tensor("a", [9], 0, 0), tensor("b", [1], 0, 32)], bytes(64))
    yield "duplicate_tensor", file([], [tensor("t", [1], 0, 0), tensor("t", [1], 0, 32)], bytes(64))


def main():
    folder = pathlib.Path(__file__).resolve().parent.parent / "fuzz/corpus/gguf"
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("ok_*"), *folder.glob("bad_*")]:
        old.unlink()
    for prefix, files in (("ok_", sound()), ("bad_", broken())):
        for name, data in files:
            (folder / f"{prefix}{name}.gguf").write_bytes(data)


if __name__ == "__main__":
    main()
