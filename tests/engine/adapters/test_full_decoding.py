"""Every family through the real engine, from request to text, against slow loops over transformers' own networks."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from looping import denoise
from safetensors.torch import load_file, save_file
from tiny_checkpoints import (
    ORDINARY,
    VOCABULARY,
    change_json,
    write_a2d,
    write_dream,
    write_llada,
    write_open_dcoder,
)
from torch import Tensor, nn

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.effort import Effort
from dllm_lsp.engine.engine import Engine
from dllm_lsp.engine.loading import load_model
from dllm_lsp.engine.policies import sequential
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled
from dllm_lsp.models.checkpoints.vocabulary import read_vocabulary

pytestmark = pytest.mark.timeout(60)  # the first one imports transformers

CPU = torch.device("cpu")
HOLE = Hole(before="def f(x):\n    ", after="\n    return x # 😀\n\n\nprint(f(1))\n", language="python")
SLOW = Effort(passes=200, candidates=1, policy=sequential)

MASK = {"Dream": ORDINARY + 4, "LLaDA": ORDINARY + 2, "Open-dCoder": ORDINARY + 3, "A2D": ORDINARY + 2}
FRAME = {"Dream": ([ORDINARY + 3], [ORDINARY])}
SHIFTED = ("Dream", "Open-dCoder")
WRITERS: dict[str, Callable[..., nn.Module]] = {
    "Dream": write_dream,
    "LLaDA": write_llada,
    "Open-dCoder": write_open_dcoder,
    "A2D": write_a2d,
}


class Reference:
    """Decodes one token a pass, everything computed anew, as the families' own scripts do it."""

    def __init__(self, name: str, folder: Path, network: nn.Module) -> None:
        self.network, self.mask, self.is_shifted = network, MASK[name], name in SHIFTED
        begin, end = FRAME.get(name, ([], []))
        self.tokenizer = read_vocabulary(folder).tokenizer
        self.before = begin + self.tokenizer.encode(HOLE.before)
        self.after = self.tokenizer.encode(HOLE.after) + end

    def probabilities(self, canvas: list[int], allowed: tuple[int, ...] = ()) -> Tensor:
        """Return those of ordinary tokens, and of `allowed` special ones, at every position of the canvas."""
        text = torch.tensor([self.before + canvas + self.after])
        everything = torch.zeros(1, 1, text.shape[1], text.shape[1])
        logits = self.network(text, attention_mask=everything).logits[0]
        start = len(self.before) - self.is_shifted
        logits = logits[start : start + len(canvas)].clone()
        logits[:, [i for i in range(ORDINARY, VOCABULARY) if i not in allowed]] = -math.inf
        return logits.softmax(-1)

    def surest_first(self, length: int) -> str:
        """LLaDA's low-confidence remasking and Dream's own, at temperature 0: every pass keeps its surest token."""
        canvas = [self.mask] * length
        while self.mask in canvas:
            best, token = self.probabilities(canvas).max(-1)
            masked = [i for i, current in enumerate(canvas) if current == self.mask]
            surest = max(masked, key=lambda i: float(best[i]))
            canvas[surest] = int(token[surest])
        return self.tokenizer.decode(canvas)

    def with_lengths(self, start: int, longest: int, delete: int, expand: int) -> tuple[str, set[str]]:
        """DreamOn's: the surest mask is written, ends the text or becomes two masks. Also returns what happened."""
        canvas, happened, budget = [self.mask] * start, set(), longest
        while self.mask in canvas:
            allowed = (delete, expand) if len(canvas) < longest and budget else (delete,)
            best, token = self.probabilities(canvas, allowed).max(-1)
            masked = [i for i, current in enumerate(canvas) if current == self.mask]
            surest = max(masked, key=lambda i: float(best[i]))
            if token[surest] == delete:
                canvas = [t for i, t in enumerate(canvas) if i < surest or t != self.mask]
                happened.add("delete")
            elif token[surest] == expand:
                canvas.insert(surest, self.mask)
                budget -= 1
                happened.add("expand")
            else:
                canvas[surest] = int(token[surest])
        return self.tokenizer.decode(canvas), happened


def infill(folder: Path, limits: Limits, effort: Effort | None = None) -> Infilled:
    engine = Engine.load(str(folder), "cpu", 1)
    drafts = engine.infill("a.py", HOLE, limits, effort)
    while True:
        try:
            next(drafts)
        except StopIteration as end:
            return end.value


def exact(tokens: int) -> Limits:
    return Limits(tokens=tokens, exact=True, milliseconds=math.inf)


