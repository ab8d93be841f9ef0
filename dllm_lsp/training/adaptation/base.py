"""The weights of a causal base of Llama's shape, as plain tensors that never change.

Matrices that read the same input lie stacked, so that one product serves them all. Does not know files.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dllm_lsp.models.network.transformer import Transformer, TransformerConfig


@dataclass(frozen=True, slots=True)
class BaseShape:
    """Sizes of a base. `epsilon` is that of its norms, `theta` the base of its rotary frequencies."""

    layers: int
    width: int
    heads: int
    key_heads: int
    inner: int
    vocabulary: int
    epsilon: float
    theta: float

    @property
    def head_width(self) -> int:
        """Width of a head."""
        return self.width // self.heads

    @property
    def config(self) -> TransformerConfig:
        """The same as `models` knows it."""
        return TransformerConfig(
            vocabulary=self.vocabulary,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            key_value_heads=self.key_heads,
            feed_forward=self.inner,
            rope_theta=self.theta,
            norm_epsilon=self.epsilon,
            qk_norm=False,
        )

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Rows of the matrices that each product stacks, in order: see `Layer`."""
        keys = self.key_heads * self.head_width
        return {
            "qkv": (self.width, keys, keys),
            "out": (self.width,),
            "gate_up": (self.inner, self.inner),
            "down": (self.width,),
        }


@dataclass(frozen=True, slots=True)
class Layer:
    """One block. qkv: [(heads + 2 * key_heads) * head_width, width]. gate_up: [2 * inner, width]. Norms: float32."""

    attention_norm: Tensor
    qkv: Tensor
    out: Tensor
    feed_norm: Tensor
    gate_up: Tensor
    down: Tensor


@dataclass(frozen=True, slots=True)
class Base:
    """A base. embedding: [vocabulary, width], the output head too; norm: float32 [width]."""

    shape: BaseShape
    embedding: Tensor
    layers: tuple[Layer, ...]
    norm: Tensor

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.embedding.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the matrices."""
        return self.embedding.dtype


def base_of(network: Transformer, dtype: torch.dtype) -> Base:
    """Return the weights of a network, its matrices as `dtype`; raise ValueError for a shape that is not Llama's."""
    config = network.config
    if config.bias or config.qk_norm or not config.tied or config.head_width * config.heads != config.width:
        raise ValueError(
            "only a base of Llama's shape can be trained: no biases, no norms of queries, a tied head"
        )
    shape = BaseShape(
        layers=config.layers,
        width=config.width,
        heads=config.heads,
        key_heads=config.key_value_heads,
        inner=config.feed_forward,
        vocabulary=config.vocabulary,
        epsilon=config.norm_epsilon,
        theta=config.rope_theta,
    )

    def matrix(name: str) -> Tensor:
        return network.get_parameter(name).data.to(dtype)

    def norm(name: str) -> Tensor:
        return network.get_parameter(name).data.float()

    layers = tuple(
        Layer(
            attention_norm=norm(f"blocks.{i}.attention_norm.weight"),
            qkv=matrix(f"blocks.{i}.attention.qkv.weight"),
            out=matrix(f"blocks.{i}.attention.out.weight"),
            feed_norm=norm(f"blocks.{i}.feed_forward_norm.weight"),
            gate_up=matrix(f"blocks.{i}.feed_forward.gate_up.weight"),
            down=matrix(f"blocks.{i}.feed_forward.down.weight"),
        )
        for i in range(config.layers)
    )
    return Base(shape, matrix("embedding.weight"), layers, norm("norm.weight"))


def rotary(shape: BaseShape, positions: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return cosines and sines, float32 [positions, head_width / 2] (Su et al. 2021)."""
    exponents = torch.arange(0, shape.head_width, 2, device=device) / shape.head_width
    angles = torch.arange(positions, device=device)[:, None] * (1.0 / shape.theta**exponents)
    return angles.cos(), angles.sin()
