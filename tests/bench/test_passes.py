"""Passes in turns, and the plain network that they are compared with."""

from collections.abc import Callable

import pytest
import torch
from tiny_model import tiny_model
from torch import Tensor
from torch.nn import functional as F

from bench import passes
from bench.naive import NaiveNetwork
from dllm_lsp.models.network.transformer import Transformer, TransformerConfig

SHAPE = TransformerConfig(
    vocabulary=70, width=24, layers=2, heads=4, key_value_heads=2, head_width=8, feed_forward=40
)


@torch.no_grad()
def test_the_plain_network_is_the_same_network() -> None:
    torch.manual_seed(0)
    plain, network = NaiveNetwork(SHAPE, context=9), Transformer(SHAPE)
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.3)
    network.embedding.weight.copy_(plain.embedding.weight)
    network.norm.weight.copy_(plain.norm.weight)
    plain.head.weight.copy_(plain.embedding.weight)  # ours is tied
    for ours, theirs in zip(network.blocks, plain.blocks, strict=True):
        attention, forward = ours.attention, ours.feed_forward
        pairs = [
            (attention.qkv, torch.cat([theirs.query.weight, theirs.key.weight, theirs.value.weight])),
            (attention.out, theirs.out.weight),
            (attention.query_norm, theirs.head_norms[0].weight),
            (attention.key_norm, theirs.head_norms[1].weight),
            (ours.attention_norm, theirs.norms[0].weight),
            (ours.feed_forward_norm, theirs.norms[1].weight),
            (forward.gate_up, torch.cat([theirs.gate.weight, theirs.up.weight])),
            (forward.down, theirs.down.weight),
        ]
        for module, weight in pairs:
            module.weight.copy_(weight)
    rotate = network.rotation(torch.arange(9, 14))

    def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        keys, values = plain.blocks[layer].cache
        keys, values = torch.cat([keys, rotate(key)], dim=2), torch.cat([values, value], dim=2)
        return F.scaled_dot_product_attention(rotate(query), keys, values, enable_gqa=True)

    ids = torch.randint(70, (1, 5))
    expected = network.logits(network(network.embedding(ids), attend)).log_softmax(-1)
    torch.testing.assert_close(plain(ids), expected, rtol=1e-4, atol=1e-4)


def test_all_take_turns_and_the_first_round_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now, ran = [0.0], []

    def taking(name: str, *seconds: float) -> Callable[[], None]:
        left = list(seconds)

        def run() -> None:
            ran.append(name)
            now[0] += left.pop(0)

        return run

    monkeypatch.setattr(passes.time, "perf_counter", lambda: now[0])
    taken = passes.in_turns({"a": taking("a", 9.0, 0.25, 0.5, 0.5), "b": taking("b", 9.0, 1.0, 4.0, 3.0)}, 3)
    assert taken == {"a": 500.0, "b": 3000.0}
    assert ran == ["a", "b"] * 4


def test_the_table_has_a_row_for_each_and_a_column_for_each_number_of_threads() -> None:
    threads = torch.get_num_threads()
    try:
        lines = passes.pass_table(tiny_model().config, (1, 2), rounds=1).splitlines()
    finally:
        torch.set_num_threads(threads)
    assert lines[0].endswith("| 1 thread | 2 threads |")
    assert len(lines) == 8
    assert lines[2].count("(1.00)") == 2
