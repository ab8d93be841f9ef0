"""Hashed runs of tokens, by which texts are compared without keeping them.

A token is a word or one mark of punctuation, so white space and line breaks do not count. Knows no language.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

WIDTH = 20  # tokens in a shingle: two to three lines of code, which unrelated programs hardly ever share
_FEWEST_WORDS = (
    7  # distinct words in a shingle that tells one program from others; runs of literals have fewer
)
_SAMPLE = 16  # one shingle in so many is remembered for near duplicates
_NEAR = 0.5  # a text is a near duplicate when more than this share of its sampled shingles is known

_TOKEN = re.compile(r"\w+|[^\w\s]")
_BASE = 0x9E3779B97F4A7C15  # an odd multiplier with well spread bits (2^64 divided by the golden ratio)

Hashes = NDArray[np.uint64]


def shingles(text: str) -> Hashes:
    """The distinct 64-bit hashes of every run of WIDTH tokens in `text`, sorted; none for a shorter text."""
    return np.unique(_run_hashes(_TOKEN.findall(text)))


def telling_shingles(text: str) -> Hashes:
    """The shingles of `text` with enough distinct words to tell it from other programs, else all; sorted."""
    tokens: list[str] = _TOKEN.findall(text)
    hashes = _run_hashes(tokens)
    words = (sum(token.isidentifier() for token in set(tokens[i : i + WIDTH])) for i in range(len(hashes)))
    telling = hashes[np.fromiter(words, dtype=np.int64) >= _FEWEST_WORDS]
    return np.unique(telling if len(telling) else hashes)


def shares_any(hashes: Hashes, excluded: Hashes) -> bool:
    """Whether any of `hashes` is among the sorted `excluded`."""
    return bool(np.isin(hashes, excluded, assume_unique=True).any())


class Seen:
    """The texts kept so far, remembered as digests and a sample of their shingles."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self._shingles: set[int] = set()

    def has_exactly(self, text: str) -> bool:
        """Whether this very text was added before."""
        return _digest(text) in self._digests

    def has_nearly(self, hashes: Hashes) -> bool:
        """Whether most of a text with these shingles has been added before, in one text or in several."""
        sample = _sampled(hashes)
        return bool(sample) and sum(value in self._shingles for value in sample) > _NEAR * len(sample)

    def add(self, text: str, hashes: Hashes) -> None:
        """Remember `text`, whose shingles are `hashes`."""
        self._digests.add(_digest(text))
        self._shingles.update(_sampled(hashes))


def _sampled(hashes: Hashes) -> list[int]:
    sample: list[int] = hashes[hashes % np.uint64(_SAMPLE) == 0].tolist()
    return sample


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _run_hashes(tokens: list[str]) -> Hashes:
    """One hash a run: the polynomial of its tokens' hashes modulo 2^64 (Rabin and Karp's rolling hash)."""
    values = np.array([_token_hash(token) for token in tokens], dtype=np.uint64)
    count = max(0, len(values) - WIDTH + 1)
    hashes = np.zeros(count, dtype=np.uint64)
    for offset in range(WIDTH if count else 0):
        hashes = hashes * np.uint64(_BASE) + values[offset : offset + count]
    return hashes


@lru_cache(maxsize=1 << 20)
def _token_hash(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest(), "little")