@pytest.mark.parametrize("name", WRITERS)
def test_the_first_pass_is_the_reference(name: str, tmp_path: Path) -> None:
    reference = Reference(name, tmp_path, WRITERS[name](tmp_path, dtype=torch.float32))
    outcome = infill(tmp_path, exact(7), SLOW._replace(passes=1))
    best, tokens = reference.probabilities([reference.mask] * 7).max(-1)
    assert outcome.text == reference.tokenizer.decode(tokens.tolist())
    assert [piece.probability for piece in outcome.pieces] == pytest.approx(best.tolist(), rel=1e-3)
    assert (outcome.encoded, outcome.passes) == (0, 1), "which reads the code around, too"


@pytest.mark.parametrize("name", WRITERS)
def test_decoding_is_that_of_the_reference(name: str, tmp_path: Path) -> None:
    """With one layer, so that what is kept of the context is exact."""
    reference = Reference(name, tmp_path, WRITERS[name](tmp_path, dtype=torch.float32, layers=1))
    outcome = infill(tmp_path, exact(12), SLOW)
    assert outcome.text == reference.surest_first(12)
    assert outcome.steps == 12


@pytest.mark.parametrize("seed", [16, 59])  # with which both happen
def test_dreamon_deletes_and_expands_as_the_reference(seed: int, tmp_path: Path) -> None:
    network = write_dream(tmp_path, expand=True, dtype=torch.float32, layers=1, shards=1)
    delete, expand = ORDINARY, ORDINARY + 5
    random = torch.randn(2, 32, generator=torch.Generator().manual_seed(seed))
    network.lm_head.weight[[delete, expand]] = 0.7 * random
    tensors = load_file(tmp_path / "model.safetensors")
    save_file(tensors | {"lm_head.weight": network.lm_head.weight}, tmp_path / "model.safetensors")
    reference = Reference("Dream", tmp_path, network)
    text, happened = reference.with_lengths(8, 20, delete, expand)
    model, tokenizer, _ = load_model(tmp_path, CPU)
    context = model.context("python")
    context.become(tokenizer.encode(HOLE.before), tokenizer.encode(HOLE.after))
    masks = Canvas.masked(model.tokens, [8], CPU)
    with torch.inference_mode(), model.surroundings(context, 20) as around:
        drafts = denoise(
            lambda rows: model.denoise(rows, [around]), masks, sequential, Budget(200, math.inf), 20
        )
        *_, canvas = drafts
    assert tokenizer.decode(canvas.ids[0].tolist()) == text
    assert happened == {"delete", "expand"}


@pytest.mark.parametrize("name", WRITERS)
def test_an_ordinary_request_is_answered(name: str, tmp_path: Path) -> None:
    """The length is not given; *high* decodes several candidates and asks which fits best."""
    WRITERS[name](tmp_path)
    for effort in ("instant", "medium", "high"):
        outcome = infill(tmp_path, Limits(tokens=6, effort=effort, milliseconds=math.inf))
        assert all(piece.text is not None for piece in outcome.pieces)
        assert 0 < len(outcome.pieces) <= 6


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("x" * 40_000, "y = 1\n" * 9000), ("", "x"), ("x", "")]
)
def test_any_context_is_served(name: str, before: str, after: str, tmp_path: Path) -> None:
    """Longer than the model's limit, it is cut at its far ends."""
    WRITERS[name](tmp_path)
    change_json(
        tmp_path / "config.json",
        lambda config: config.update(dict.fromkeys(("max_position_embeddings", "max_sequence_length"), 64)),
    )
    engine = Engine.load(str(tmp_path), "cpu", 1)
    hole = Hole(before=before, after=after, language="python")
    for limits in (exact(4), Limits(tokens=4, effort="high", milliseconds=math.inf)):
        *_, last = engine.infill("a.py", hole, limits)
        assert 0 < len(last.pieces) <= 4
        assert all(piece.text is not None for piece in last.pieces)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("config.json", lambda config: config.update(mask_token_id=ORDINARY + 1)),
        ("tokenizer_config.json", lambda config: config.update(bos_token="<|im_start|>")),
        ("tokenizer_config.json", lambda config: config.update(eos_token="<|im_start|>")),
    ],
)
def test_other_special_tokens_would_be_noticed(
    path: str, change: Callable[[dict], object], tmp_path: Path
) -> None:
    """The tests above would fail if the engine took the wrong ones."""
    reference = Reference("Dream", tmp_path, write_dream(tmp_path, dtype=torch.float32))
    change_json(tmp_path / "tokenizer_config.json", lambda config: config.pop("mask_token"))
    change_json(tmp_path / path, change)
    best = reference.probabilities([reference.mask] * 7).amax(-1)
    outcome = infill(tmp_path, exact(7), SLOW._replace(passes=1))
    assert [piece.probability for piece in outcome.pieces] != pytest.approx(best.tolist(), rel=1e-2)
