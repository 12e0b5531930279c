#!/usr/bin/env python3
"""Writes src/tensor/iq_grids.inc: the codebooks of the IQ types, packed as the Python package `gguf` packs them.

Needs `pip install gguf numpy`. The tables are data of the GGUF format; their source is gguf/quants.py of that package
(ggml's Python side, MIT licence).
"""
import importlib.metadata
import pathlib

import numpy as np
from gguf import quants

TABLES = [
    ("kIq1Grid", quants.IQ1_S, "2 bits each: -1, 0, 1"),
    ("kIq2XxsGrid", quants.IQ2_XXS, "2 bits each: 8, 25, 43"),
    ("kIq2XsGrid", quants.IQ2_XS, "2 bits each: 8, 25, 43"),
    ("kIq2SGrid", quants.IQ2_S, "2 bits each: 8, 25, 43"),
    ("kIq3XxsGrid", quants.IQ3_XXS, "4 bits each: 4, 12, 20, 28, 36, 44, 52, 62"),
    ("kIq3SGrid", quants.IQ3_S, "4 bits each: 1, 3, 5, 7, 9, 11, 13, 15"),
]


def packed(cls):
    """The codebook's entries as 16-bit words, first element in the lowest bits, checked against the package's decoding."""
    words = np.frombuffer(bytes.fromhex(cls.grid_hex.decode()), dtype="<u2")
    entries, elements = cls.grid_shape
    assert len(words) == entries
    bits = 16 // elements
    cls.init_grid()
    indices = (words[:, None] >> (np.arange(elements) * bits)) & ((1 << bits) - 1)
    assert np.array_equal(np.array(cls.grid_map, dtype=np.float32)[indices], cls.grid.reshape(cls.grid_shape))
    return words


def main():
    version = importlib.metadata.version("gguf")
    out = [
        "// Codebooks of the IQ types, one 16-bit word per entry, first element in the lowest bits.",
        f"// Made by scripts/make_iq_grids.py from gguf/quants.py of the Python package gguf {version} (MIT licence).",
    ]
    for name, cls, comment in TABLES:
        words = packed(cls)
        out.append(f"// {cls.grid_shape[1]} elements of {comment}.")
        out.append(f"inline constexpr std::array<uint16_t, {len(words)}> {name} = {{")
        for i in range(0, len(words), 14):
            out.append("    " + " ".join(f"0x{w:04x}," for w in words[i : i + 14]))
        out.append("};")
    path = pathlib.Path(__file__).resolve().parent.parent / "src/tensor/iq_grids.inc"
    path.write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
