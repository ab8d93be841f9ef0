"""Gathers sources into train.jsonl, heldout.jsonl and manifest.jsonl: the same sources give the same bytes.

Decides by the rules of the other modules and counts what they refuse. Does not know where sources come from.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TextIO

from dllm_lsp.training.corpus.filters import is_test, language_of, readable, refuse_foreign, refuse_poor
from dllm_lsp.training.corpus.licenses import RefusedError
from dllm_lsp.training.corpus.shingles import Hashes, Seen, shares_any, shingles
from dllm_lsp.training.corpus.sources import Source

Split = Literal["train", "heldout"]
_FILES = ("train.jsonl", "heldout.jsonl", "manifest.jsonl")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the manifest: what a source gave of one language. `bytes` counts UTF-8 text."""

    name: str
    version: str
    license: str
    language: str
    split: Split
    files: int
    bytes: int
    sha256: str


@dataclass(slots=True)
class Corpus:
    """The corpus being written into `folder`; the files take their names only when all is complete.

    `excluded` holds the shingles of the evaluation sets, `forbidden` the canonical names of packages that
    must not appear, `cap` the most text (in bytes) that one source may give.
    """

    folder: Path
    excluded: Hashes
    forbidden: frozenset[str]
    cap: int
    entries: list[Entry] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    _seen: Seen = field(default_factory=Seen)
    _open: dict[str, TextIO] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            part = self.folder / f"{name}.part"
            self._open[name] = self._stack.enter_context(part.open("w", encoding="utf-8", newline="\n"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if kind is None:
            for name in _FILES:
                (self.folder / f"{name}.part").replace(self.folder / name)

    def add(self, source: Source, split: Split, capped: bool = True) -> None:
        """Write the files of `source` that pass every rule, in an order that only its paths decide.

        The order mixes the folders, so that a capped source is sampled from all its parts; tests come last.
        """
        package = f"{source.name}=={source.version}"
        files: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for path in sorted(source.files, key=_place):
            try:
                if capped and sizes.total() + len(source.files[path]) > self.cap:
                    raise RefusedError("over the source's cap")
                language = language_of(path).name
                text = self._accepted(path, source.files[path])
            except RefusedError as refusal:
                self.dropped[str(refusal)] += 1
                continue
            row = {"path": f"{package}/{path}", "package": package, "language": language, "text": text}
            self._write(f"{split}.jsonl", row)
            files[language] += 1
            sizes[language] += len(text.encode())
        for language in files:
            self._list(source, split, language, files[language], sizes[language])

    def _list(self, source: Source, split: Split, language: str, files: int, size: int) -> None:
        entry = Entry(
            source.name, source.version, source.license, language, split, files, size, source.sha256
        )
        self.entries.append(entry)
        self._write("manifest.jsonl", asdict(entry))

    def _accepted(self, path: str, content: bytes) -> str:
        """The text to keep, remembered against duplicates. Raises RefusedError with the reason to drop it."""
        refuse_foreign(path, self.forbidden)
        text = readable(content)
        refuse_poor(path, text)
        if self._seen.has_exactly(text):
            raise RefusedError("duplicate")
        hashes = shingles(text)
        if shares_any(hashes, self.excluded):
            raise RefusedError("shares text with an evaluation set")
        if self._seen.has_nearly(hashes):
            raise RefusedError("near duplicate")
        self._seen.add(text, hashes)
        return text

    def _write(self, name: str, row: Mapping[str, object]) -> None:
        self._open[name].write(json.dumps(row, ensure_ascii=False) + "\n")


def _place(path: str) -> tuple[bool, bytes]:
    return is_test(path), hashlib.sha256(path.encode()).digest()
