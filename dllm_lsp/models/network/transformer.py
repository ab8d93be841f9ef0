"""The network: a pre-norm transformer with rotary positions, RMSNorm, SwiGLU and grouped queries.

One shape serves the bundled model and the families of Qwen2, Qwen3 and Llama. It knows no masks, caches or positions:
who attends to whom is the `Attend` that it is called with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Annotated

import torch
from msgspec import Meta, Struct
from msgspec.structs import force_setattr
from torch import Tensor, nn
from torch.nn import functional as F

Count = Annotated[int, Meta(ge=1)]
"""A number from 1, checked where a configuration is read."""

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(layer, query, key, value) to what the queries attended to, shaped like them.

Each is [batch, heads, length, head width]; keys and values have a head for every group of query heads.
"""

Amend = Callable[[int, str, Tensor, Tensor], None]
"""(layer, matrix, x, y): changes y [batch, length, out], what a matrix of a layer has made of x [batch, length, in].

The matrix is named as in `Block`, such as "attention.qkv". It is how an adapter takes part in a pass.
"""


def unamended(layer: int, matrix: str, x: Tensor, y: Tensor) -> None:
    """The network as it is."""


class TransformerConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network's shape. A `key_value_heads` or `head_width` of 0 becomes what the other fields suggest.

    `bias` is that of queries, keys and values; `qk_norm` norms each head's query and key; a `tied` head shares the
    embedding's weights.
    """

    vocabulary: Count
    width: Count
    layers: Count
    heads: Count
    feed_forward: Count
    key_value_heads: Annotated[int, Meta(ge=0)] = 0
    head_width: Annotated[int, Meta(ge=0)] = 0
    rope_theta: float = 10_000.0
    norm_epsilon: float = 1e-6
    bias: bool = False
    qk_norm: bool = True
    tied: bool = True

    def __post_init__(self) -> None:
        if self.key_value_heads == 0:
            force_setattr(self, "key_value_heads", self.heads)
        if self.heads % self.key_value_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.key_value_heads} key-value heads evenly")
        if self.head_width == 0 and self.width % self.heads == 0:
            force_setattr(self, "head_width", self.width // self.heads)
        if self.head_width == 0 or self.head_width % 2:
            raise ValueError(f"a width of {self.width} does not make {self.heads} heads of an even width")

    @property
    def parameters(self) -> int:
        """How many parameters the matrices have; the rest, of the norms, are few."""
        attention = 2 * (self.heads + self.key_value_heads) * self.head_width * self.width
        block = attention + 3 * self.width * self.feed_forward
        return (2 - self.tied) * self.vocabulary * self.width + self.layers * block


class Rotation:
    """Rotary position embedding (Su et al. 2021) for given positions, halves rotated against each other.

    Made once for a pass and applied in every layer. Positions are any integers, broadcast to [..., length]; the
    rotations of x by p and then by q are the rotation by p + q.
    """

    def __init__(self, positions: Tensor, head_width: int, theta: float) -> None:
        exponents = torch.arange(0, head_width, 2, device=positions.device, dtype=torch.float32) / head_width
        angles = positions[..., None].float() * theta**-exponents
        cos, sin = angles.cos(), angles.sin()
        self.cos, self.sin = torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)

    def first(self, count: int) -> Rotation:
        """Return the rotation for the first `count` of the positions."""
        part = copy(self)
        part.cos, part.sin = self.cos[..., :count, :], self.sin[..., :count, :]
        return part

    @classmethod
    def joined(cls, rotations: Sequence[Rotation]) -> Rotation:
        """Return one rotation for the positions of all of these, in their order."""
        whole = copy(rotations[0])
        if len(rotations) > 1:
            whole.cos = torch.cat([each.cos for each in rotations], dim=-2)
            whole.sin = torch.cat([each.sin for each in rotations], dim=-2)
        return whole

    def __call__(self, x: Tensor) -> Tensor:
        """Rotate x [..., length, head width]."""
        swapped = x.roll(x.shape[-1] // 2, dims=-1)
        return torch.addcmul(x * self.cos.to(x.dtype), swapped, self.sin.to(x.dtype))


class RMSNorm(nn.RMSNorm):
    """Root mean square normalization (Zhang and Sennrich 2019), on a CPU in half of torch's operations."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__(width, eps=eps)
        # No buffer: a module that is built on the meta device would lose its value.
        self._least = torch.tensor(eps, device="cpu")

    def forward(self, x: Tensor) -> Tensor:
        """Norm x [..., width]."""
        if not x.is_cpu or x.dtype != torch.float32:
            return super().forward(x)
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return x * torch.addcmul(self._least, length, length, value=1 / x.shape[-1]).rsqrt() * self.weight


