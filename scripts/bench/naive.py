"""The network of a given shape as one writes it first: what a pass is compared with. Its weights are random."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dllm_lsp.models.network.transformer import TransformerConfig


class NaiveBlock(nn.Module):
    """A layer with plain linear layers, keys and values concatenated at every pass, and torch's attention."""

    cache: Tensor

    def __init__(self, shape: TransformerConfig, context: int) -> None:
        super().__init__()
        width, inner, groups = shape.width, shape.heads * shape.head_width, shape.key_value_heads
        self.head_width = shape.head_width
        eps = shape.norm_epsilon
        self.norms = nn.ModuleList(nn.RMSNorm(width, eps) for _ in range(2))
        self.head_norms = nn.ModuleList(nn.RMSNorm(shape.head_width, eps) for _ in range(2))
        sizes = (inner, groups * shape.head_width, groups * shape.head_width)
        self.query, self.key, self.value = (nn.Linear(width, size, bias=False) for size in sizes)
        self.out = nn.Linear(inner, width, bias=False)
        self.gate, self.up = (nn.Linear(width, shape.feed_forward, bias=False) for _ in range(2))
        self.down = nn.Linear(shape.feed_forward, width, bias=False)
        self.register_buffer("cache", torch.randn(2, 1, groups, context, shape.head_width))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Map x [1, n, width] to the next layer's input."""
        given = self.norms[0](x)
        query, key, value = (
            layer(given).unflatten(-1, (-1, self.head_width)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        query, key = (
            _rotated(norm(heads), cos, sin) for norm, heads in zip(self.head_norms, (query, key), strict=True)
        )
        keys, values = (torch.cat(pair, dim=2) for pair in zip(self.cache, (key, value), strict=True))
        mixed = F.scaled_dot_product_attention(query, keys, values, enable_gqa=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        given = self.norms[1](x)
        changed: Tensor = x + self.down(F.silu(self.gate(given)) * self.up(given))
        return changed


class NaiveNetwork(nn.Module):
    """Embedding, layers, and a head that scores the whole vocabulary at every position."""

    def __init__(self, shape: TransformerConfig, context: int) -> None:
        super().__init__()
        self._context, self._head_width, self._theta = context, shape.head_width, shape.rope_theta
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(NaiveBlock(shape, context) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, shape.norm_epsilon)
        self.head = nn.Linear(shape.width, shape.vocabulary, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Map a canvas [1, n] to log-probabilities [1, n, vocabulary]."""
        positions = torch.arange(self._context, self._context + ids.shape[1])
        frequencies = self._theta ** -(torch.arange(0, self._head_width, 2) / self._head_width)
        angles = positions[:, None] * frequencies
        x = self.embedding(ids)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        for block in self.blocks:
            x = block(x, cos, sin)
        logits: Tensor = self.head(self.norm(x))
        return logits.float().log_softmax(-1)


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
