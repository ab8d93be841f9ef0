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

from dllm_lsp.models.tokenizer import Tokenizer
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.holes import HoleKinds, Span, cut_holes
from dllm_lsp.training.noise import IGNORED, NoiseConfig, noised

CHARACTERS_PER_TOKEN = 3.2
"""How long a window of text is cut for its tokens: a little under the mean, so that few are cut off."""


class BatchConfig(Struct, frozen=True, kw_only=True):
    """Documents a batch, tokens a document, holes a document, tokens a canvas; what holes and noise look like."""

    documents: int
    tokens: int
    holes: int
    canvas: int
    kinds: HoleKinds = HoleKinds()
    noise: NoiseConfig = NoiseConfig()


class Batch(NamedTuple):
    """B documents with H holes each. Streams hold N = tokens + 1 entries, the begin token first.

    before, after: ids [B, N], *after* in its own order, the document's last token first; `lengths` [B] are valid.
    canvas, targets, weights: [B, H, C]; `canvas_lengths` [B, H] are valid, 0 where there is no hole.
    visible: [B, H, 2], how many entries of *before* and of *after* each hole sees.
    """

    before: Tensor
    after: Tensor
    lengths: Tensor
    canvas: Tensor
    targets: Tensor
    weights: Tensor
    canvas_lengths: Tensor
    visible: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


class Document(NamedTuple):
    """A window of a file as tokens; each hole is a range of them."""

    begin: int
    tokens: list[int]
    holes: list[Span]


class Batches(Dataset[Batch]):
    """Batch number i of an endless random sequence."""

    def __init__(
        self, files: Sequence[SourceFile], tokenizer: Tokenizer, config: BatchConfig, seed: int
    ) -> None:
        if not files:
            raise ValueError("no source files to train on")
        self.files, self.tokenizer, self.config, self.seed = files, tokenizer, config, seed
        self._weights = list(accumulate(len(file.text) for file in files))

    def __getitem__(self, number: int) -> Batch:
        rng = random.Random(f"{self.seed}:{number}")
        config = self.config
        documents = [self._document(rng) for _ in range(config.documents)]
        batch = _blank(config)
        for row, document in enumerate(documents):
            _fill(batch, row, document, config, rng)
        return batch

    def _document(self, rng: random.Random) -> Document:
        """A window that starts at a line, cut at its holes' ends, the pieces tokenized apart."""
        file = rng.choices(self.files, cum_weights=self._weights)[0]
        size = int(CHARACTERS_PER_TOKEN * self.config.tokens)
        start = rng.randint(0, max(0, len(file.text) - size // 2))
        start = file.text.rfind("\n", 0, start) + 1
        text = file.text[start : start + size]
        holes = self._healed(text, cut_holes(text, rng, self.config.holes, self.config.kinds))
        cuts = sorted({0, len(text), *(end for hole in holes for end in hole)})
        pieces = self.tokenizer.encode_batch([text[a:b] for a, b in pairwise(cuts)])
        at = dict(zip(cuts, accumulate(map(len, pieces), initial=0), strict=True))
        tokens = [token for piece in pieces for token in piece][: self.config.tokens]
        kept = [Span(at[hole.start], at[hole.end]) for hole in holes if at[hole.end] <= len(tokens)]
        return Document(self.tokenizer.begin(file.language), tokens, kept)

    def _healed(self, text: str, holes: list[Span]) -> list[Span]:
        """Begin every hole where the word does that it cuts, as decoding does; leave holes out that then collide."""
        healed: list[Span] = []
        for hole in holes:
            start = hole.start - len(self.tokenizer.open_end(text[: hole.start]))
            if not healed or start > healed[-1].end:
                healed.append(Span(start, hole.end))
        return healed


def _blank(config: BatchConfig) -> Batch:
    streams = (config.documents, config.tokens + 1)
    canvases = (config.documents, config.holes, config.canvas)
    return Batch(
        before=torch.full(streams, Tokenizer.mask),
        after=torch.full(streams, Tokenizer.mask),
        lengths=torch.zeros(config.documents, dtype=torch.long),
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
    fitting = [hole for hole in document.holes if hole.end - hole.start <= config.canvas]
    for column, hole in enumerate(fitting):
        canvas = noised(tokens[hole.start : hole.end], config.canvas, tokens, config.noise, rng)
        size = len(canvas.ids)
        batch.canvas[row, column, :size] = torch.tensor(canvas.ids)
        batch.targets[row, column, :size] = torch.tensor(canvas.targets)
        batch.weights[row, column, :size] = torch.tensor(canvas.weights)
        batch.canvas_lengths[row, column] = size
        batch.visible[row, column] = torch.tensor([hole.start + 1, len(tokens) - hole.end + 1])
