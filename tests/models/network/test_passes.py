"""Cached passes against the same network run over each whole sequence by itself."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dllm_lsp.models.network.keyvalues import KeyValues
from dllm_lsp.models.network.passes import Span, cached_pass, causal
from dllm_lsp.models.network.transformer import Rotation, Transformer, TransformerConfig

SHAPE = TransformerConfig(vocabulary=50, width=16, layers=3, heads=4, key_value_heads=2, feed_forward=24)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> Transformer:
    torch.manual_seed(0)
    network = Transformer(SHAPE).eval().requires_grad_(False)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.4)
    return network


def whole(network: Transformer, ids: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the hidden states of all of a sequence, of which each token sees what the mask says, or all."""
    rotate = network.rotation(torch.arange(len(ids)))

    def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(rotate(query), rotate(key), value, mask, enable_gqa=True)

    hidden: Tensor = network(network.embedding(ids)[None], attend)
    return hidden[0]


def triangle(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril()


def packed(network: Transformer, tokens: list[Tensor], spans: list[Span], positions: list[Tensor]) -> Tensor:
    rotate = Rotation.joined([network.rotation(each) for each in positions])
    return cached_pass(network, network.embedding(torch.cat(tokens)), rotate, spans)


def test_packed_sequences_are_as_if_each_were_alone(network: Transformer) -> None:
    """Some see all of what they are packed with, others only those before them."""
    lengths, is_causal = [5, 1, 9, 3], [True, False, False, True]
    tokens = [torch.randint(50, (length,)) for length in lengths]
    spans = [
        Span.behind(KeyValues(network, 12), 0, n, causal(n, CPU) if c else None)
        for n, c in zip(lengths, is_causal, strict=True)
    ]
    found = packed(network, tokens, spans, [torch.arange(n) for n in lengths]).split(lengths)
    for each, ids, c in zip(found, tokens, is_causal, strict=True):
        expected = whole(network, ids, triangle(len(ids)) if c else None)
        torch.testing.assert_close(each, expected, rtol=1e-4, atol=1e-4)


def test_tokens_behind_what_is_cached_are_as_if_all_were_run_at_once(network: Transformer) -> None:
    """Two sequences in pieces of other lengths, which go on where the last pass of each has ended."""
    texts = [torch.randint(50, (10,)), torch.randint(50, (7,))]
    stores = [KeyValues(network, 10) for _ in texts]
    found: list[list[Tensor]] = [[], []]
    for cuts in (((0, 4), (0, 1)), ((4, 5), (1, 4)), ((5, 10), (4, 7))):
        counts = [end - start for start, end in cuts]
        spans = [
            Span.behind(store, start, end - start, causal(end - start, CPU))
            for store, (start, end) in zip(stores, cuts, strict=True)
        ]
        tokens = [text[start:end] for text, (start, end) in zip(texts, cuts, strict=True)]
        hidden = packed(network, tokens, spans, [torch.arange(*cut) for cut in cuts])
        for part, each in zip(hidden.split(counts), found, strict=True):
            each.append(part)
    for text, parts in zip(texts, found, strict=True):
        expected = whole(network, text, triangle(len(text)))
        torch.testing.assert_close(torch.cat(parts), expected, rtol=1e-4, atol=1e-4)


def test_where_tokens_lie_makes_no_difference_to_who_sees_all(network: Transformer) -> None:
    """Rotary positions are what counts: the first pass lays a text out in any order, the second one its middle anew."""
    ids, order = torch.randint(50, (8,)), torch.tensor([3, 4, 0, 1, 2, 7, 5, 6])
    store = KeyValues(network, 9)
    span = Span(store, torch.arange(8), torch.tensor([8]))
    expected = whole(network, ids)[order]
    found = packed(network, [ids[order]], [span], [order])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    once_more = Span(store, torch.tensor([5, 2]), torch.tensor([8]))
    found = packed(network, [ids[order[[5, 2]]]], [once_more], [order[[5, 2]]])
    torch.testing.assert_close(found, expected[[5, 2]], rtol=1e-4, atol=1e-4)


def test_a_pass_writes_its_own_columns_and_no_others(network: Transformer) -> None:
    store = KeyValues(network, 6)
    keys = torch.randn(3, 2, 6, 4)
    store.append(keys, keys)
    columns = torch.tensor([4, 1])
    packed(network, [torch.tensor([1, 2])], [Span(store, columns, torch.tensor([6]))], [columns])
    same = (store.keys == keys).all(-1).all(1).all(0)
    assert same.tolist() == [True, False, True, True, False, True]


def test_nothing_is_run_beyond_the_store(network: Transformer) -> None:
    with pytest.raises(AssertionError):
        Span.behind(KeyValues(network, 4), 2, 3)
