import pytest
import torch

from dllm_lsp.models.network.keyvalues import KeyValues

LAYERS, ROWS, HEADS, WIDTH = 2, 2, 3, 4


def store(capacity: int) -> KeyValues:
    return KeyValues(LAYERS, ROWS, HEADS, capacity, WIDTH, dtype=torch.float32, device=torch.device("cpu"))


def some(length: int) -> torch.Tensor:
    return torch.randn(LAYERS, HEADS, length, WIDTH)


def filled(*rows: torch.Tensor) -> KeyValues:
    kept = store(5)
    for row, keys in enumerate(rows):
        kept.put(row, 0, keys, -keys)
    kept.length = max(keys.shape[2] for keys in rows)
    return kept


def test_a_row_is_put_and_cut_at_its_end() -> None:
    first, second = some(4), some(4)
    kept = filled(first, second)
    kept.truncate(3)
    assert torch.equal(kept.keys, torch.stack([first, second], dim=1)[:, :, :, :3])
    assert torch.equal(kept.values, -kept.keys)


def test_a_shorter_row_is_padded_with_numbers() -> None:
    assert filled(some(4), some(1)).keys.isfinite().all()


def test_what_is_written_behind_its_end_is_seen_by_the_layer_alone() -> None:
    first, second, canvas = some(3), some(3), torch.randn(ROWS, HEADS, 2, WIDTH)
    kept = filled(first, second)
    slot = kept.slots(2)[1]
    slot.write(canvas, 2 * canvas)
    before = torch.stack([first[1], second[1]])
    assert torch.equal(slot.keys, torch.cat([before, canvas], dim=2))
    assert torch.equal(slot.values, torch.cat([-before, 2 * canvas], dim=2))
    assert torch.equal(kept.keys, torch.stack([first, second], dim=1))


def test_a_store_is_written_in_every_mode_whatever_the_last_one_was() -> None:
    kept = filled(some(3), some(3))
    canvas = torch.ones(ROWS, HEADS, 1, WIDTH, requires_grad=True)
    for number, mode in enumerate(
        (torch.no_grad, torch.enable_grad, torch.inference_mode, torch.enable_grad)
    ):
        with mode():
            kept.slots(1)[0].write(number * canvas, canvas)
    assert kept.slots(1)[0].keys[..., 3:, :].eq(3).all()
    assert not kept.keys.requires_grad


def test_a_slot_is_as_long_as_the_last_pass_needs() -> None:
    kept = filled(some(3), some(3))
    assert kept.slots(2)[0].keys.shape[2] == 5
    assert kept.slots(1)[0].keys.shape[2] == 4
    kept.truncate(2)
    assert kept.slots(1)[0].keys.shape[2] == 3
    assert kept.slots(1) is kept.slots(1)


def test_nothing_is_written_beyond_it_or_kept_that_was_not_there() -> None:
    kept = store(2)
    with pytest.raises(AssertionError):
        kept.slots(3)
    with pytest.raises(AssertionError):
        kept.put(0, 1, some(2), some(2))
    with pytest.raises(AssertionError):
        kept.truncate(1)


def test_its_memory_is_known() -> None:
    assert store(5).bytes == 2 * LAYERS * ROWS * HEADS * 5 * WIDTH * 4
