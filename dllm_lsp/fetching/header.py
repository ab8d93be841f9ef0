"""The header of a GGUF file: whether all that it declares can be true of a file of this size.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The gguf library believes what a header says: a
count in a file of a few bytes keeps it busy for ever, or fills the memory. So the header is walked through first,
and not a byte is read or kept that the file does not have.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader, GGUFValueType

from dllm_lsp.fetching.errors import GgufError

MAGIC = b"GGUF"
"""How a GGUF file begins."""

_VERSION = 3
_ALIGNMENT_KEY, _ALIGNMENT = b"general.alignment", 32

# Far more than any model has for which this is meant: the library makes several objects of every value.
_MOST_ENTRIES, _MOST_TENSORS, _MOST_VALUES = 1_000, 10_000, 1_000_000
_LONGEST_KEY, _LONGEST_NAME, _MOST_DIMENSIONS = 65_535, 64, 4

_SIZES = {int(kind): np.dtype(scalar).itemsize for kind, scalar in GGUFReader.gguf_scalar_to_np.items()}


def check(path: Path) -> None:
    """Raise GgufError unless header and data fit into the file and each other, OSError if it cannot be read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            _check(_Walk(file, size))
        except GgufError as error:
            raise GgufError(f"{path} cannot be read as GGUF: {error}") from None


class _Walk:
    """A way through a file from its beginning; every step is checked against its size, in bytes."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.size = file, size
        self.position = 0
        self.values = 0

    def take(self, count: int) -> bytes:
        self._advance(count)
        taken = self._file.read(count)
        if len(taken) != count:
            raise GgufError("it became shorter while it was read")
        return taken

    def skip(self, count: int) -> None:
        self._advance(count)
        self._file.seek(count, 1)

    def number(self, size: int = 8) -> int:
        return int.from_bytes(self.take(size), "little")

    def text(self, longest: int, what: str) -> bytes:
        length = self.number()
        if length > longest:
            raise GgufError(f"{what} has {length:,} bytes")
        return self.take(length)

    def count(self, most: int, what: str) -> int:
        found = self.number()
        if found > most:
            raise GgufError(f"it declares {found:,} {what}, more than {most:,}")
        return found

    def _advance(self, count: int) -> None:
        if count > self.size - self.position:
            raise GgufError(
                f"it is truncated or damaged: at byte {self.position:,} it declares {count:,} bytes, but ends at "
                f"{self.size:,}"
            )
        self.position += count


def _check(walk: _Walk) -> None:
    if walk.take(len(MAGIC)) != MAGIC:
        raise GgufError("it does not begin as one")
    if (version := walk.number(4)) != _VERSION:
        raise GgufError(f"its version is {version}, and only {_VERSION} is supported")
    tensors = walk.count(_MOST_TENSORS, "tensors")
    alignment = _ALIGNMENT
    for _ in range(walk.count(_MOST_ENTRIES, "entries")):
        key = walk.text(_LONGEST_KEY, "a key")
        value = _check_value(walk, walk.number(4), key)
        if key == _ALIGNMENT_KEY:
            alignment = _alignment(value)
    ends = [_tensor(walk, alignment) for _ in range(tensors)]
    start = math.ceil(walk.position / alignment) * alignment
    for name, offset, size in ends:
        if start + offset + size > walk.size:
            raise GgufError(f"it is truncated or damaged: the data of {name} end behind the end of the file")
    if start + sum(size for _, _, size in ends) > walk.size:
        raise GgufError("its tensors share their data")


def _check_value(walk: _Walk, kind: int, key: bytes) -> bytes:
    """Walk over a value of metadata; return its bytes if it is a number, else nothing."""
    walk.values += 1
    if kind in _SIZES:
        return walk.take(_SIZES[kind])
    if kind == GGUFValueType.STRING:
        walk.skip(walk.number())
        return b""
    if kind != GGUFValueType.ARRAY:
        raise GgufError(f"{_shown(key)} is of the unknown type {kind}")
    of, count = walk.number(4), walk.number()
    walk.values += count
    if walk.values > _MOST_VALUES:
        raise GgufError(f"{_shown(key)} declares {count:,} values, more than {_MOST_VALUES:,} in all")
    if of in _SIZES:
        walk.skip(count * _SIZES[of])
    elif of == GGUFValueType.STRING:
        for _ in range(count):
            walk.skip(walk.number())
    else:
        raise GgufError(f"{_shown(key)} is a list of the unknown type {of}")
    return b""


def _alignment(value: bytes) -> int:
    alignment = struct.unpack("<I", value)[0] if len(value) == 4 else 0
    if alignment == 0 or alignment & (alignment - 1):
        raise GgufError(f"{_shown(_ALIGNMENT_KEY)} is no power of two")
    return int(alignment)


def _tensor(walk: _Walk, alignment: int) -> tuple[str, int, int]:
    """Walk over what is said of a tensor; return its name, and where in the data it begins and how long it is."""
    name = _shown(walk.text(_LONGEST_NAME, "the name of a tensor"))
    dimensions = walk.number(4)
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise GgufError(f"{name} has {dimensions:,} dimensions")
    shape = [walk.number() for _ in range(dimensions)]
    kind, offset = walk.number(4), walk.number()
    try:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except (ValueError, KeyError):
        raise GgufError(f"{name} is quantized in the unknown way {kind}") from None
    if 0 in shape or shape[0] % block:
        raise GgufError(f"{name} has rows of {shape[0]:,} values, but its quantization has blocks of {block}")
    if offset % alignment:
        raise GgufError(f"{name} begins between two multiples of {alignment} bytes")
    return name, offset, math.prod(shape) // block * size


def _shown(name: bytes) -> str:
    """Return a name as messages may hold it, whatever its bytes are."""
    return ascii(name[:80].decode("utf-8", "replace")).strip("'\"")
