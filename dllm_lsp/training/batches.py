"""From source files to training batches, every batch a function of its number alone, so that a run resumes exactly."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
from msgspec import Struct
from torch import Tensor
from torch.utils.data import Dataset

from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.holes import HoleKinds, Span, cut_holes
from dllm_lsp.training.noise import IGNORED, NoiseConfig, noised
from dllm_lsp.training.snippets import SnippetTable

CHARACTERS_PER_TOKEN = 3.4
"""How long a window of text is cut for its tokens: about the mean. What is too much is cut off, with its holes."""


class BatchConfig(Struct, frozen=True, kw_only=True):
    """Documents a batch, tokens a document, holes a document, tokens a canvas; what holes and noise look like.

    A share of the batches, `with_snippets`, has up to `snippets` for each document, each of at most `snippet_tokens`.
    Documents are of these `languages`, LSP ids; without any, of all that there are.
    """

    documents: int
    tokens: int
    holes: int
    canvas: int
    snippets: int = 0
    snippet_tokens: int = 192
    with_snippets: float = 0.5
    languages: tuple[str, ...] = ()
    kinds: HoleKinds = HoleKinds()
    noise: NoiseConfig = NoiseConfig()


class Batch(NamedTuple):
    """B documents with H holes each. Streams hold N = tokens + 1 entries, the begin token first.

    before, after: ids [B, N], *after* in its own order, the document's last token first; `lengths` [B] are valid.
    snippets: ids [B, S, T], each a stream of its own; `snippet_lengths` [B, S] are valid, 0 where there is none.
    canvas, targets, weights: [B, H, C]; `canvas_lengths` [B, H] are valid, 0 where there is no hole.
    visible: [B, H, 2], how many entries of *before* and of *after* each hole sees.
    """

    before: Tensor
    after: Tensor
    lengths: Tensor
    snippets: Tensor
    snippet_lengths: Tensor
    canvas: Tensor
    targets: Tensor
    weights: Tensor
    canvas_lengths: Tensor
    visible: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


def sizes(batch: Batch) -> list[int]:
    """How many tokens a document's *before*, *after*, snippets and canvases take, padding and all."""
    entries = batch.before.shape[1]
    return [entries, entries, batch.snippets[0].numel(), batch.canvas[0].numel()]


class Document(NamedTuple):
    """A window of a file as tokens; each hole is a range of them. Related snippets as tokens."""

    begin: int
    tokens: list[int]
    holes: list[Span]
    snippets: list[list[int]]


