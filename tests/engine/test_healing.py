import math
from collections.abc import Sequence

import pytest
import torch
from every_policy import POLICIES
from hypothesis import given, settings
from hypothesis import strategies as st
from looping import denoise
from tiny_model import SOURCE, tiny_tokenizer

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.healing import Stem
from dllm_lsp.engine.model import CanvasTokens
from dllm_lsp.models.checkpoints.tokenizer import Tokenizer

TOKENIZER = tiny_tokenizer()
TOKENS = CanvasTokens(
    Tokenizer.mask, Tokenizer.delete, None, tuple(i for i in TOKENIZER.never_written if i != Tokenizer.delete)
)
CPU = torch.device("cpu")
typed = st.one_of(st.integers(0, len(SOURCE)).map(lambda end: SOURCE[:end]), st.text(max_size=30))


def texts(stem: str, seed: int, policy: str, passes: int) -> list[str]:
    """Return what random networks write on two canvases."""
    generator = torch.Generator().manual_seed(seed)

    def run(canvases: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [5 * torch.randn(len(canvas), TOKENIZER.size, generator=generator) for canvas in canvases]

    masks = Canvas.masked(TOKENS, [9, 12], CPU)
    budget = Budget(passes, math.inf)
    budget.begin()
    *_, canvas = denoise(run, masks, POLICIES[policy], budget, 12, stem=Stem(stem, TOKENIZER))
    return [TOKENIZER.decode(ids.tolist()) for ids in canvas.written]


@settings(max_examples=60, deadline=None)
@given(typed, st.integers(0, 10**6), st.sampled_from(sorted(POLICIES)), st.integers(1, 9))
def test_every_canvas_begins_with_the_stem(before: str, seed: int, policy: str, passes: int) -> None:
    ids, stem = TOKENIZER.healed(before)
    assert TOKENIZER.decode(ids) + stem == before.encode("utf-8", "replace").decode()
    assert all(text.startswith(stem) for text in texts(stem, seed, policy, passes))


@pytest.mark.parametrize(
    ("before", "stem"),
    [("x = foo", " foo"), ("    ", ""), ("x\n    y", "y"), ("f(", "("), ("x\n", ""), ("", ""), ("x = ", " ")],
)
def test_what_goes_on_with_the_next_keystroke_is_open(before: str, stem: str) -> None:
    assert TOKENIZER.open_end(before) == stem


def test_of_a_long_word_only_the_last_tokens_are_written_anew() -> None:
    ids, stem = TOKENIZER.healed("x = " + "q" * 40)
    assert len(ids) > 20
    assert 1 <= len(stem) <= 4


def test_the_tokens_of_a_spelling_are_longer_or_shorter_than_the_stem() -> None:
    longer, shorter = TOKENIZER.spelling(b"return")
    assert all(TOKENIZER.spelled(i).startswith(b"return") for i in longer)
    assert all(b"return".startswith(TOKENIZER.spelled(i)) for i in shorter)
    assert TOKENIZER.encode("return")[0] in longer + shorter
    assert TOKENIZER.encode("r")[0] in shorter


def test_nothing_beside_the_stem_is_written_while_it_is_unfinished() -> None:
    stem = Stem("return", TOKENIZER)
    [r] = TOKENIZER.encode("r")
    logits = torch.zeros(1, 3, TOKENIZER.size)
    logits[0, 0, r] = 9.0
    assert stem.narrow(torch.zeros(1, 3, dtype=torch.long), 0, logits).tolist() == [[True, False, False]]
    assert logits[0, 0].argmax() == r
