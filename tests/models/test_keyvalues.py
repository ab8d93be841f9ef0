import pytest
import torch

from dllm_lsp.models.keyvalues import KeyValues

LAYERS, HEADS, WIDTH = 2, 3, 4


def store(capacity: int) -> KeyValues:
    return KeyValues(LAYERS, HEADS, capacity, WIDTH, dtype=torch.float32, device=torch.device("cpu"))


def some(length: int) -> torch.Tensor:
    return torch.randn(LAYERS, HEADS, length, WIDTH)


def test_it_grows_at_its_end_and_is_cut_there() -> None:
    keys, values, more = some(3), some(3), some(2)
    kept = store(5)
    kept.extend(keys, values)
    kept.truncate(2)
    kept.extend(more, more)
    assert torch.equal(kept.keys, torch.cat([keys[:, :, :2], more], dim=2))
    assert torch.equal(kept.values, torch.cat([values[:, :, :2], more], dim=2))


def test_what_is_written_behind_its_end_is_seen_by_the_layer_alone() -> None:
    keys, canvas = some(3), torch.randn(1, HEADS, 2, WIDTH)
    kept = store(5)
    kept.extend(keys, keys)
    seen, _ = kept.write(1, 3, canvas, canvas)
    assert torch.equal(seen, torch.cat([keys[1:2], canvas], dim=2))
    assert kept.length == 3
    assert torch.equal(kept.keys, keys)


def test_nothing_is_written_beyond_it_or_kept_that_was_not_there() -> None:
    kept = store(2)
    with pytest.raises(AssertionError):
        kept.write(0, 1, torch.zeros(1, HEADS, 2, WIDTH), torch.zeros(1, HEADS, 2, WIDTH))
    with pytest.raises(AssertionError):
        kept.truncate(1)


def test_its_memory_is_known() -> None:
    assert store(5).bytes == 2 * LAYERS * HEADS * 5 * WIDTH * 4
