import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.training.noise import IGNORED, NoiseConfig, noised

MASK, DELETE = Tokenizer.mask, Tokenizer.delete
OTHERS = list(range(100, 200))
tokens = st.lists(st.integers(12, 99), max_size=20)


@given(tokens, st.integers(0, 5), st.integers())
def test_the_canvas_asks_for_what_is_hidden_or_wrong_and_for_the_end(
    hole: list[int], room: int, seed: int
) -> None:
    size = max(1, len(hole) + room)
    ids, targets, weights = noised(hole, size, OTHERS, NoiseConfig(merged=0), random.Random(seed))
    assert len(ids) == len(targets) == len(weights)
    assert max(1, len(hole)) <= len(ids) <= size
    for token, seen, target, weight in zip(hole, ids, targets, weights, strict=False):
        if seen == token:
            assert (target, weight) == (IGNORED, 0)
        else:
            assert seen == MASK or seen in OTHERS
            assert (target, weight) == (token, 1)
    ends = len(ids) - len(hole)
    assert ids[len(hole) :] == [MASK] * ends
    assert targets[len(hole) :] == [DELETE] * ends
    assert weights[len(hole) :] == [1.0, *[0.2] * (ends - 1)][:ends]


def shares(config: NoiseConfig) -> tuple[float, float, float, float]:
    """Shares of canvases all masked, masked but for a prefix, full, and of shown tokens that are wrong."""
    hole, size, count = list(range(12, 22)), 16, 1000
    rng = random.Random(0)
    canvases = [noised(hole, size, OTHERS, config, rng).ids for _ in range(count)]
    written = [canvas[: len(hole)] for canvas in canvases]
    shown = [token for canvas in written for token in canvas if token != MASK]
    prefixes = [[token == MASK for token in canvas] for canvas in written]
    return (
        sum(set(canvas) == {MASK} for canvas in written) / count,
        sum(masks == sorted(masks) for masks in prefixes) / count,
        sum(len(canvas) == size for canvas in canvases) / count,
        sum(token in OTHERS for token in shown) / max(1, len(shown)),
    )


def test_all_can_be_masked_as_decoding_starts() -> None:
    all_masked, _, full, _ = shares(NoiseConfig(all_masked=1, full_canvas=1))
    assert (all_masked, full) == (1, 1)


def test_a_prefix_can_be_shown() -> None:
    _, prefixes, _, _ = shares(NoiseConfig(all_masked=0, prefix_revealed=1))
    assert prefixes == 1


def test_shares_are_kept() -> None:
    config = NoiseConfig(all_masked=0.5, prefix_revealed=0, full_canvas=0, replaced=0.25)
    all_masked, _, full, replaced = shares(config)
    assert all_masked == pytest.approx(0.5, abs=0.1)
    assert full < 0.3
    assert replaced == pytest.approx(0.25, abs=0.05)


@given(tokens, st.integers())
def test_a_mask_that_asks_to_be_expanded_stands_for_two_tokens(hole: list[int], seed: int) -> None:
    config = NoiseConfig(all_masked=1, full_canvas=0, merged=1)
    canvas = noised(hole, len(hole) + 5, OTHERS, config, random.Random(seed))
    written = iter(hole)
    for seen, target in zip(canvas.ids, canvas.targets, strict=True):
        assert seen == MASK
        if target == Tokenizer.expand:
            next(written), next(written)
        elif target != DELETE:
            assert target == next(written)
    assert list(written) == []


def test_masks_are_merged_as_often_as_asked_for() -> None:
    hole = list(range(12, 22))
    found = [
        Tokenizer.expand in noised(hole, 30, OTHERS, config, random.Random(seed)).targets
        for config in (NoiseConfig(all_masked=1, full_canvas=0, merged=0.5), NoiseConfig(full_canvas=1))
        for seed in range(400)
    ]
    assert 0.4 < sum(found[:400]) / 400 < 0.6
    assert not any(found[400:])
