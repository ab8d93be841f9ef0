"""A model of a few thousand random weights, and its tokenizer."""

from __future__ import annotations

from functools import cache

import torch

from dllm_lsp.models.checkpoints.checkpoint import Checkpoint
from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.network.transformer import TransformerConfig
from dllm_lsp.models.streams.model import StreamsConfig, StreamsModel
from dllm_lsp.training.files import SourceFile

torch.set_num_threads(1)  # more of them only wait for each other

SOURCE = '''\
import os


def read(path: str, limit: int = 10) -> list[str]:
    """Return the first lines of a file."""
    with open(path) as file:
        lines = [line.rstrip() for line in file]
    return lines[:limit]


class Point:
    def __init__(self, x: float, y: float) -> None:
        self.x = x
        self.y = y

    def moved(self, by: float) -> "Point":
        return Point(self.x + by, self.y + by)
'''

RELATED_FILES = [
    SourceFile("p==1/a.py", "python", SOURCE, "p==1"),
    SourceFile("p==1/b.py", "python", SOURCE.replace("limit", "count"), "p==1"),
    SourceFile("q==1/c.py", "python", "x = 1\n" * 8, "q==1"),
]


@cache
def tiny_tokenizer() -> Tokenizer:
    return Tokenizer.train([SOURCE], 320)


@cache
def tiny_model(
    vocabulary: int = 330, reach: int = 8, before: int = 60, after: int = 40, snippets: int = 0
) -> StreamsModel:
    torch.manual_seed(0)
    shape = TransformerConfig(vocabulary=vocabulary, width=16, layers=2, heads=2, feed_forward=24)
    config = StreamsConfig(
        transformer=shape, reach=reach, before=before, after=after, snippets=snippets, snippet_tokens=20
    )
    model = StreamsModel(config)
    for parameter in model.parameters():  # a fresh model is sure of nothing, which would hide mistakes
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.5)
    return model.eval().requires_grad_(False)


def tiny_checkpoint() -> Checkpoint:
    return Checkpoint(tiny_model(), tiny_tokenizer())