class Batches(Dataset[Batch]):
    """Batch number i of an endless random sequence."""

    def __init__(
        self,
        files: Sequence[SourceFile],
        tokenizer: Tokenizer,
        config: BatchConfig,
        seed: int,
        related: SnippetTable | None = None,
    ) -> None:
        """`related` tells the files' snippets; without it there are none. Raises ValueError where there is no file."""
        self.files, self.tokenizer, self.config, self.seed = files, tokenizer, config, seed
        self._related = related
        sizes = (
            len(file.text) * (not config.languages or file.language in config.languages) for file in files
        )
        self._weights = list(accumulate(sizes))
        if not self._weights or not self._weights[-1]:
            raise ValueError(
                f"no source files to train on of {', '.join(config.languages) or 'any language'}"
            )

    def __getitem__(self, number: int) -> Batch:
        rng = random.Random(f"{self.seed}:{number}")
        config = self.config
        snippets = config.snippets if self._related and rng.random() < config.with_snippets else 0
        documents = [self._document(rng, snippets) for _ in range(config.documents)]
        batch = _blank(config, snippets)
        for row, document in enumerate(documents):
            _fill(batch, row, document, config, rng)
        return batch

    def _document(self, rng: random.Random, snippets: int) -> Document:
        """A window that starts at a line, cut at its holes' ends, the pieces tokenized apart."""
        number = rng.choices(range(len(self.files)), cum_weights=self._weights)[0]
        file = self.files[number]
        size = int(CHARACTERS_PER_TOKEN * self.config.tokens)
        start = rng.randint(-size // 2, max(0, len(file.text) - size // 2))
        start = min(max(0, start), max(0, len(file.text) - size))  # a whole window wherever the file has one
        start = file.text.rfind("\n", 0, start) + 1
        text = file.text[start : start + size]
        holes = self._healed(text, cut_holes(text, rng, self.config.holes, self.config.kinds))
        cuts = sorted({0, len(text), *(end for hole in holes for end in hole)})
        pieces = self.tokenizer.encode_batch([text[a:b] for a, b in pairwise(cuts)])
        at = dict(zip(cuts, accumulate(map(len, pieces), initial=0), strict=True))
        tokens = [token for piece in pieces for token in piece][: self.config.tokens]
        kept = [Span(at[hole.start], at[hole.end]) for hole in holes if at[hole.end] <= len(tokens)]
        related = self._snippets(number, start, start + len(text), snippets, rng)
        return Document(self.tokenizer.begin(file.language), tokens, kept, related)

    def _snippets(self, file: int, start: int, end: int, count: int, rng: random.Random) -> list[list[int]]:
        """Up to `count` snippets for the characters [start, end) of a file, the begin token first."""
        if self._related is None or not count:
            return []
        found = self._related.pick(file, start, end, count, rng)
        texts = [self.files[each.file].text[each.start : each.end] for each in found]
        begin, room = self.tokenizer.begin(self.files[file].language), self.config.snippet_tokens - 1
        return [[begin, *tokens[:room]] for tokens in self.tokenizer.encode_batch(texts)]

    def _healed(self, text: str, holes: list[Span]) -> list[Span]:
        """Begin every hole where the word does that it cuts, as decoding does; leave holes out that then collide."""
        healed: list[Span] = []
        for hole in holes:
            start = hole.start - len(self.tokenizer.open_end(text[: hole.start]))
            if not healed or start > healed[-1].end:
                healed.append(Span(start, hole.end))
        return healed


def _blank(config: BatchConfig, snippets: int) -> Batch:
    streams = (config.documents, config.tokens + 1)
    related = (config.documents, snippets, config.snippet_tokens)
    canvases = (config.documents, config.holes, config.canvas)
    return Batch(
        before=torch.full(streams, Tokenizer.mask),
        after=torch.full(streams, Tokenizer.mask),
        lengths=torch.zeros(config.documents, dtype=torch.long),
        snippets=torch.full(related, Tokenizer.mask),
        snippet_lengths=torch.zeros(related[:2], dtype=torch.long),
        canvas=torch.full(canvases, Tokenizer.mask),
        targets=torch.full(canvases, IGNORED),
        weights=torch.zeros(canvases),
        canvas_lengths=torch.zeros(canvases[:2], dtype=torch.long),
        visible=torch.zeros(*canvases[:2], 2, dtype=torch.long),
    )


def _fill(batch: Batch, row: int, document: Document, config: BatchConfig, rng: random.Random) -> None:
    tokens = document.tokens
    length = len(tokens) + 1
    batch.before[row, :length] = torch.tensor([document.begin, *tokens])
    batch.after[row, :length] = torch.tensor([document.begin, *reversed(tokens)])
    batch.lengths[row] = length
    for column, snippet in enumerate(document.snippets):
        batch.snippets[row, column, : len(snippet)] = torch.tensor(snippet)
        batch.snippet_lengths[row, column] = len(snippet)
    fitting = [hole for hole in document.holes if hole.end - hole.start <= config.canvas]
    for column, hole in enumerate(fitting):
        canvas = noised(tokens[hole.start : hole.end], config.canvas, tokens, config.noise, rng)
        size = len(canvas.ids)
        batch.canvas[row, column, :size] = torch.tensor(canvas.ids)
        batch.targets[row, column, :size] = torch.tensor(canvas.targets)
        batch.weights[row, column, :size] = torch.tensor(canvas.weights)
        batch.canvas_lengths[row, column] = size
        batch.visible[row, column] = torch.tensor([hole.start + 1, len(tokens) - hole.end + 1])
