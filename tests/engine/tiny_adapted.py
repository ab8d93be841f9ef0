"""Tiny adapted bases of the shapes of Llama, Qwen2 and Qwen3, next to transformers' own networks with their weights."""

from __future__ import annotations

from functools import cache

import torch
from tiny_checkpoints import QWEN_CONFIG, llama, qwen2, qwen3
from tiny_model import SOURCE, tiny_tokenizer
from torch import nn

from dllm_lsp.engine.adapters.causal import CausalInfilling
from dllm_lsp.models.adapted.network import Adapted, Factors, LowRank
from dllm_lsp.models.checkpoints.causal import Causal
from dllm_lsp.models.checkpoints.layouts import QWEN
from dllm_lsp.models.checkpoints.shapes import qwen_shape
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.models.network.transformer import Transformer

SPECIAL = 17
SHAPES = {
    "Llama": (llama, {"bias": False, "qk_norm": False}, {"tie_word_embeddings": True}),
    "Qwen2": (qwen2, {"bias": True, "qk_norm": False}, {"tie_word_embeddings": False}),
    "Qwen3": (qwen3, {"bias": False, "qk_norm": True}, {"tie_word_embeddings": True}),
}


def tokenizer() -> TextTokenizer:
    """Return an ordinary tokenizer behind as many special tokens as the base has."""
    plain = tiny_tokenizer()
    first = plain.size - len(plain._spelled)
    return TextTokenizer(
        plain._encoder, {i - first + SPECIAL: text for i, text in plain._spelled.items()}, SPECIAL
    )


@cache
def base(name: str) -> tuple[Transformer, nn.Module]:
    """Return a network and transformers' own with the same weights."""
    make, kind, tie = SHAPES[name]
    changes = {"vocab_size": tokenizer().size, **tie}
    reference = make(**changes)
    tensors = dict(reference.state_dict())
    if tie["tie_word_embeddings"]:
        del tensors["lm_head.weight"]
    config = QWEN_CONFIG | changes | ({"head_dim": 12} if name == "Qwen3" else {})
    shape = qwen_shape(config, tensors, **kind).transformer
    network = Transformer(shape).requires_grad_(False).eval()
    for tensor, value in tensors.items():
        place = QWEN.place(tensor, shape)
        assert place is not None
        place.of(network.state_dict()).copy_(value)
    return network, reference.eval()


def factors(network: Transformer, size: float, seed: int = 0) -> dict[str, list[Factors]]:
    """Return random factors of rank 2 for every matrix; those of `size` 0 change nothing."""
    random = torch.Generator().manual_seed(seed)
    found = {}
    for name, weight in network.named_parameters():
        if weight.ndim == 2 and name.startswith("blocks."):
            half = len(weight) // 2
            found[name] = [
                Factors(
                    torch.randn(2, weight.shape[1], generator=random),
                    size * torch.randn(rows, 2, generator=random),
                )
                for rows in (half, len(weight) - half)
            ]
    return found


def tiny_adapted(name: str = "Llama", size: float = 0.3) -> Adapted:
    network, _ = base(name)
    adapter = LowRank(factors(network, size), torch.device("cpu"), torch.float32)
    return Adapted(network, adapter, torch.randn(network.config.width))


def infilling(name: str = "Llama", size: float = 0.3, snippets: int = 2) -> CausalInfilling:
    torch.manual_seed(0)
    return CausalInfilling(Causal(tiny_adapted(name, size), "", snippets, canvas=12), tokenizer())


__all__ = ["SOURCE", "base", "factors", "infilling", "tiny_adapted", "tokenizer"]
