"""What was gathered, in figures: sources, what was dropped and why, and the tokens of every language."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.training.corpus.gather import Corpus
from dllm_lsp.training.files import iterate_files


@dataclass(slots=True)
class Total:
    """How much there is of one language. `bytes` counts UTF-8 text."""

    files: int = 0
    bytes: int = 0
    tokens: int = 0


def totals(file: Path, tokenizer: Tokenizer) -> dict[str, Total]:
    """What the corpus file `file` holds of every language."""
    found: defaultdict[str, Total] = defaultdict(Total)
    for row in iterate_files(file):
        total = found[row.language]
        total.files += 1
        total.bytes += len(row.text.encode())
        total.tokens += len(tokenizer.encode(row.text))
    return dict(found)


def lines(corpus: Corpus, refused: Mapping[str, str], tokenizer: Tokenizer) -> Iterator[str]:
    """The report on a corpus that has been written, line by line."""
    for name, reason in refused.items():
        yield f"refused {name}: {reason}"
    for entry in sorted(corpus.entries, key=lambda entry: -entry.bytes):
        size = f"{entry.bytes / 1e6:8.2f} MB {entry.files:6} files"
        yield f"{size}  {entry.split:8} {entry.language:10} {entry.name} {entry.version}"
    for reason, count in corpus.dropped.most_common():
        yield f"{count:8} files dropped: {reason}"
    for split in ("train", "heldout"):
        for language, total in sorted(totals(corpus.folder / f"{split}.jsonl", tokenizer).items()):
            size = f"{total.bytes / 1e6:.1f} MB, {total.tokens / 1e6:.2f}M tokens"
            yield f"{split} {language}: {size} in {total.files} files"
