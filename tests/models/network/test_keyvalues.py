import psutil
import pytest
import torch

from dllm_lsp.models.network.keyvalues import KeyValues
from dllm_lsp.models.network.transformer import Transformer, TransformerConfig

LAYERS, HEADS, WIDTH = 2, 3, 4
NETWORK = Transformer(
    TransformerConfig(
        vocabulary=9,
        width=24,
        layers=LAYERS,
        heads=6,
        key_value_heads=HEADS,
        head_width=WIDTH,
        feed_forward=8,
    )
)


def some(length: int) -> torch.Tensor:
    return torch.randn(LAYERS, HEADS, length, WIDTH)


def filled(keys: torch.Tensor, capacity: int = 5) -> KeyValues:
    kept = KeyValues(NETWORK, capacity)
    kept.append(keys, -keys)
    return kept


def test_a_sequence_grows_and_is_cut_at_its_end() -> None:
    first, second = some(3), some(2)
    kept = filled(first)
    assert kept.append(second, -second) == slice(3, 5)
    assert torch.equal(kept.keys, torch.cat([first, second], dim=2))
    kept.truncate(2)
    assert torch.equal(kept.keys, first[:, :, :2])
    assert torch.equal(kept.values, -kept.keys)
    kept.append(second, -second)
    assert torch.equal(kept.keys, torch.cat([first[:, :, :2], second], dim=2))


def test_what_nobody_wrote_is_a_number() -> None:
    assert all(x.isfinite().all() for layer in filled(some(1)).layers for x in layer)


def test_a_passs_tokens_are_written_where_it_says_and_only_their_layer_has_them() -> None:
    kept, keys = filled(before := some(3)), torch.randn(1, HEADS, 2, WIDTH)
    kept.write(1, torch.tensor([4, 3]), keys, 2 * keys)
    for layer, (held_keys, held_values) in enumerate(kept.layers):
        assert torch.equal(held_keys[0, :, :3], before[layer])
        tail = keys.flip(2) if layer == 1 else torch.zeros_like(keys)
        assert torch.equal(held_keys[:, :, 3:], tail)
        assert torch.equal(held_values[:, :, 3:], 2 * tail)
    assert torch.equal(kept.keys, before), "its length is what it was"


def test_a_store_is_written_in_every_mode_whatever_the_last_one_was() -> None:
    with torch.inference_mode():
        kept = filled(some(3))
    keys = torch.ones(1, HEADS, 1, WIDTH, requires_grad=True)
    modes = (torch.no_grad, torch.enable_grad, torch.inference_mode, torch.enable_grad)
    for number, mode in enumerate(modes):
        with mode():
            kept.write(0, torch.tensor([3]), number * keys, keys)
    written, _ = kept.layers[0]
    assert written[:, :, 3].eq(3).all()
    assert not written.requires_grad


def test_nothing_is_written_beyond_it_or_kept_that_was_not_there() -> None:
    kept = filled(some(2), capacity=3)
    with pytest.raises(AssertionError):
        kept.append(some(2), some(2))
    with pytest.raises(AssertionError):
        kept.truncate(3)
    with pytest.raises(IndexError):
        kept.write(0, torch.tensor([3]), *torch.ones(2, 1, HEADS, 1, WIDTH))


def test_its_memory_is_known() -> None:
    kept = KeyValues(NETWORK, 5)
    assert kept.capacity == 5
    assert kept.bytes == 2 * LAYERS * HEADS * 5 * WIDTH * 4


def test_it_takes_memory_as_it_is_filled_and_gives_all_of_it_back() -> None:
    def taken() -> int:
        return psutil.Process().memory_info().rss - before

    before = psutil.Process().memory_info().rss
    kept = KeyValues(NETWORK, 300_000)
    assert taken() < kept.bytes / 4
    some_keys = torch.ones(LAYERS, HEADS, 1, WIDTH).expand(-1, -1, kept.capacity, -1)
    kept.append(some_keys, some_keys)
    assert taken() > kept.bytes * 0.9
    size = kept.bytes
    del kept
    assert taken() < size / 4
