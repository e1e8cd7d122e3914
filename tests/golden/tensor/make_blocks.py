#!/usr/bin/env python3
"""Writes blocks.bin: for each GGUF block type, random blocks (every bit pattern is legal but for the half-float
scales, which are drawn finite) and what PyPI's `gguf` package decodes them to.

Layout, little-endian, per type in the order of TYPES: char name[8], u32 blocks, u32 block bytes, u32 block elements,
the blocks, the float32 values. Run: python3 make_blocks.py (needs numpy and gguf)."""
import pathlib
import struct

import gguf
import numpy as np

TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "F16", "BF16"]
# byte offsets of half-float scales in a block
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def main():
    rng = np.random.default_rng(20261124)
    out = bytearray()
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        count = {1: 512, 32: 12, 256: 4}[elements]
        raw = rng.integers(0, 256, size=(count, size), dtype=np.uint8)
        for offset in HALVES.get(name, []):
            half = (rng.standard_normal(count) * 0.02).astype(np.float16)
            half[0] = np.float16(3e-7)  # subnormal
            raw[:, offset:offset + 2] = half.view(np.uint8).reshape(count, 2)
        if name == "F16":
            bits = raw.view(np.uint16)
            bits[(bits & 0x7C00) == 0x7C00] ^= 0x4000
        if name == "BF16":
            bits = raw.view(np.uint16)
            bits[(bits & 0x7F80) == 0x7F80] ^= 0x4000
        values = gguf.quants.dequantize(raw.reshape(1, -1) if elements > 1 else raw.view(np.float16 if name == "F16" else np.uint8).reshape(1, -1), kind)
        values = np.asarray(values, dtype=np.float32).reshape(-1)
        assert values.size == count * elements and np.isfinite(values).all(), name
        out += struct.pack("<8sIII", name.lower().encode(), count, size, elements) + raw.tobytes() + values.tobytes()
    pathlib.Path(__file__).with_name("blocks.bin").write_bytes(out)


main()