class Attention(nn.Module):
    """Multi-head attention with grouped queries (Ainslie et al. 2023), the attending itself left to the caller."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.head_width = config.head_width
        self.heads = [config.heads, config.key_value_heads, config.key_value_heads]
        self.qkv = nn.Linear(config.width, sum(self.heads) * config.head_width, bias=config.bias)
        norm = RMSNorm if config.qk_norm else nn.Identity
        self.query_norm = norm(config.head_width, eps=config.norm_epsilon)
        self.key_norm = norm(config.head_width, eps=config.norm_epsilon)
        self.out = nn.Linear(config.heads * config.head_width, config.width, bias=False)

    def forward(self, x: Tensor, layer: int, attend: Attend, amend: Amend) -> Tensor:
        """Mix x [batch, length, width] among its positions, as `attend` lets them see each other."""
        stacked = self.qkv(x)
        amend(layer, "attention.qkv", x, stacked)
        heads = stacked.view(*x.shape[:2], -1, self.head_width).transpose(1, 2)
        query, key, value = heads.split(self.heads, dim=1)
        mixed = attend(layer, self.query_norm(query), self.key_norm(key), value).transpose(1, 2).flatten(2)
        out: Tensor = self.out(mixed)
        amend(layer, "attention.out", mixed, out)
        return out


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.gate_up = nn.Linear(config.width, 2 * config.feed_forward, bias=False)
        self.down = nn.Linear(config.feed_forward, config.width, bias=False)

    def forward(self, x: Tensor, layer: int, amend: Amend) -> Tensor:
        """Map every position of x [batch, length, width] by itself."""
        stacked = self.gate_up(x)
        amend(layer, "feed_forward.gate_up", x, stacked)
        gate, up = stacked.chunk(2, dim=-1)
        gated = F.silu(gate) * up
        down: Tensor = self.down(gated)
        amend(layer, "feed_forward.down", gated, down)
        return down


class Block(nn.Module):
    """One layer: attention, then feed-forward, each behind a norm and beside a residual."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.width, eps=config.norm_epsilon)
        self.attention = Attention(config)
        self.feed_forward_norm = RMSNorm(config.width, eps=config.norm_epsilon)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, layer: int, attend: Attend, amend: Amend) -> Tensor:
        """Map x [batch, length, width] to the next layer's input."""
        x = x + self.attention(self.attention_norm(x), layer, attend, amend)
        changed: Tensor = x + self.feed_forward(self.feed_forward_norm(x), layer, amend)
        return changed


class Transformer(nn.Module):
    """Token embeddings, blocks and an output head."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, eps=config.norm_epsilon)
        self.head = None if config.tied else nn.Linear(config.width, config.vocabulary, bias=False)
        self.apply(self._initialize)

    def _initialize(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, Block):  # a fresh block adds nothing to the residual stream
            nn.init.zeros_(module.attention.out.weight)
            nn.init.zeros_(module.feed_forward.down.weight)

    def rotation(self, positions: Tensor) -> Rotation:
        """Rotary embedding of integer positions [..., length] for this network's heads."""
        return Rotation(positions, self.config.head_width, self.config.rope_theta)

    def forward(self, x: Tensor, attend: Attend, amend: Amend = unamended) -> Tensor:
        """Map embedded tokens [batch, length, width] to final hidden states of the same shape."""
        for layer, block in enumerate(self.blocks):
            x = block(x, layer, attend, amend)
        normed: Tensor = self.norm(x)
        return normed

    def logits(self, hidden: Tensor) -> Tensor:
        """Map hidden states [..., width] to logits [..., vocabulary]."""
        logits: Tensor = F.linear(hidden, self.embedding.weight) if self.head is None else self.head(hidden)
        return logits
