"""Whatever is guessed, a text and its probabilities are those of writing one token a pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import DELETE, MASK
from torch import Tensor

from dllm_lsp.engine.continuation import WIDTH, Continuation
from dllm_lsp.engine.lookup import Lookup
from dllm_lsp.engine.model import CanvasTokens

VOCABULARY = 12
TOKENS = CanvasTokens(mask=MASK, delete=DELETE, expand=None, forbidden=(MASK, 2))
ANYTHING = Lookup([()])

Denoiser = Callable[[Sequence[int], Sequence[int]], Tensor]
"""From what is written and a canvas to the canvas's logits [n, vocabulary]."""


class Guesses(Lookup):
    """Finds what a test wants, whatever is written."""

    def __init__(self, guess: Callable[[], Sequence[int]]) -> None:
        self._guess = guess

    def after(self, written: Sequence[int], count: int) -> tuple[int, ...]:
        return tuple(self._guess())[:count]


def causal(seed: int, size: int = VOCABULARY) -> Denoiser:
    """Return a random network that reads what is known causally, and everything where it proposes for masks."""

    def run(written: Sequence[int], canvas: Sequence[int]) -> Tensor:
        known = canvas.index(MASK) if MASK in canvas else len(canvas)
        rows = []
        for position in range(len(canvas)):
            seen = (*written, *(canvas[:position] if position <= known else canvas))
            random = torch.Generator().manual_seed(hash((seed, position > known, seen)) % 2**60)
            rows.append(3 * torch.randn(size, generator=random))
        return torch.stack(rows)

    return run


def texts(run: Denoiser, longest: int, lookup: Lookup) -> list[Continuation]:
    """Return the text after every step until it is settled."""
    found = [Continuation.of(TOKENS, longest, lookup)]
    while not found[-1].settled:
        text = found[-1]
        found.append(text.step(run(text.ids, text.canvas)))
    return found


def one_by_one(run: Denoiser, longest: int) -> tuple[list[int], list[float], float]:
    """Write the best token a pass; return tokens, probabilities, and that of the end."""
    ids, probabilities = list[int](), list[float]()
    while len(ids) < longest:
        logits = run(ids, [MASK])[0]
        logits[list(TOKENS.forbidden)] = float("-inf")
        probability, best = logits.softmax(-1).max(-1)
        if best == DELETE:
            return ids, probabilities, float(probability)
        ids.append(int(best))
        probabilities.append(float(probability))
    return ids, probabilities, 0.0


@settings(max_examples=100)
@given(st.integers(0, 10**9), st.integers(1, 20), st.data())
def test_any_guesses_come_to_the_same_text(seed: int, longest: int, data: st.DataObject) -> None:
    run = causal(seed)
    ids, probabilities, end = one_by_one(run, longest)
    true = [*ids, 3, 3, 3]
    written: list[Continuation] = []

    def guess() -> list[int]:
        at = len(written[-1].ids) if written else 0
        right = data.draw(st.integers(0, WIDTH))
        return [*true[at : at + right], *data.draw(st.lists(st.integers(3, VOCABULARY - 1), max_size=WIDTH))]

    *_, last = texts(run, longest, Guesses(guess))
    assert list(last.ids) == ids
    assert last.probabilities == pytest.approx(probabilities, abs=1e-6)
    assert last.end == pytest.approx(end, abs=1e-6)


def test_right_guesses_take_one_pass() -> None:
    run = causal(3)
    ids, *_ = one_by_one(run, WIDTH - 1)
    assert len(ids) > 2
    assert len(texts(run, WIDTH - 1, Guesses(lambda: ids))) == 2


def test_the_first_wrong_guess_is_replaced_and_what_is_right_of_it_is_dropped() -> None:
    run = causal(3)
    ids, *_ = one_by_one(run, 9)
    wrong = 3 if ids[1] != 3 else 4
    _, first, *_ = texts(run, 9, Guesses(lambda: [ids[0], wrong, ids[2]]))
    assert list(first.ids) == ids[:2]


def test_without_a_place_to_look_up_masks_are_guessed() -> None:
    """A network that writes 3, 4, 5, ... and knows it for masks, too."""

    def run(written: Sequence[int], canvas: Sequence[int]) -> Tensor:
        logits = torch.zeros(len(canvas), VOCABULARY)
        for position, row in enumerate(logits):
            row[min(3 + len(written) + position, VOCABULARY - 1)] = 9.0
        return logits

    _, first, second = texts(run, 9, ANYTHING)
    assert first.ids == (3,)
    assert first.guesses == (4, 5, 6, 7, 8, 9, 10)
    assert second.ids == (3, 4, 5, 6, 7, 8, 9, 10, 11)


def test_a_draft_shows_masks_until_it_is_settled() -> None:
    for text in texts(causal(3), 9, ANYTHING):
        ids, probabilities = text.draft
        assert len(ids) == len(probabilities)
        assert (MASK in ids) == (not text.settled)
        assert ids[: len(text.ids)] == list(text.ids)
