"""Decoding against slow loops over lists, written down from what the papers and their code say."""

from collections.abc import Sequence

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from looping import denoise
from scripted import DELETE, DREAMON, EXPAND, MASK, VOCABULARY

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.policies import entropy_bound, sequential

UNHURRIED = float("inf")


class Oracle:
    """Random logits that depend on all of a canvas, and on nothing else; sometimes fond of *delete* and *expand*."""

    def __init__(self, seed: int, fondness: float) -> None:
        random = torch.Generator().manual_seed(seed)
        self._table = torch.randn(VOCABULARY, 16, VOCABULARY, generator=random)
        self._table[..., [DELETE, EXPAND]] += fondness

    def logits(self, canvas: list[int]) -> torch.Tensor:
        """Return [canvas, vocabulary]."""
        sums = torch.stack([self._table[token, place] for place, token in enumerate(canvas)]).sum(0)
        return torch.stack([sums * (place + 2) / 8 + self._table[0, place] for place in range(len(canvas))])

    def __call__(self, canvases: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [
            self.logits(canvas.tolist()) if len(canvas) else torch.empty(0, VOCABULARY) for canvas in canvases
        ]


def dreamon(oracle: Oracle, length: int, longest: int) -> list[list[int]]:
    """Return the canvas after every pass: the least uncertain mask is written, expanded, or ends what is to write.

    A canvas is never longer than `longest`, and never expanded more often.
    """
    canvas, drafts, expansions = [MASK] * length, [], 0
    while MASK in canvas:
        logits = oracle.logits(canvas)
        logits[:, MASK] = -torch.inf
        if len(canvas) == longest or expansions == longest:
            logits[:, EXPAND] = -torch.inf
        best_place, best_entropy = -1, float("inf")
        for place, token in enumerate(canvas):
            probabilities = logits[place].softmax(-1)
            entropy = -sum(float(p) * float(p.log()) for p in probabilities if p > 0)
            if token == MASK and entropy < best_entropy:
                best_place, best_entropy = place, entropy
        proposal = int(logits[best_place].argmax())
        if proposal == DELETE:
            canvas = canvas[:best_place] + [token for token in canvas[best_place:] if token != MASK]
        elif proposal == EXPAND:
            canvas = [*canvas[:best_place], MASK, MASK, *canvas[best_place + 1 :]]
            expansions += 1
        else:
            canvas[best_place] = proposal
        drafts.append(list(canvas))
    return drafts


def low_confidence_remasking(oracle: Oracle, length: int) -> list[list[int]]:
    """Return the canvas after every pass: all masks are filled, and all but the most confident masked again."""
    canvas, drafts = [MASK] * length, []
    for _ in range(length):
        probabilities = oracle.logits(canvas)
        probabilities[:, [MASK, DELETE, EXPAND]] = -torch.inf
        probabilities = probabilities.softmax(-1)
        filled = {
            place: int(probabilities[place].argmax()) for place in range(length) if canvas[place] == MASK
        }
        kept = max(filled, key=lambda place: float(probabilities[place, filled[place]]))
        canvas = [filled[place] if place == kept else token for place, token in enumerate(canvas)]
        drafts.append(canvas)
    return drafts


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([0.0, 1.0, 2.0]))
def test_dreamon_is_decoded_as_its_authors_do(seed: int, length: int, fondness: float) -> None:
    oracle, longest = Oracle(seed, fondness), 8
    masks = Canvas.masked(DREAMON, [length], torch.device("cpu"))
    steps = denoise(oracle, masks, lambda p: entropy_bound(p, 0.0), Budget(999, UNHURRIED), longest)
    assert [canvas.ids[0].tolist() for canvas in steps] == dreamon(oracle, length, longest)


def test_deletes_and_expands_in_turn_come_to_an_end() -> None:
    """Everything but the first mask is deleted whenever there is more than that, and else it is expanded."""

    def oracle(canvases: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        found = [torch.zeros(len(canvas), VOCABULARY) for canvas in canvases]
        for logits in found:
            logits[0, 7] = 1.0
            logits[:1, EXPAND] = 9.0
            logits[1:, DELETE] = 99.0
        return found

    masks = Canvas.masked(DREAMON, [3, 1], torch.device("cpu"))
    steps = list(denoise(oracle, masks, sequential, Budget(999, UNHURRIED), 8))
    assert len(steps) == 1 + 2 * 8 + 1
    assert steps[-1].ids.tolist() == [[7], [7]]


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_sequential_is_low_confidence_remasking(seed: int, lengths: list[int]) -> None:
    oracle = Oracle(seed, 0.0)
    masks = Canvas.masked(DREAMON.fixed, lengths, torch.device("cpu"))
    steps = list(denoise(oracle, masks, sequential, Budget(99, UNHURRIED), 8))
    for row, length in enumerate(lengths):
        drafts = [canvas.row(row).ids[0].tolist() for canvas in steps]
        assert drafts[:length] == low_confidence_remasking(oracle, length)
