#!/usr/bin/env python3
"""Writes src/tensor/testdata/dequant_golden.bin: random blocks of every type and what `gguf.quants` makes of them.

Needs `pip install gguf numpy`. The file is a run of records, little-endian: u32 type number, u32 number of blocks,
the blocks, the values as f32. Remade only when a type is added; the seed makes it the same every time.
"""
import pathlib
import struct

import numpy as np
from gguf import constants, quants

T = constants.GGMLQuantizationType
# Where the f16 scales lie in a block. IQ1_M keeps its in the top nibbles of four words, MXFP4 has a byte of its own kind.
HALVES = {
    T.F16: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
    T.IQ1_S: [0], T.IQ2_XXS: [0], T.IQ2_XS: [0], T.IQ2_S: [0], T.IQ3_XXS: [0], T.IQ3_S: [0],
    T.IQ4_NL: [0], T.IQ4_XS: [0], T.TQ1_0: [52], T.TQ2_0: [64],
}
TYPES = [T.F32, T.BF16, T.IQ1_M, T.MXFP4, *HALVES]


def random_half(rng, block):
    """A finite half: subnormal in the first block, the largest in the second, zero in the third, then of any exponent."""
    sign = int(rng.integers(2)) << 15
    if block == 0:
        return sign | int(rng.integers(1, 0x400))
    if block == 1:
        return sign | 0x7BFF
    if block == 2:
        return sign
    return sign | int(rng.integers(0x400, 0x7C00))


def make_blocks(rng, qtype):
    values, size = constants.GGML_QUANT_SIZES[qtype]
    count = {1: 256, 32: 12, 256: 6}[values]
    blocks = rng.integers(0, 256, size=(count, size), dtype=np.uint8)
    for i, block in enumerate(blocks):
        for at in HALVES.get(qtype, []):
            block[at : at + 2] = list(struct.pack("<H", random_half(rng, i)))
        if qtype == T.IQ1_M:
            half = random_half(rng, i)
            for word in range(4):
                high = 48 + 2 * word + 1
                block[high] = (block[high] & 0x0F) | ((half >> (4 * word)) & 15) << 4
        if qtype == T.MXFP4 and i < 6:
            block[0] = [0, 1, 2, 127, 254, 255][i]
    if qtype in (T.F32, T.BF16):
        # No NaN and no infinity: clear one bit of the exponent where all are set.
        high = blocks[:, -1]
        low = blocks[:, -2]
        special = ((high & 0x7F) == 0x7F) & ((low & 0x80) != 0)
        blocks[special, -2] &= 0x7F
    return blocks


def main():
    rng = np.random.default_rng(20240607)
    out = bytearray()
    for qtype in sorted(TYPES):
        blocks = make_blocks(rng, qtype)
        with np.errstate(over="ignore"):
            expected = quants.dequantize(blocks.copy(), qtype)
        expected = np.ascontiguousarray(expected, dtype="<f4")
        assert not np.isnan(expected).any(), qtype
        out += struct.pack("<II", qtype, len(blocks)) + blocks.tobytes() + expected.tobytes()
    path = pathlib.Path(__file__).resolve().parent.parent / "src/tensor/testdata/dequant_golden.bin"
    path.write_bytes(out)
    print(path, len(out), "bytes,", len(TYPES), "types")


if __name__ == "__main__":
    main()
