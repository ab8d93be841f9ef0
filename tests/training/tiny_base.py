"""A base of a few thousand random weights, as tensors and as transformers' own network, and its tokenizer."""

from __future__ import annotations

from functools import cache

import torch
from tiny_checkpoints import llama
from tiny_model import SOURCE
from tokenizers import Tokenizer as BytePairEncoder
from tokenizers import decoders, models, pre_tokenizers, trainers
from torch import nn

from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer, token_bytes
from dllm_lsp.training.adaptation.adapter import PARTS, Adapter
from dllm_lsp.training.adaptation.base import Base, BaseShape, Layer
from dllm_lsp.training.adaptation.network import Network
from dllm_lsp.training.files import SourceFile

SPECIAL = 17
SHAPE = BaseShape(
    layers=2, width=24, heads=6, key_heads=2, inner=40, vocabulary=320, epsilon=1e-5, theta=10_000.0
)
FILE = SourceFile("p==1/a.py", "python", "".join(SOURCE.replace("Point", f"P{i}") for i in range(4)), "p==1")


@cache
def tokenizer() -> TextTokenizer:
    encoder = BytePairEncoder(models.BPE())
    encoder.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    encoder.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=SHAPE.vocabulary - SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    encoder.train_from_iterator([SOURCE * 3], trainer)
    spelled = token_bytes(encoder.get_vocab())
    return TextTokenizer(encoder, {i + SPECIAL: text for i, text in spelled.items()}, SPECIAL)


@cache
def base() -> Base:
    random = torch.Generator().manual_seed(0)

    def matrix(rows: int, columns: int) -> torch.Tensor:
        return 0.3 * torch.randn(rows, columns, generator=random)

    layers = tuple(
        Layer(
            attention_norm=1 + matrix(1, SHAPE.width)[0],
            qkv=matrix(sum(SHAPE.outputs["qkv"]), SHAPE.width),
            out=matrix(SHAPE.width, SHAPE.width),
            feed_norm=1 + matrix(1, SHAPE.width)[0],
            gate_up=matrix(2 * SHAPE.inner, SHAPE.width),
            down=matrix(SHAPE.width, SHAPE.inner),
        )
        for _ in range(SHAPE.layers)
    )
    return Base(SHAPE, matrix(SHAPE.vocabulary, SHAPE.width), layers, 1 + matrix(1, SHAPE.width)[0])


@cache
def reference() -> nn.Module:
    """transformers' own network with the same weights."""
    network = llama(
        num_hidden_layers=SHAPE.layers,
        hidden_size=SHAPE.width,
        num_attention_heads=SHAPE.heads,
        num_key_value_heads=SHAPE.key_heads,
        intermediate_size=SHAPE.inner,
        vocab_size=SHAPE.vocabulary,
        rms_norm_eps=SHAPE.epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": SHAPE.theta},
        head_dim=SHAPE.head_width,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    weights = {"model.embed_tokens.weight": base().embedding, "model.norm.weight": base().norm}
    for number, layer in enumerate(base().layers):
        at = f"model.layers.{number}."
        weights |= {at + f"{name}.weight": value for name, value in published(layer).items()}
    network.load_state_dict(weights | {"lm_head.weight": base().embedding})
    return network


def published(layer: Layer) -> dict[str, torch.Tensor]:
    """The weights of a layer, apart, by their published names."""
    weights = {"input_layernorm": layer.attention_norm, "post_attention_layernorm": layer.feed_norm}
    for product, names in PARTS.items():
        parts = getattr(layer, product).split(SHAPE.outputs[product])
        weights |= dict(zip(names, parts, strict=True))
    return weights


def network(trained: bool = False) -> Network:
    """A fresh adapter changes nothing; a `trained` one does."""
    torch.manual_seed(0)
    adapter = Adapter(SHAPE, 3, base().embedding.mean(0))
    if trained:
        for parameter in adapter.parameters():
            nn.init.normal_(parameter, std=0.3)
    return Network(base(), adapter)
